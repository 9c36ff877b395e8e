"""Random products cut into tiles that follow one another on a machine that overlaps them.

A run is a function of one integer: the machine, the mapping and the product of the ``random_cases`` case of that
integer, or in every fourth one whose results may take longer to leave than to make, in tiles of many folds; cut at
random, in a random loop order, and of that a few tiles in a row. Now and then a tile's operands come late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ....configs.pattern import DENSE
from .loop_nest import tile_extents
from .random_cases import Case, random_case
from .tile_run import TileMachine, TileRun

LONGEST = 6
"""Tiles in a row, at most."""

LATEST_CYCLES = 40

Piece = tuple[slice, slice, slice]
"""A tile: from where until where along m, n and k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TilesCase:
    """Tiles of one product in a row on one machine.

    Attributes:
        case: the machine, the mapping and the product.
        tiles: the tiles.
        late: cycles that the operands of each come late.
    """

    case: Case
    tiles: tuple[Piece, ...]
    late: tuple[int, ...]

    @property
    def extents(self) -> list[tuple[int, int, int]]:
        """m, n and k of each tile."""
        return [(m.stop - m.start, n.stop - n.start, k.stop - k.start) for m, n, k in self.tiles]

    def machine(self) -> TileMachine:
        """The machine, set up for the product."""
        case = self.case
        dense = case.compressed is None or case.pattern.is_dense
        return TileMachine(
            machine=case.machine,
            mapping=case.mapping,
            pattern=DENSE if dense else case.pattern,
            compressed=None if dense else case.compressed,
        )

    def run(self) -> TileRun:
        """Run the tiles on the register-level machine."""
        a, b = self.case.operands()
        return self.machine().run([(a[m, k], b[k, n]) for m, n, k in self.tiles], self.late)


def random_tiles(seed: int) -> TilesCase:
    """The tiles that an integer names.

    >>> random_tiles(7) == random_tiles(7)
    True
    """
    draw = np.random.default_rng(seed)
    case = random_case(seed)
    # Registers for whatever the mapping asks of any tile: cutting may ask for more than the whole product.
    machine = replace(case.machine, overlapped=True, register_depth=1 << 10)
    case = replace(case, machine=machine, taps=1)
    slow = seed % 4 == 0
    if slow:
        case = _slow_to_leave(case, draw)
    group = case.pattern.group if case.compressed else 1
    whole = slow and draw.random() < 0.7
    units = (case.m if whole else 1, case.n if whole else 1, group)
    sizes = [_size(draw, extent, unit) for extent, unit in zip((case.m, case.n, case.k), units, strict=True)]
    along = dict(zip("mnk", map(_pieces, (case.m, case.n, case.k), sizes), strict=True))
    order = "".join(draw.permutation(list("mnk")))
    places = [dict(zip(order, each, strict=True)) for each in product(*(along[axis] for axis in order))]
    first = int(draw.integers(0, max(1, len(places) - LONGEST + 1)))
    tiles = tuple((place["m"], place["n"], place["k"]) for place in places[first : first + LONGEST])
    late = tuple(int(draw.integers(1, LATEST_CYCLES)) if draw.random() < 0.15 else 0 for _ in tiles)
    return TilesCase(case=case, tiles=tiles, late=late)


def _slow_to_leave(case: Case, draw: np.random.Generator) -> Case:
    """Few accumulations along k, many folds: what a result register still holds decides when the next tile enters."""
    between = draw.integers
    machine = replace(case.machine, rows=int(between(3, 7)), cols=int(between(1, 3)), drain="shift")
    mapping = replace(case.mapping, dataflow="os", interleave_n=1)
    group = case.pattern.group if case.compressed else 1
    channels = group * int(between(2, 4)) + int(between(0, group))
    m, n = machine.rows * int(between(1, 4)), machine.cols * int(between(2, 6))
    return replace(case, machine=machine, mapping=mapping, m=m, n=n, channels=channels)


def _size(draw: np.random.Generator, extent: int, unit: int) -> int:
    """A tile size, of whole units or all."""
    return min(extent, unit * int(draw.integers(1, -(-extent // unit) + 1)))


def _pieces(extent: int, size: int) -> list[slice]:
    ends = np.cumsum(tile_extents(extent, size)).tolist()
    return [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
