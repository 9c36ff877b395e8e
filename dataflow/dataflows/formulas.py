"""A dataflow said in functions of plain numbers: numpy broadcasts them, and a compiler takes them as they stand.

What ``Dataflow`` asks for with objects is asked here with numbers alone: an array, how groups lie in its PEs, a tile's
m, n, slots and groups, and the two numbers of an array mapping. Every such function is written once, without a branch
on a count; a compiler takes the very same ones (see ``dataflow.compiled``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...accel.tensor_engine import ArrayTiming, Count, Handover
from ...configs.arrays import BoolArray, FloatArray
from .dataflow import Dataflow, Numbers, Passed, Sends
from .tile import ArrayTile, Sparsity, TileSums


class Grouping(NamedTuple):
    """How the groups of a product along k lie in PEs.

    Attributes:
        slots: multiply-accumulates of a group in a PE.
        values: stationary values of a group in a PE.
        lanes: PEs that share a group, each of which is sent what streams past.
        apart: whether each kept value counts as a group of its own.
    """

    slots: int = 1
    values: int = 1
    lanes: int = 1
    apart: bool = False

    def held(self, tile: ArrayTile) -> Count:
        """Groups along k of a tile as PEs hold them."""
        return tile.slots if self.apart else tile.groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Formulas:
    """What a tile does on the array, as functions of plain numbers.

    The first four take (array, grouping, m, n, slots, groups, first, second): the array and ``Grouping``; rows and
    columns of C; accumulations an output; groups along k as PEs hold them; the numbers of the array mapping.

    Attributes:
        cycles: of a tile, see ``Dataflow.cycles``.
        handover: when it lets the next one in, ``Handover``; asked for only where tiles overlap.
        sends: what passes its ports, ``Sends``.
        repeats: whether a mapping stands already with smaller numbers.
        all_sends: what passes the ports in all tiles, ``Sends``: ``sends`` of the west operand summed over the tiles
            along n, of the north one over those along m, of sums over those along k, for each depends on these alone;
            takes (array, grouping, tiling, first, second): ``Tiling``.
        least_cycles: of all tiles, which no mapping beats; takes (array, grouping, deepest, folds): ``Folds``, and
            accumulations that a PE may turn between at most.
        least_sends: the fewest sends of the west and of the north operand; takes the same. Neither of these two falls
            where any of the folds grows.
        hops: see ``Dataflow.hop_bytes``; takes (array, ``Passed``), and does not fall where more passes.
    """

    cycles: Callable[..., Any]
    handover: Callable[..., Any]
    sends: Callable[..., Any]
    repeats: Callable[..., Any]
    all_sends: Callable[..., Any]
    least_cycles: Callable[..., Any]
    least_sends: Callable[..., Any]
    hops: Callable[..., Any]


class FormulaDataflow(Dataflow):
    """A dataflow of two numbers that is said in plain formulas.

    Attributes:
        formulas: the functions.
    """

    formulas: Formulas

    @property
    def in_formulas(self) -> tuple[FormulaDataflow, bool]:
        """Itself, as it lies."""
        return self, False

    def grouping(self, array: ArrayTiming, sparsity: Sparsity) -> Grouping:
        """How the groups of a product lie in the PEs of an array: each value for itself, if nothing else is said."""
        return Grouping()

    def _numbers(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> tuple[Any, ...]:
        grouping = self.grouping(array, tile.sparsity)
        first, second = (numbers[name] for name in self.parameters)
        return array, grouping, tile.m, tile.n, tile.slots, grouping.held(tile), first, second

    def cycles(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Count:
        """Cycles of a tile on the array."""
        found: Count = self.formulas.cycles(*self._numbers(array, tile, numbers))
        return found

    def handover(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Handover:
        """When a tile lets the next one in, of an array that overlaps tiles."""
        found: Handover = self.formulas.handover(*self._numbers(array, tile, numbers))
        return found

    def sends(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> Sends:
        """How often its operands and sums pass the ports."""
        found: Sends = self.formulas.sends(*self._numbers(array, tile, numbers))
        return found

    def repeats(self, array: ArrayTiming, tile: ArrayTile, numbers: Numbers) -> bool | BoolArray:
        """Whether a mapping, cut to what the tile offers, is one that stands already with smaller numbers."""
        found: bool | BoolArray = self.formulas.repeats(*self._numbers(array, tile, numbers))
        return found

    def hop_bytes(self, array: ArrayTiming, passed: Passed) -> Count:
        """Bytes that hop from PE to PE, times the hops that they make."""
        found: Count = self.formulas.hops(array, passed)
        return found

    def _folds(self, sums: TileSums) -> tuple[Any, ...]:
        grouping = self.grouping(sums.array, sums.sparsity)
        return sums.array, grouping, sums.deepest, sums.in_folds(apart=grouping.apart)

    def floor(self, sums: TileSums) -> FloatArray:
        """Cycles of all tiles that no mapping beats, no port in the way."""
        return np.asarray(self.formulas.least_cycles(*self._folds(sums)), dtype=np.float64)

    def least_sends(self, sums: TileSums) -> tuple[Count, Count]:
        """The fewest sends of the west and of the north operand, summed over the tiles."""
        west, north = self.formulas.least_sends(*self._folds(sums))
        return west, north
