"""A recipe laid over a training graph: what is pruned, what stays dense and why, what it costs.

Pure declarations: no weights, no torch. The masks themselves are made by training; here only their shape and price
count.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from ...configs.errors import ConfigError
from ...configs.pattern import Pattern
from ..graph import Convolution, Operator, Stage, TrainingGraph
from .declaration import PrunedStage, Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What is pruned of one product.

    Attributes:
        operand: the weight, or the gradient that streams in.
        pattern: N:M along the operand's channels on the contraction axis.
        reduced_on_load: the operand is dense in memory and is reduced on its way to the array.
        permuted: the dense operand must be gathered into the mask's channel order first.
    """

    operand: Literal["weight", "gradient"]
    pattern: Pattern
    reduced_on_load: bool
    permuted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightCopies:
    """What the update stage must leave behind of one weight for the next step.

    Attributes:
        parameter: the weight's name.
        dense: a dense copy in operand precision is needed.
        compressed: patterns of the compressed streams to be made, one a pruned stage.
        search_passes: passes over the weight that mask searches cost, averaged over steps.
        reads_mask: the update reads a mask (SR-STE's decay).
    """

    parameter: str
    dense: bool
    compressed: tuple[Pattern, ...] = ()
    search_passes: float = 0.0
    reads_mask: bool = False


@dataclass(frozen=True, kw_only=True)
class PrunedGraph:
    """A training graph and what a recipe makes of it.

    Attributes:
        graph: the dense graph.
        recipe: the recipe.
        pattern: the ratio asked for; operators may have their own.
        pre_generation: N:M weights are made after the update, not on the way in.
        prunings: by operator name.
        dense_reasons: why a product that the recipe would prune stays dense, by operator name.
        copies: by weight name; a parameter that is not here needs a dense copy.
    """

    graph: TrainingGraph
    recipe: Recipe
    pattern: Pattern
    pre_generation: bool
    prunings: dict[str, Pruning]
    dense_reasons: dict[str, str]
    copies: dict[str, WeightCopies]


def annotate(graph: TrainingGraph, recipe: Recipe, pattern: Pattern, *, pre_generation: bool) -> PrunedGraph:
    """Lay a recipe over a graph.

    Args:
        graph: one dense training step.
        recipe: the method.
        pattern: N:M, for every operator that has no ratio of its own.
        pre_generation: whether N:M weights are made in the update stage.

    Raises:
        ConfigError: a rule of the recipe names no product of this graph; ``field`` says which rule.
    """
    _check_rules(graph, recipe)
    prunings: dict[str, Pruning] = {}
    reasons: dict[str, str] = {}
    exceptions = _Exceptions(graph, recipe)
    for operator in graph.products:
        stage = _pruned_stage(operator, recipe)
        if stage is None:
            continue
        if operator.parameter is None:
            reasons[operator.name] = "product of two activations"
            continue
        own = _ratio(operator, recipe, pattern)
        reason = "N = M keeps every element" if own.is_dense else exceptions.reason(operator, own)
        if reason is not None:
            reasons[operator.name] = reason
            continue
        prunings[operator.name] = Pruning(
            operand=stage.operand,
            pattern=own,
            reduced_on_load=stage.online or (stage.operand == "weight" and not pre_generation),
            permuted=stage.permuted,
        )
    return PrunedGraph(
        graph=graph,
        recipe=recipe,
        pattern=pattern,
        pre_generation=pre_generation,
        prunings=prunings,
        dense_reasons=reasons,
        copies={copy.parameter: copy for copy in _copies(graph, recipe, prunings)},
    )


def _check_rules(graph: TrainingGraph, recipe: Recipe) -> None:
    """Refuse a rule without effect on this graph: a misspelt path would look like a rule that was followed."""
    modules = {operator.module for operator in graph.products if operator.stage in (Stage.FORWARD, Stage.BACKWARD)}
    fields = {f"dense.names.{number}": name for number, name in enumerate(recipe.dense.names)}
    for rule, layer in enumerate(recipe.layers):
        fields |= {f"layers.{rule}.names.{number}": name for number, name in enumerate(layer.names)}
    for field, name in fields.items():
        if not any(fnmatchcase(module, name) for module in modules):
            near = difflib.get_close_matches(name, sorted(modules - {""}), n=1, cutoff=0.0)
            remedy = f"; try {near[0]}" if near else ""
            raise ConfigError(
                f"{field}: got {name!r}, need the path of a matrix product of {graph.name}, with * and ?{remedy}",
                field=field,
            )


