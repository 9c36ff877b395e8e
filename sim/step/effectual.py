"""Effectual multiply-accumulates: of those that the array issues, the ones whose two operands are both non-zero.

From densities that a training run measured, a mean a layer, and one assumption: zeros of the two operands lie
independently of each other. FF meets the input's and the weight's density, BP the gradient's and the weight's, WU the
input's and the gradient's. A compressed operand issues its kept slots only. A weight's density is measured as the stage
multiplies by it, so among the slots it is larger by k / S: 0.19 under 2:8 is three slots in four. A gradient is
measured before it is pruned, so the N largest of a group are non-zero as far as the group has so many: a binomial
count. Padding counts as data. Without a measurement: density 1. Source: docs/hardware-model.md, "Effectual products".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ...configs.errors import ConfigError
from ...configs.pattern import Pattern
from ...configs.sums import sum_in_order
from ...dataflow.gemm import OPERANDS, Gemm
from ...dataflow.works import Work
from ...training.densities import Density, LayerDensities
from ...training.graph import MadeZeros, Stage, TrainingGraph
from ...training.recipes.annotation import PrunedGraph
from ...training.recipes.streamed_zeros import StreamedZeros

_UNMEASURED = Density()


@dataclass(frozen=True, kw_only=True)
class Effectual:
    """The densities of a training run, laid over a step.

    Attributes:
        pruned: graph and recipe of the step.
        densities: as measured; None where all that is known is what the recipe declares of activations. Weights are
            as measured only in a step of the recipe and ratio that was trained; in another they are what it issues, all
            non-zero, with the same activations and gradients.
    """

    pruned: PrunedGraph
    densities: LayerDensities | None

    @classmethod
    def of(cls, pruned: PrunedGraph, densities: LayerDensities | None) -> Effectual | None:
        """Those of a step; None where nothing is measured and its recipe declares no zeros of activations."""
        return None if densities is None and not pruned.streamed else cls(pruned=pruned, densities=densities)

    @cached_property
    def _with_weight(self) -> frozenset[str]:
        return frozenset(each.name for each in self.pruned.graph.products if each.parameter is not None)

    def share(self, work: Work, gemm: Gemm) -> float:
        """Share of a product's issued multiply-accumulates whose operands are both non-zero."""
        lowered = gemm.as_lowered
        kept = math.prod(
            lowered.kept_of(each) for each in OPERANDS if each in gemm.expanded and each not in gemm.encoded_on_load
        )
        # Zeros that streamed in and were left out are not issued.
        skipped = math.prod(
            gemm.kept_of(each) for each in OPERANDS if each in gemm.compressed and each in gemm.encoded_on_load
        )
        return gemm.own_share * kept * min(1.0, self._of_kept(work, lowered) / skipped)

    def _of_kept(self, work: Work, gemm: Gemm) -> float:
        """The same of those that neither a zero around packed blocks nor one that was pruned takes part in."""
        # Attention's products lie in modules of their own, but a user's layer may multiply two activations besides.
        measured = work.operator in self._with_weight
        graph = self.pruned.graph
        layers = {} if self.densities is None else self.densities.in_pass(inference=graph.inference)
        density = layers.get(work.module, _UNMEASURED) if measured else _UNMEASURED
        present = graph.made_zeros.get(work.module, MadeZeros())
        streamed = self.pruned.streamed.get(work.operator, StreamedZeros())
        moving = _known(present.measured(density.input_density), streamed.input.density)
        gradient = _known(density.gradient_density, streamed.gradient.density)
        match work.stage:
            case Stage.FORWARD:
                return moving * self._weight(density.forward_weight_density, gemm)
            case Stage.BACKWARD:
                if "a" in gemm.compressed and isinstance(gemm.a, Pattern):
                    gradient = kept_density(gradient, gemm.a, gemm.channels)
                return gradient * self._weight(density.backward_weight_density, gemm)
            case _:
                return moving * gradient

    def _weight(self, measured: float | None, gemm: Gemm) -> float:
        """Non-zero share of the weights issued."""
        if self.densities is None or not self.pruned.recipe.prunes or not measures_weights(self.pruned, self.densities):
            return 1.0
        share = _known(measured)
        return min(1.0, share / gemm.kept_of("b")) if "b" in gemm.compressed else share

    def macs(self, work: Work) -> int:
        """Effectual multiply-accumulates of an operator."""
        return sum(_part(product.gemm.issued_macs, self.share(work, product.gemm)) for product in work.products)


def measures_weights(pruned: PrunedGraph, densities: LayerDensities) -> bool:
    """Whether the weights of a step are those that were measured: of the same recipe at the same ratio.

    A file without the summary of its run is taken at its word.
    """
    return densities.trained_as in (None, (pruned.recipe.name, str(pruned.pattern)))


def _known(density: float | None, otherwise: float = 1.0) -> float:
    return otherwise if density is None else density


def _part(count: int, share: float) -> int:
    # Counts may pass what a float holds exactly.
    return count if share == 1 else round(count * share)


def kept_density(density: float, pattern: Pattern, channels: int) -> float:
    """Non-zero share of the elements that N:M keeps, the largest of each group, where zeros lie independently.

    Args:
        density: non-zero share before.
        pattern: N:M.
        channels: elements in a row; the last group may be short.

    >>> kept_density(0.5, Pattern(1, 2), 64)  # three pairs in four have something
    0.75
    >>> kept_density(0.5, Pattern(2, 2), 64)
    0.5
    """

    def nonzero(length: int) -> float:
        """Non-zero elements kept of a group, on average."""
        return sum_in_order(
            min(pattern.kept, count) * math.comb(length, count) * density**count * (1 - density) ** (length - count)
            for count in range(length + 1)
        )

    whole, rest = divmod(channels, pattern.group)
    return min(1.0, (whole * nonzero(pattern.group) + nonzero(rest)) / pattern.kept_of(channels))


def matched_modules(graph: TrainingGraph, densities: LayerDensities) -> tuple[list[str], list[str]]:
    """Modules of the graph's products with a measured row, and those without: they are taken as dense.

    Raises:
        ConfigError: no row names a module that multiplies by a weight.
    """
    with_weight = {each.module for each in graph.products if each.parameter is not None}
    modules = list(dict.fromkeys(each.module for each in graph.products))
    found = [module for module in modules if module in with_weight and module in densities.layers]
    if not found:
        measured, wanted = (
            next(iter(densities.layers)),
            "".join(f" such as {each!r}" for each in sorted(with_weight)[:1]),
        )
        raise ConfigError(
            f"densities: got modules of {densities.name} such as {measured!r}, need those of {graph.name}{wanted}; "
            f"try the graph.json of that run"
        )
    return found, [module for module in modules if module not in found]
