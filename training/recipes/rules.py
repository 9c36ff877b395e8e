"""The rules of a recipe: the ratio of a layer in a stage, or why it stays dense there.

The same rules speak of an operator of a graph, to be simulated, and of a layer of a module, to be trained.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ...configs.errors import ConfigError
from ...configs.formats import parse_format
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE, Pattern
from ..graph import Stage
from ..recurrent_weights import is_recurrent, meets_state
from .declaration import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules ask of a layer in one stage.

    Attributes:
        module: dotted path.
        contracted_channels: along the stage's contraction axis, at one kernel position, in one group.
        first_convolution: its weight is that of the network's first convolution.
        tied_embedding: its weight is also an embedding table.
    """

    module: str
    contracted_channels: int
    first_convolution: bool
    tied_embedding: bool


def ratio(recipe: Recipe, module: str, stage: Stage, pattern: OperandFormat) -> OperandFormat:
    """The format of a layer in a stage: of the first of the recipe's rules that names it, else ``pattern``.

    Along the stage's own axis: the backward pass sees blocks of a weight turned.
    """
    own = next(
        (
            parse_format(rule.sparsity)
            for rule in recipe.layers
            if stage.value in rule.stages and _matches(module, rule.names)
        ),
        pattern,
    )
    return own.turned if stage is Stage.BACKWARD else own


def dense_reason(recipe: Recipe, facts: Facts, pattern: OperandFormat) -> str | None:
    """Why a layer stays dense in a stage that the recipe prunes; None when it is pruned."""
    rule, channels = recipe.dense, facts.contracted_channels
    if pattern.is_dense:
        return "N = M keeps every element" if isinstance(pattern, Pattern) else f"{pattern} keeps every element"
    if rule.first_convolution and facts.first_convolution:
        return "first convolution"
    if rule.tied_embedding and facts.tied_embedding:
        return "weight tied to an embedding"
    if named := named_dense(recipe, facts.module):
        return named
    weight = facts.module.rpartition(".")[2]
    if rule.all_but == "recurrent" and not is_recurrent(weight):
        return "not of a recurrent layer"
    if rule.all_but == "state" and not meets_state(weight):
        return "not met by the state of a recurrent layer"
    if recipe.mask_search.graph is not None and (unlike := recipe.mask_search.graph.unlike(pattern)):
        return unlike
    if rule.indivisible and channels % pattern.unit:
        counted = "1 channel is" if channels == 1 else f"{channels} channels are"
        return f"{counted} not divisible by {pattern.unit}"
    return None


def named_dense(recipe: Recipe, module: str) -> str:
    """Why a layer stays dense that the recipe names so; empty where it does not."""
    return "named dense by the recipe" if _matches(module, recipe.dense.names) else ""


def activation_zeros(recipe: Recipe, module: str) -> tuple[OperandFormat, OperandFormat]:
    """Zeros that a recipe declares of a layer's input and of its gradient: by the first rule that names it and says."""
    rules = [rule for rule in recipe.activations if _matches(module, rule.names)]
    said = ([rule.input for rule in rules], [rule.gradient for rule in rules])
    of_input, of_gradient = (next((parse_format(text) for text in texts if text is not None), DENSE) for texts in said)
    return of_input, of_gradient


def check_rules(recipe: Recipe, modules: Collection[str], *, of: str) -> None:
    """Refuse a rule without effect: a misspelt path would look like a rule that was followed.

    Args:
        recipe: whose rules.
        modules: paths of the layers that its rules may name.
        of: the network's name, for the message.

    Raises:
        ConfigError: a rule names none of them; ``field`` says which rule.
    """
    fields = {f"dense.names.{number}": name for number, name in enumerate(recipe.dense.names)}
    for rule, layer in enumerate(recipe.layers):
        fields |= {f"layers.{rule}.names.{number}": name for number, name in enumerate(layer.names)}
    for rule, streaming in enumerate(recipe.activations):
        fields |= {f"activations.{rule}.names.{number}": name for number, name in enumerate(streaming.names)}
    for field, name in fields.items():
        if not any(fnmatchcase(module, name) for module in modules):
            near = difflib.get_close_matches(name, sorted({*modules} - {""}), n=1, cutoff=0.0)
            remedy = f"; try {near[0]}" if near else ""
            raise ConfigError(
                f"{field}: got {name!r}, need the path of a matrix product of {of}, with * and ?{remedy}",
                field=field,
            )


def _matches(module: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(module, name) for name in names)
