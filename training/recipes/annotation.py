"""A recipe laid over a training graph: what is pruned, what stays dense and why, what it costs.

Pure declarations: no weights, no torch. The masks themselves are made by training; here only their shape and price
count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ...configs.errors import ConfigError
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE
from ...configs.permuted import Permuted
from ...configs.structured import Structured
from ...configs.terms import Terms
from ..densities import LayerDensities
from ..graph import Convolution, MatrixProduct, Operator, Size, Stage, TrainingGraph
from .declaration import Recipe
from .given import GivenFormats
from .layer_densities import shares_out, with_layer_densities
from .pruned_stage import PrunedStage
from .rules import Facts, check_pass, check_rules, dense_reason, named_dense, patched_reason, ratio, takes
from .streamed_zeros import StreamedZeros, streamed_zeros

Shape = tuple[int, ...]

Preparation = Literal["gather", "rescale"]
"""How a copy of a product's moving operand is made: in another order, or scaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What is pruned of one product.

    Attributes:
        operand: the weight, the gradient or the input that streams in, or of a weight gradient the result: parts that
            are gone.
        pattern: the format along the operand's channels on the contraction axis.
        reduced_on_load: the operand is dense in memory and is reduced on its way to the array.
        permuted: the dense operand must be gathered into the mask's channel order first.
        rescaled: what is kept of a gradient must be scaled up to the norm of all of it first.
    """

    operand: Literal["weight", "gradient", "input", "result"]
    pattern: OperandFormat
    reduced_on_load: bool
    permuted: bool = False
    rescaled: bool = False

    @property
    def preparation(self) -> Preparation | None:
        """What must be done to the moving operand before the product; a rescaled copy is written in any order."""
        if self.rescaled:
            return "rescale"
        return "gather" if self.permuted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightCopies:
    """What the update stage must leave behind of one weight for the next step.

    Attributes:
        parameter: the weight's name.
        dense: a dense copy in operand precision is needed.
        compressed: patterns of the compressed streams to be made, one a pruned stage.
        search_passes: passes over the weight that mask searches cost, averaged over steps.
        reads_mask: the update reads a mask (SR-STE's decay, or one that is given and stays).
        updated: format of the weights that have a master weight and a state, and are updated; the others never are.
    """

    parameter: str
    dense: bool
    compressed: tuple[OperandFormat, ...] = ()
    search_passes: float = 0.0
    reads_mask: bool = False
    updated: OperandFormat = DENSE

    def updated_of(self, weights: int) -> int:
        """Of so many weights those that are updated."""
        share, of = self.updated.share
        return -(-weights * share // of)


@dataclass(frozen=True, kw_only=True)
class PrunedGraph:
    """A training graph and what a recipe makes of it.

    Attributes:
        graph: the dense graph.
        recipe: the recipe.
        pattern: the ratio asked for; operators may have their own.
        pre_generation: N:M weights are made after the update, not on the way in.
        prunings: by operator name.
        dense_reasons: why a product that the recipe would prune stays dense, or why zeros that are given take time, by
            operator name.
        copies: by weight name; a parameter that is not here needs a dense copy.
        streamed: zeros of activations and gradients, by operator name.
        kept_gradients: share of a weight gradient that the recipe asks for, by operator name; all where it is not here.
    """

    graph: TrainingGraph
    recipe: Recipe
    pattern: OperandFormat
    pre_generation: bool
    prunings: dict[str, Pruning]
    dense_reasons: dict[str, str]
    copies: dict[str, WeightCopies]
    streamed: dict[str, StreamedZeros] = field(default_factory=dict)
    kept_gradients: dict[str, float] = field(default_factory=dict)


def annotate(
    graph: TrainingGraph,
    recipe: Recipe,
    pattern: OperandFormat,
    *,
    pre_generation: bool,
    given_formats: GivenFormats | None = None,
    densities: LayerDensities | None = None,
    kept_weights: Mapping[str, float] | None = None,
) -> PrunedGraph:
    """Lay a recipe over a graph.

    Args:
        graph: one dense training step.
        recipe: the method.
        pattern: N:M, or another format where the recipe's masks are given, for every operator that has none of its own.
        pre_generation: whether N:M weights are made in the update stage.
        given_formats: of the weights of a checkpoint, for a recipe whose masks are given; they are facts, and of the
            recipe's rules only the names of what stays dense are asked.
        densities: of activations and gradients that a run measured; else as the recipe declares them, if it does.
        kept_weights: densities by layer that a run under the recipe ended with, where one threshold is the network's.

    Raises:
        ConfigError: a rule of the recipe names no product of this graph, or its masks are N:M and a format is not;
            ``field`` says which rule.
    """
    # Weights that nothing updates are made once, whatever the design does with those that learn.
    pre_generation = pre_generation or graph.inference
    updated = {operator.parameter for operator in graph.operators if operator.stage is Stage.UPDATE}
    passing = [operator for operator in graph.products if operator.stage in (Stage.FORWARD, Stage.BACKWARD)]
    weighted = {operator.module for operator in passing if operator.parameter is not None}
    check_pass(recipe, inference=graph.inference, of=graph.name)
    check_rules(recipe, {operator.module for operator in passing}, weighted=weighted, of=graph.name)
    network = _Network(graph)
    if given_formats is None and (shares_out(recipe, pattern) or kept_weights):
        recipe = with_layer_densities(recipe, pattern, _shapes(graph, recipe, pattern, network), kept_weights)
    given = recipe.mask_search.method == "given"
    prunings: dict[str, Pruning] = {}
    reasons: dict[str, str] = {}
    for operator in graph.products:
        scores = operator.geometry.scores if isinstance(operator.geometry, MatrixProduct) else None
        if scores is not None and scores.pattern.unskipped:
            reasons[operator.name] = scores.pattern.unskipped
            continue
        stage = recipe.pruned_in(operator.stage)
        if stage is None:
            if (left := _left_of_gradient(operator, recipe, pattern, network)) is not None:
                prunings[operator.name] = Pruning(operand="result", pattern=left, reduced_on_load=False)
            continue
        if why := _never(graph, operator, stage):
            reasons[operator.name] = why
            continue
        assert operator.parameter is not None, "others are products of two activations"
        if given_formats is not None:
            taken = given_formats[operator.parameter, operator.stage]
            named = named_dense(recipe, operator.module)
            if why := named or taken.unskipped:
                reasons[operator.name] = why
            if not named and not taken.format.is_dense:
                prunings[operator.name] = _pruning(operator, stage, taken.format, reduced_on_load=False)
            continue
        own = stage.multiplied_as(ratio(recipe, operator.module, operator.stage, pattern))
        if not takes(recipe, stage, own):
            raise ConfigError(
                f"sparsity: got {own} with {recipe.name}, need N:M such as 2:8: its masks are the N largest of each "
                "group; a share of zeros needs a recipe whose masks are given, try static-masks",
                field="mask_search.method",
            )
        reason = dense_reason(recipe, network.facts(operator), own)
        if reason is not None:
            reasons[operator.name] = reason
            continue
        # Masks that are given need no sorter: what they keep is packed when it changes, in the update.
        learns = not updated or operator.parameter in updated
        sorted_now = stage.online or (stage.operand == "weight" and not pre_generation and not given and learns)
        if sorted_now and isinstance(own, Terms):
            raise ConfigError(
                f"sparsity: got {own} with {recipe.name} and no pre-generation, need N:M such as 2:8: a sum is made in "
                "the update; try a design that generates N:M weights ahead",
                field="mask_search.method",
            )
        prunings[operator.name] = _pruning(operator, stage, own, reduced_on_load=sorted_now)
    return PrunedGraph(
        graph=graph,
        recipe=recipe,
        pattern=pattern,
        pre_generation=pre_generation,
        prunings=prunings,
        dense_reasons=reasons,
        copies={copy.parameter: copy for copy in _copies(graph, recipe, prunings)},
        streamed=streamed_zeros(graph, recipe, densities),
        kept_gradients=dict(_kept_gradients(graph, recipe, prunings)),
    )


def _shapes(graph: TrainingGraph, recipe: Recipe, pattern: OperandFormat, network: _Network) -> dict[str, list[Shape]]:
    """Shapes of the weights among which zeros are shared out, by module, in the order of the forward pass."""
    pruned = {
        operator.parameter
        for operator in graph.products
        if operator.parameter is not None
        and recipe.pruned_in(operator.stage) is not None
        and not dense_reason(recipe, network.facts(operator), ratio(recipe, operator.module, operator.stage, pattern))
    }
    modules = {
        operator.parameter: operator.module
        for operator in graph.products
        if operator.parameter in pruned and operator.stage is Stage.FORWARD
    }
    found: dict[str, list[Shape]] = {}
    for parameter, module in modules.items():
        shape = tuple(size.fixed for size in graph.tensors[parameter or ""].shape)
        found.setdefault(module, []).append(shape)
    return found


def _kept_gradients(graph: TrainingGraph, recipe: Recipe, prunings: dict[str, Pruning]) -> Iterable[tuple[str, float]]:
    """Of each weight gradient the share that is asked for: of the weights that the forward pass multiplies by."""
    if recipe.weight_gradient == "dense":
        return
    pruned = [operator for operator in graph.products if operator.name in prunings]
    kept = {
        operator.parameter: prunings[operator.name].pattern.density
        for operator in sorted(pruned, key=lambda each: each.stage is Stage.FORWARD)
        if prunings[operator.name].operand == "weight"
    }
    for operator in graph.products:
        if operator.stage is Stage.WEIGHT_GRADIENT and operator.parameter in kept:
            yield operator.name, kept[operator.parameter]


def _never(graph: TrainingGraph, operator: Operator, stage: PrunedStage) -> str:
    """Why a product is never pruned, whatever the recipe's rules say; empty where it may be."""
    if operator.parameter is None:
        return "product of two activations"
    if _computed(graph, operator):
        return "its weight is computed from smaller ones"
    geometry = operator.geometry
    if operator.stage is Stage.WEIGHT_GRADIENT and isinstance(geometry, Convolution):
        return patched_reason(stage.operand, transposed=geometry.transposed)
    return ""


def _computed(graph: TrainingGraph, operator: Operator) -> bool:
    """Whether a product multiplies by what was computed from a weight of another size, which has no mask of its own."""
    assert operator.parameter is not None, "asked of products by weights"
    of_weight = operator.outputs[:1] if operator.stage is Stage.WEIGHT_GRADIENT else operator.inputs[1:2]
    return any(
        name in graph.producer and graph.tensors[name].elements(1) > graph.tensors[operator.parameter].elements(1)
        for name in of_weight
    )


def _pruning(operator: Operator, stage: PrunedStage, own: OperandFormat, *, reduced_on_load: bool) -> Pruning:
    """What a stage prunes of a product."""
    gathered = isinstance(own, Permuted)
    return Pruning(
        operand=stage.operand,
        pattern=own.in_order if isinstance(own, Permuted) else own,
        reduced_on_load=reduced_on_load,
        permuted=stage.permuted or gathered,
        rescaled=stage.rescale and _has_positions(operator),
    )


def _left_of_gradient(
    operator: Operator, recipe: Recipe, pattern: OperandFormat, network: _Network
) -> OperandFormat | None:
    """What is left of a weight whose other parts are gone, and have no gradient; None of any other."""
    forward = recipe.forward
    if operator.stage is not Stage.WEIGHT_GRADIENT or operator.parameter is None:
        return None
    if recipe.mask_search.method != "given" or forward is None or forward.operand != "weight":
        return None
    left = ratio(recipe, operator.module, Stage.FORWARD, pattern)
    if not left.leaves_dense or dense_reason(recipe, network.facts(operator), left) is not None:
        return None
    return left


def _has_positions(operator: Operator) -> bool:
    """Whether a sample has more than one value of a channel: the norm of one is its magnitude, and nothing to keep."""
    geometry = operator.geometry
    return not isinstance(geometry, MatrixProduct) or replace(geometry.m, samples=1) != Size(per_sample=1)


def _contracted_channels(operator: Operator) -> int:
    """Channels along the contraction axis at one kernel position, in one group. Never depends on the batch.

    None of a weight gradient, which sums over samples and positions.
    """
    geometry = operator.geometry
    if operator.stage is Stage.WEIGHT_GRADIENT:
        return 0
    if isinstance(geometry, Convolution):
        forward = operator.stage is Stage.FORWARD
        return (geometry.in_channels if forward else geometry.out_channels) // geometry.groups
    assert geometry is not None, "only products are pruned"
    return geometry.k.fixed


def weight_sides(operator: Operator) -> tuple[int, int]:
    """Of the weight of a product as its stage sees it the outputs and inputs, of one group at one kernel position.

    Of a weight gradient they are those of FF.
    """
    geometry, backward = operator.geometry, operator.stage is Stage.BACKWARD
    if isinstance(geometry, Convolution):
        sides = geometry.out_channels // geometry.groups, geometry.in_channels // geometry.groups
        return sides[::-1] if backward else sides
    assert geometry is not None, "only products have weights"
    inputs = geometry.m if operator.stage is Stage.WEIGHT_GRADIENT else geometry.k
    return geometry.n.fixed, inputs.fixed


class _Network:
    """What the rules ask of a product's place in its graph."""

    def __init__(self, graph: TrainingGraph) -> None:
        convolutions = (p for p in graph.products if isinstance(p.geometry, Convolution) and p.parameter is not None)
        first = next(convolutions, None)
        self._first = first.parameter if first is not None else None
        self._embeddings = {name for op in graph.operators if op.kind == "embedding" for name in op.inputs}

    def facts(self, operator: Operator) -> Facts:
        return Facts(
            module=operator.module,
            contracted_channels=_contracted_channels(operator),
            first_convolution=operator.parameter == self._first,
            tied_embedding=operator.parameter in self._embeddings,
            kernel_positions=math.prod(operator.geometry.kernel) if isinstance(operator.geometry, Convolution) else 1,
        )


def _copies(graph: TrainingGraph, recipe: Recipe, prunings: dict[str, Pruning]) -> Iterable[WeightCopies]:
    """What each pruned weight leaves behind. Without pre-generation every stage reads the dense copy."""
    search = recipe.mask_search.passes / recipe.mask_search.every_steps
    given = recipe.mask_search.method == "given"
    for parameter, readers in _readers(graph).items():
        pruned = [
            (operator.stage, prunings[operator.name])
            for operator in readers
            if operator.name in prunings and prunings[operator.name].operand == "weight"
        ]
        if not pruned:
            continue
        streams = [(stage, pruning.pattern) for stage, pruning in pruned if not pruning.reduced_on_load]
        parts = [stage for stage, kept in streams if kept.leaves_dense]
        # Dense parts serve both stages, and where they are the program says.
        made = [(stage, _whole(kept, readers)) for stage, kept in streams if stage not in parts[1:]]
        yield WeightCopies(
            parameter=parameter,
            dense=len(streams) < len(readers),
            compressed=tuple(pattern for _, pattern in dict.fromkeys(made)),
            search_passes=search,
            reads_mask=(given and not parts)
            or (recipe.decay is not None and _MASK_STAGE[recipe.decay.mask] in (stage for stage, _ in pruned)),
            updated=_updated(recipe, dict(pruned)),
        )


def _whole(kept: OperandFormat, readers: list[Operator]) -> OperandFormat:
    """A format of a weight of the size that it has."""
    operator = next(each for each in readers if each.is_product)
    return kept.on(*weight_sides(operator)) if isinstance(kept, Structured) else kept


def _updated(recipe: Recipe, pruned: dict[Stage, Pruning]) -> OperandFormat:
    """Which weights have a master weight and a state: all, or those that the forward pass multiplies by."""
    kept = pruned.get(Stage.FORWARD)
    return DENSE if kept is None or recipe.optimizer_state == "dense" else kept.pattern


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
