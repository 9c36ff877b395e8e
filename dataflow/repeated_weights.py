"""Weights that several products of one pass read: of a recurrent layer W_hh, a step a product.

The first product of the pass fetches such a weight, tile by tile, and what it fetched may stay on chip until the last
one of the pass has read it. Forwards and backwards are two passes: nothing is kept from one to the other, nor from one
training step to the next, where the update writes the weight anew. Which ones stay ``residency`` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..accel.specification import BYTES_OF, Precision
from ..configs.operand_format import OperandFormat
from ..configs.pattern import DENSE
from ..training.graph import Operator, Stage, Tensor
from ..training.recipes.annotation import PrunedGraph
from .weight_storage import compressed_bytes

_PASSES = (Stage.FORWARD, Stage.BACKWARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedWeight:
    """One weight in one pass, as it lies in memory.

    Attributes:
        name: of what would stay; no tensor of the graph has it.
        parameter: the weight.
        stored: its format in memory: dense, or the compressed stream that the update made.
        first: position in the work order of the product that fetches it.
        last: of the product that reads it last.
        later: operators that read it after the first one.
    """

    name: str
    parameter: Tensor
    stored: OperandFormat
    first: int
    last: int
    later: frozenset[str]

    def held_bytes(self, precision: Precision) -> int:
        """Bytes that it takes on chip: those that it takes in memory."""
        weights = self.parameter.elements(1)
        if self.stored.is_dense:
            return BYTES_OF[precision] * weights
        return compressed_bytes(weights, self.stored, BYTES_OF[precision])


def repeated_weights(pruned: PrunedGraph, products: Sequence[tuple[int, Operator]]) -> tuple[RepeatedWeight, ...]:
    """The weights of a step that a pass reads more than once, by the work that fetches them.

    Args:
        pruned: graph and recipe.
        products: with their positions in the work order, in order.
    """
    readers: dict[tuple[str, Stage, OperandFormat], list[tuple[int, Operator]]] = {}
    for position, operator in products:
        if operator.stage not in _PASSES or operator.parameter is None:
            continue
        weight = pruned.graph.tensors[operator.inputs[1]]
        if weight.role == "parameter":
            key = (weight.name, operator.stage, _stored(pruned, operator))
            readers.setdefault(key, []).append((position, operator))
    found = [
        RepeatedWeight(
            name=f"{parameter} in {stage.value}",
            parameter=pruned.graph.tensors[parameter],
            stored=stored,
            first=reading[0][0],
            last=reading[-1][0],
            later=frozenset(operator.name for _, operator in reading[1:]),
        )
        for (parameter, stage, stored), reading in readers.items()
        if len(reading) > 1
    ]
    return tuple(sorted(found, key=lambda weight: (weight.first, weight.name)))


def _stored(pruned: PrunedGraph, operator: Operator) -> OperandFormat:
    """The format of a product's weight in memory."""
    pruning = pruned.prunings.get(operator.name)
    if pruning is None or pruning.operand != "weight" or pruning.reduced_on_load:
        return DENSE
    return pruning.pattern
