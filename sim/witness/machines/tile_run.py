"""Several tiles on the array, one after another: each enters while the one before empties, as soon as it may.

When a tile may enter is observed, on the machine itself. It follows the last fold of the tile before at the distance of
two folds of that tile; later, if anything would collide then, which is found by trying; and later, if the tile before
would still be on the array when yet another one may follow it, so that there are never three. A tile for which PEs are
set to hold other numbers enters when the array is empty. A tile's operands may also come late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from ....configs.arrays import FloatArray
from ....configs.pattern import Pattern
from . import output_program, output_stationary, stationary_program, weight_stationary
from .machine import Laid, lay_operands, run
from .output_stationary import OutputStationaryArray
from .specification import HazardError, Machine, Mapping, Operand, Outcome
from .weight_stationary import WeightStationaryArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TileRun:
    """What a run of several tiles gave.

    Attributes:
        products: of the tiles, [m, n] each.
        begins: the cycle in which each tile began.
        cycles: from the first action to the last result usable at the output edge.
    """

    products: tuple[FloatArray, ...]
    begins: tuple[int, ...]
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A tile laid out for the array, and what it did there alone.

    Attributes:
        output: its layout, output stationary; or None.
        stationary: its layout, weight or input stationary; or None.
        setting: what PEs are set to: outputs that they turn between along m and n; or words that they hold, and cycles
            from a slot to the next.
        shape: m, n and k.
        alone: the run of the tile alone.
        period: cycles from one of its folds to the next, if there were more of them.
    """

    output: output_program.Program | None = None
    stationary: stationary_program.Program | None = None
    setting: tuple[int, int]
    shape: tuple[int, int, int]
    alone: Outcome
    period: int

    @property
    def folds(self) -> int:
        """How many."""
        return len(self.alone.fold_starts)

    @property
    def interval(self) -> int:
        """Cycles after which a tile like it may enter, as far as its folds go."""
        return self.folds * self.period


