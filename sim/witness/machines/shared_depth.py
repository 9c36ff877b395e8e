"""The array with k split over groups of columns: each group is fed its share of the west operand from an entrance.

The PEs, the links from the north, what drains and what is loaded are those of ``output_stationary`` and
``weight_stationary``: the columns of a group hold its share of the north operand, and at its first column its own share
of the west operand enters, as many cycles later as there are columns before it. Sums go to the foot (``sum_chain``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from ....configs.pattern import DENSE, Pattern
from . import output_program, stationary_program
from .links import OperandLink, values_in
from .machine import lay_operands
from .operands import Groups
from .output_stationary import OutputStationaryArray, longest_hold, product_of
from .specification import Machine, Mapping, Operand, Outcome, require_registers
from .sum_chain import Finished, SumChain
from .weight_stationary import WeightStationaryArray, row_delay


def run_split(
    machine: Machine,
    mapping: Mapping,
    a: FloatArray,
    b: FloatArray,
    *,
    split: int,
    taps: int = 1,
    pattern: Pattern = DENSE,
    compressed: Operand | None = None,
) -> Outcome:
    """Multiply ``a`` [m, k] by ``b`` [k, n] on the machine, k split over so many groups of columns.

    Args:
        machine: the tensor engine; a group takes a part of its columns, all as many.
        mapping: the dataflow, the interleave and what a PE holds.
        a: one operand; k is ``taps`` kernel positions by channels, tap-major.
        b: the other.
        split: groups of columns.
        taps: kernel positions.
        pattern: N:M of the compressed operand.
        compressed: the operand stored as pairs.

    Raises:
        ValueError: as for ``machine.run``; or a group has too few columns.
        MappingError: the mapping needs more registers than a PE has.

    A dot product of two elements, each in a column of its own: an addition after the multiplications.

    >>> two = Machine(rows=1, cols=2, drain="wire")
    >>> found = run_split(two, Mapping(dataflow="os"), np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), split=2)
    >>> found.product.item(), found.cycles
    (11.0, 3)
    """
    laid = lay_operands(mapping, a, b, taps=taps, pattern=pattern, compressed=compressed)
    on_rows, on_columns, pairs = laid.rows, laid.columns, laid.compressed
    if mapping.dataflow == "is":
        on_rows, on_columns = on_columns, on_rows
        pairs = "b" if pairs == "a" else "a"
    apart = machine.cols // split
    if len(on_columns) > apart:
        raise ValueError(f"columns: got {len(on_columns)} of outputs, need at most {apart} with k split over {split}")
    rows, groups = _shares(on_rows, laid.groups, split)
    shares, _ = _shares(on_columns, laid.groups, split)
    columns = np.zeros((machine.cols, groups.channels))
    for number, share in enumerate(shares):
        columns[number * apart : number * apart + len(share)] = share
    chain = SumChain(groups=split, apart=apart, latency=machine.accumulate_latency)
    if mapping.dataflow == "os":
        return _output_stationary(machine, mapping, rows, columns, groups, pairs, chain, len(on_columns))
    found = _stationary(machine, mapping, rows, columns, groups, pairs == "a", chain, len(on_columns))
    return found if mapping.dataflow == "ws" else replace(found, product=found.product.T)


def _shares(operand: FloatArray, groups: Groups, split: int) -> tuple[list[FloatArray], Groups]:
    """An operand [vectors, k] in shares of whole groups, zeros behind the last; and the groups of a share."""
    size, each = groups.pattern.group, -(-groups.count // split)
    vectors = np.zeros((len(operand), split * each, size))
    vectors[:, : groups.count] = groups.vectors(operand)
    shares = vectors.reshape(len(operand), split, each * size).transpose(1, 0, 2)
    return list(shares), Groups(taps=1, channels=each * size, pattern=groups.pattern)


class Entrances(OperandLink):
    """Links from the west with an entrance at the first column of each group."""

    def __init__(self, feeds: Sequence[FloatArray], apart: int, hops: int, delay: int) -> None:
        super().__init__(feeds[0], hops, delay)
        wide = [apart] * (len(feeds) - 1) + [hops - apart * (len(feeds) - 1)]
        self._groups = [OperandLink(feed, each, delay) for feed, each in zip(feeds, wide, strict=True)]
        idle = len(feeds[0]) - 1
        self._late = [deque([idle] * (apart * number)) for number in range(len(feeds))]

    def advance(self, step: int) -> None:
        """One cycle; see ``OperandLink``."""
        for late, group in zip(self._late, self._groups, strict=True):
            late.append(step)
            group.advance(late.popleft())
        self.step = np.concatenate([group.step for group in self._groups], axis=1)
        self.operand = np.concatenate([group.operand for group in self._groups], axis=1)


# Output stationary ---------------------------------------------------------------------------------------------------


def _output_stationary(
    machine: Machine,
    mapping: Mapping,
    rows: Sequence[FloatArray],
    columns: FloatArray,
    groups: Groups,
    compressed: Operand,
    chain: SumChain,
    n: int,
) -> Outcome:
    m = len(rows[0])
    turns = min(mapping.interleave_m, -(-m // machine.rows))
    require_registers(turns, machine, f"{turns} interleaved outputs")
    tiled = [output_program.fold_lanes(share, turns, machine.rows) for share in rows]
    north = output_program.fold_lanes(columns, 1, machine.cols)
    programs = [output_program.lay_out(machine, share, north, groups, compressed) for share in tiled]
    interval = 0
    if machine.overlapped and machine.drain == "shift" and programs[0].folds > 1:
        interval = longest_hold(machine, tiled[0], north, groups, compressed)
    array = _SplitOutputArray(machine, programs, chain)
    array.run(interval)
    vectors = programs[0].west_holds_vectors
    return Outcome(
        product=product_of(array.results[..., chain.last :], (turns, 1), m, n),
        cycles=array.last_leaving + 1,
        fold_starts=tuple(array.stream.starts),
        west_words=sum(values_in(each.west.feed, pairs=not vectors) for each in programs),
        north_words=values_in(programs[0].north.feed, pairs=vectors),
        sums=int(np.count_nonzero(array.results)),
    )


class _SplitOutputArray(OutputStationaryArray):
    def __init__(self, machine: Machine, programs: Sequence[output_program.Program], chain: SumChain) -> None:
        super().__init__(machine, programs[0])
        feeds = [each.west.feed for each in programs]
        self._from_west = Entrances(feeds, chain.apart, machine.cols, delay=1)
        self._chain = chain
        self._finished: list[Finished] = []

    def cycle(self, interval: int) -> None:
        """One cycle of the array, and of its foot."""
        now = self._clock
        super().cycle(interval)
        for each in self._chain.cycle(self._finished):
            fold, register, row = each.tag
            self.results[fold, register, row, each.column] = each.value
            self.left_at[fold] = self.last_leaving = now
            self._left += each.merged
        self._finished = []

    def _leave(self, fold: IntArray, register: IntArray, row: IntArray, column: IntArray, value: FloatArray) -> None:
        way = row if self._machine.drain == "wire" else 0 * row
        told = (np.broadcast_to(each, value.shape).tolist() for each in (column, way, fold, register, row, value))
        self._finished += [(at, by, (a, b, c), total) for at, by, a, b, c, total in zip(*told, strict=True)]


# Weight and input stationary -----------------------------------------------------------------------------------------


def _stationary(
    machine: Machine,
    mapping: Mapping,
    moving: Sequence[FloatArray],
    columns: FloatArray,
    groups: Groups,
    moving_is_compressed: bool,
    chain: SumChain,
    n: int,
) -> Outcome:
    programs = [
        stationary_program.lay_out(machine, mapping, share, columns, groups, moving_is_compressed) for share in moving
    ]
    array = _SplitStationaryArray(machine, programs, row_delay(machine, programs[0]), chain)
    array.run()
    return Outcome(
        product=array.output_buffer[:, chain.last : chain.last + n],
        cycles=array.last_leaving + 1,
        fold_starts=tuple(array.stream.starts),
        west_words=sum(values_in(each.feed, pairs=moving_is_compressed) for each in programs),
        north_words=values_in(programs[0].stationary, pairs=True),
        sums=array.sums_left,
    )


class _SplitStationaryArray(WeightStationaryArray):
    def __init__(
        self, machine: Machine, programs: Sequence[stationary_program.Program], delay: int, chain: SumChain
    ) -> None:
        super().__init__(machine, programs[0], delay)
        self._from_west = Entrances([each.feed for each in programs], chain.apart, machine.cols, delay)
        self._chain = chain
        self._finished: list[Finished] = []

    def cycle(self) -> None:
        """One cycle of the array, and of its foot."""
        now = self._clock
        super().cycle()
        for each in self._chain.cycle(self._finished):
            vector, fold = each.tag
            self.output_buffer[vector, each.column] += each.value
            self.left_at[fold] = self.last_leaving = now
            self._left += each.merged
            self.sums_left += int(each.value != 0)
        self._finished = []

    def _leave(self, column: IntArray, step: IntArray, value: FloatArray) -> None:
        vector, fold = self._program.vector[step], self._program.steps.fold[step]
        told = (each.tolist() for each in (column, vector, fold, value))
        self._finished += [(at, 0, (a, b), total) for at, a, b, total in zip(*told, strict=True)]