def _pruned_stage(operator: Operator, recipe: Recipe) -> PrunedStage | None:
    match operator.stage:
        case Stage.FORWARD:
            return recipe.forward
        case Stage.BACKWARD:
            return recipe.backward
        case _:
            return None


def _matches(operator: Operator, names: Iterable[str]) -> bool:
    return any(fnmatchcase(operator.module, name) for name in names)


def _ratio(operator: Operator, recipe: Recipe, pattern: Pattern) -> Pattern:
    for rule in recipe.layers:
        if operator.stage.value in rule.stages and _matches(operator, rule.names):
            return Pattern.parse(rule.sparsity)
    return pattern


def _contracted_channels(operator: Operator) -> int:
    """Channels along the contraction axis at one kernel position, in one group. Never depends on the batch."""
    geometry = operator.geometry
    if isinstance(geometry, Convolution):
        forward = operator.stage is Stage.FORWARD
        return (geometry.in_channels if forward else geometry.out_channels) // geometry.groups
    assert geometry is not None, "only products are pruned"
    return geometry.k.fixed


class _Exceptions:
    """The rules by which an operator stays dense, over one graph."""

    def __init__(self, graph: TrainingGraph, recipe: Recipe) -> None:
        self._rule = recipe.dense
        convolutions = (p for p in graph.products if isinstance(p.geometry, Convolution) and p.parameter is not None)
        first = next(convolutions, None)
        self._first = first.parameter if first is not None else None
        self._embeddings = {name for op in graph.operators if op.kind == "embedding" for name in op.inputs}

    def reason(self, operator: Operator, pattern: Pattern) -> str | None:
        """Why this operator stays dense; None when it is pruned."""
        channels = _contracted_channels(operator)
        if self._rule.first_convolution and operator.parameter == self._first:
            return "first convolution"
        if self._rule.tied_embedding and operator.parameter in self._embeddings:
            return "weight tied to an embedding"
        if _matches(operator, self._rule.names):
            return "named dense by the recipe"
        if self._rule.indivisible and channels % pattern.group:
            counted = "1 channel is" if channels == 1 else f"{channels} channels are"
            return f"{counted} not divisible by {pattern.group}"
        return None


def _copies(graph: TrainingGraph, recipe: Recipe, prunings: dict[str, Pruning]) -> Iterable[WeightCopies]:
    """What each pruned weight leaves behind. Without pre-generation every stage reads the dense copy."""
    search = recipe.mask_search.passes / recipe.mask_search.every_steps
    for parameter, readers in _readers(graph).items():
        pruned = [
            (operator.stage, prunings[operator.name])
            for operator in readers
            if operator.name in prunings and prunings[operator.name].operand == "weight"
        ]
        if not pruned:
            continue
        streams = [(stage, pruning.pattern) for stage, pruning in pruned if not pruning.reduced_on_load]
        yield WeightCopies(
            parameter=parameter,
            dense=len(streams) < len(readers),
            compressed=tuple(pattern for _, pattern in dict.fromkeys(streams)),
            search_passes=search,
            reads_mask=recipe.decay is not None and _MASK_STAGE[recipe.decay.mask] in (stage for stage, _ in pruned),
        )


_MASK_STAGE = {"forward": Stage.FORWARD, "backward": Stage.BACKWARD}


def _readers(graph: TrainingGraph) -> dict[str, list[Operator]]:
    """Operators that read each weight in FF and BP: products, and whatever gathers or copies from it."""
    found: dict[str, list[Operator]] = {}
    for operator in graph.operators:
        if operator.stage in (Stage.FORWARD, Stage.BACKWARD):
            for name in (operator.parameter,) if operator.is_product else operator.inputs:
                if name is not None:
                    found.setdefault(name, []).append(operator)
    return found