@dataclass(frozen=True, kw_only=True)
class TileMachine:
    """An array that overlaps tiles.

    Attributes:
        machine: the tensor engine; its folds overlap.
        mapping: how every tile is laid on it.
        pattern: N:M of the compressed operand.
        compressed: the operand stored as pairs.
    """

    machine: Machine
    mapping: Mapping
    pattern: Pattern
    compressed: Operand | None
    _apart: dict[tuple[tuple[int, int, int], ...], int] = field(default_factory=dict)

    def run(self, tiles: Sequence[tuple[FloatArray, FloatArray]], late: Sequence[int]) -> TileRun:
        """Multiply tiles, A [m, k] and B [k, n] each.

        Args:
            tiles: one after another.
            late: cycles that the operands of each tile come later than the array could take them.

        Raises:
            HazardError: something collided that should not have.
        """
        laid = [self.lay(a, b) for a, b in tiles]
        begins = [late[0]]
        for before, tile, wait in zip(laid, laid[1:], late[1:], strict=False):
            begins.append(begins[-1] + self.cycles_to_next(before, tile) + wait)
        products: list[FloatArray] = []
        cycles = first = 0
        for until in range(1, len(laid) + 1):
            if until == len(laid) or laid[until].setting != laid[first].setting:
                found, cycles = self.play(laid[first:until], begins[first:until])
                products += found
                first = until
        return TileRun(products=tuple(products), begins=tuple(begins), cycles=cycles)

    def lay(self, a: FloatArray, b: FloatArray) -> Tile:
        """A tile laid out, and run alone."""
        laid = lay_operands(self.mapping, a, b, taps=1, pattern=self.pattern, compressed=self.compressed)
        tile = self._output(laid) if self.mapping.dataflow == "os" else self._stationary(laid)
        return replace(tile, alone=self._alone(self.mapping, a, b), period=self._period(tile, a, b))

    def _alone(self, mapping: Mapping, a: FloatArray, b: FloatArray) -> Outcome:
        return run(self.machine, mapping, a, b, pattern=self.pattern, compressed=self.compressed)

    def _period(self, tile: Tile, a: FloatArray, b: FloatArray) -> int:
        """Observed on a tile with twice the columns, which has twice the folds of the same kind."""
        mapping, wide = self.mapping, self.machine.cols
        if mapping.dataflow == "os":
            mapping, wide = (
                replace(mapping, interleave_m=tile.setting[0], interleave_n=tile.setting[1]),
                wide * tile.setting[1],
            )
        doubled = (_twice(a.T, wide).T, b) if mapping.dataflow == "is" else (a, _twice(b, wide))
        first, second = self._alone(mapping, *doubled).fold_starts[:2]
        return second - first

    def _output(self, laid: Laid) -> Tile:
        machine, mapping = self.machine, self.mapping
        m, n = len(laid.rows), len(laid.columns)
        turns = min(mapping.interleave_m, -(-m // machine.rows)), min(mapping.interleave_n, -(-n // machine.cols))
        tiled = [
            output_program.fold_lanes(operand, each, lanes)
            for operand, each, lanes in zip((laid.rows, laid.columns), turns, (machine.rows, machine.cols), strict=True)
        ]
        program = output_program.lay_out(machine, tiled[0], tiled[1], laid.groups, laid.compressed)
        return Tile(output=program, setting=turns, shape=(m, n, laid.rows.shape[1]), alone=NOTHING, period=0)

    def _stationary(self, laid: Laid) -> Tile:
        moves: Operand = "a" if self.mapping.dataflow == "ws" else "b"
        moving, stays = (laid.rows, laid.columns) if moves == "a" else (laid.columns, laid.rows)
        program = stationary_program.lay_out(
            self.machine, self.mapping, moving, stays, laid.groups, laid.compressed == moves
        )
        shape = len(laid.rows), len(laid.columns), laid.rows.shape[1]
        setting = program.stationary.shape[2], max(program.interleave, self.machine.accumulate_latency)
        return Tile(stationary=program, setting=setting, shape=shape, alone=NOTHING, period=0)

    # Two tiles, and more ---------------------------------------------------------------------------------------------

    def cycles_to_next(self, tile: Tile, following: Tile) -> int:
        """Cycles from a tile's begin to the next one's."""
        if tile.setting != following.setting:
            return tile.alone.cycles
        key = tile.shape, following.shape
        if key not in self._apart:
            apart = max(tile.interval, tile.alone.cycles - following.interval)
            while self.collide(tile, following, apart):
                apart += 1
            self._apart[key] = apart
        return self._apart[key]

    def collide(self, tile: Tile, following: Tile, apart: int) -> bool:
        """Whether two tiles do that begin so many cycles apart."""
        try:
            self.play([tile, following], [0, apart])
        except HazardError:
            return True
        return False

    def play(self, tiles: Sequence[Tile], begins: Sequence[int]) -> tuple[list[FloatArray], int]:
        """Run tiles of one setting that begin in these cycles; their products, and the cycles until the last is out.

        Raises:
            HazardError: tiles collided, one held another up, or three were on the array at once.
        """
        timetable = [
            begin + start for tile, begin in zip(tiles, begins, strict=True) for start in tile.alone.fold_starts
        ]
        comes = [begin for tile, begin in zip(tiles, begins, strict=True) for _ in range(tile.folds)]
        products, left_at = self._products(tiles, timetable, comes)
        folds = np.cumsum([0, *(tile.folds for tile in tiles)])
        ends = [int(left_at[first:until].max()) + 1 for first, until in pairwise(folds.tolist())]
        for tile, begin, end in zip(tiles, begins, ends, strict=True):
            if end != begin + tile.alone.cycles:
                raise HazardError("a tile was held up by its neighbours")
        if any(begin < end for begin, end in zip(begins[2:], ends, strict=False)):
            raise HazardError("three tiles were on the array at once")
        return products, ends[-1]

    def _products(
        self, tiles: Sequence[Tile], timetable: Sequence[int], comes: Sequence[int]
    ) -> tuple[list[FloatArray], FloatArray]:
        """Products of tiles, and when the last result of each fold left."""
        shapes, found = [tile.shape for tile in tiles], []
        if self.mapping.dataflow == "os":
            program = output_program.one_after_another([tile.output for tile in tiles if tile.output])
            array = OutputStationaryArray(self.machine, program)
            array.run_by(timetable)
            folds = np.cumsum([tile.folds for tile in tiles])[:-1]
            for (m, n, _), results in zip(shapes, np.split(array.results, folds), strict=True):
                found.append(output_stationary.product_of(results, tiles[0].setting, m, n))
            return found, array.left_at
        stationary = stationary_program.one_after_another([tile.stationary for tile in tiles if tile.stationary])
        rows = WeightStationaryArray(self.machine, stationary, weight_stationary.row_delay(self.machine, stationary))
        rows.run_by(timetable, comes)
        moves, stays = (0, 1) if self.mapping.dataflow == "ws" else (1, 0)
        vectors = np.cumsum([shape[moves] for shape in shapes])[:-1]
        for shape, sums in zip(shapes, np.split(rows.output_buffer, vectors), strict=True):
            product = sums[:, : shape[stays]]
            found.append(product if self.mapping.dataflow == "ws" else product.T)
        return found, rows.left_at


NOTHING = Outcome(product=np.zeros((0, 0)), cycles=0, fold_starts=(), west_words=0, north_words=0, sums=0)
"""Of a tile that has not run yet."""


def _twice(operand: FloatArray, wide: int) -> FloatArray:
    """Columns [k, n] filled up to whole folds of so many, and as many again."""
    filled = np.zeros((len(operand), -(-operand.shape[1] // wide) * wide))
    filled[:, : operand.shape[1]] = operand
    return np.hstack([filled, filled])
