"""The rules of a recipe: the ratio of a layer in a stage, or why it stays dense there.

The same rules speak of an operator of a graph, to be simulated, and of a layer of a module, to be trained.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ...configs.errors import ConfigError
from ...configs.formats import parse_format
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE, Pattern
from ...configs.permuted import Permuted
from ...configs.terms import Terms
from ..graph import Stage
from ..recurrent_weights import is_recurrent, meets_state
from .declaration import Recipe
from .pruned_stage import PrunedStage


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules ask of a layer in one stage.

    Attributes:
        module: dotted path.
        contracted_channels: along the stage's contraction axis, at one kernel position, in one group; none where a
            weight gradient is made, whose groups run along samples and positions and may be short.
        first_convolution: its weight is that of the network's first convolution.
        tied_embedding: its weight is also an embedding table.
        kernel_positions: of its kernel; 1 of a matrix.
    """

    module: str
    contracted_channels: int
    first_convolution: bool
    tied_embedding: bool
    kernel_positions: int


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


def takes(recipe: Recipe, stage: PrunedStage, own: OperandFormat) -> bool:
    """Whether a recipe can make masks of a format in a stage: of any that are given, else the N largest of each group.

    Of a sum of N:M terms of weights each term keeps the largest of what those before it left.
    """
    if recipe.mask_search.method == "given":
        return True
    if isinstance(own, Terms):
        plain = stage.operand == "weight" and not (stage.permuted or stage.soft)
        return plain and recipe.mask_search.method == "top-n"
    return isinstance(own, Pattern) and not isinstance(own, Permuted)


def has_own_ratio(recipe: Recipe, module: str) -> bool:
    """Whether a rule of the recipe gives a layer a ratio of its own."""
    return any(_matches(module, rule.names) for rule in recipe.layers)


def dense_reason(recipe: Recipe, facts: Facts, pattern: OperandFormat) -> str | None:
    """Why a layer stays dense in a stage that the recipe prunes; None when it is pruned."""
    rule, channels = recipe.dense, facts.contracted_channels
    if pattern.is_dense:
        return "N = M keeps every element" if isinstance(pattern, Pattern) else f"{pattern} keeps every element"
    if rule.first_convolution and facts.first_convolution:
        return "first convolution"
    if rule.tied_embedding and facts.tied_embedding:
        return "weight tied to an embedding"
    if rule.wide_kernels and facts.kernel_positions > 1:
        return "a kernel of more than one position"
    if named := named_dense(recipe, facts.module):
        return named
    weight = facts.module.rpartition(".")[2]
    if rule.all_but_weights == "recurrent" and not is_recurrent(weight):
        return "not of a recurrent layer"
    if rule.all_but_weights == "state" and not meets_state(weight):
        return "not met by the state of a recurrent layer"
    if recipe.mask_search.graph is not None and (unlike := recipe.mask_search.graph.unlike(pattern)):
        return unlike
    if rule.indivisible and channels % pattern.unit:
        counted = "1 channel is" if channels == 1 else f"{channels} channels are"
        return f"{counted} not divisible by {pattern.unit}"
    return None


def patched_reason(operand: str, *, transposed: bool) -> str:
    """Why an operand of a convolution's weight gradient has no groups along positions; empty where it has.

    The product reads one of the two in patches, whose neighbours are others at each kernel position: the input, of a
    transposed convolution the gradient.
    """
    if operand != ("gradient" if transposed else "input"):
        return ""
    return f"a convolution's {operand} is read in patches, which have no groups along positions"


def named_dense(recipe: Recipe, module: str) -> str:
    """Why a layer stays dense that the recipe names so, or leaves unnamed; empty where it does not."""
    if _matches(module, recipe.dense.names):
        return "named dense by the recipe"
    if recipe.dense.all_but and not _matches(module, recipe.dense.all_but):
        return "not among those that alone the recipe prunes"
    return ""


def activation_zeros(recipe: Recipe, module: str) -> tuple[OperandFormat, OperandFormat]:
    """Zeros that a recipe declares of a layer's input and of its gradient: by the first rule that names it and says."""
    rules = [rule for rule in recipe.activations if _matches(module, rule.names)]
    said = ([rule.input for rule in rules], [rule.gradient for rule in rules])
    of_input, of_gradient = (next((parse_format(text) for text in texts if text is not None), DENSE) for texts in said)
    return of_input, of_gradient


def check_pass(recipe: Recipe, *, inference: bool, of: str) -> None:
    """Refuse a training step to a kernel of inference.

    Args:
        recipe: whose pass.
        inference: whether the network is run forwards alone.
        of: the network's name, for the message.

    Raises:
        ConfigError: it is one, and the step trains.
    """
    if recipe.pass_ == "inference" and not inference:
        raise ConfigError(
            f"pass: got a training step of {of} with {recipe.name}, a kernel of inference, need a forward pass; try "
            "--pass inference",
            field="pass",
        )


def check_rules(recipe: Recipe, modules: Collection[str], *, weighted: Collection[str], of: str) -> None:
    """Refuse a rule without effect: a misspelt path would look like a rule that was followed.

    Args:
        recipe: whose rules.
        modules: paths of the layers that its rules may name.
        weighted: those of them that multiply by a weight, which ratios and zeros that stream past one are of.
        of: the network's name, for the message.

    Raises:
        ConfigError: a rule names none of them; ``field`` says which rule.
    """
    fields = {f"dense.names.{number}": name for number, name in enumerate(recipe.dense.names)}
    fields |= {f"dense.all_but.{number}": name for number, name in enumerate(recipe.dense.all_but)}
    _check_named(fields, modules, need=f"a matrix product of {of}")
    by_weights = {f"layers.{rule}": each.names for rule, each in enumerate(recipe.layers)}
    by_weights |= {f"activations.{rule}": each.names for rule, each in enumerate(recipe.activations)}
    named = {f"{rule}.names.{number}": name for rule, names in by_weights.items() for number, name in enumerate(names)}
    _check_named(named, weighted, need=f"a matrix product by a weight of {of}")


def _check_named(fields: Mapping[str, str], modules: Collection[str], *, need: str) -> None:
    for field, name in fields.items():
        if not any(fnmatchcase(module, name) for module in modules):
            near = difflib.get_close_matches(name, sorted({*modules} - {""}), n=1, cutoff=0.0)
            remedy = f"; try {near[0]}" if near else ""
            raise ConfigError(f"{field}: got {name!r}, need the path of {need}, with * and ?{remedy}", field=field)


def _matches(module: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(module, name) for name in names)
