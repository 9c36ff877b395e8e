"""The output-stationary array over zeros of both operands: real masks, played PE by PE.

Windows of both operands pass the array, values beside a bitmap: here vectors whose zeros are what is not there. A PE
keeps the window of each, compares the two and multiplies, a slot at a time, where both have a value; where it has no
more it multiplies nothing. All PEs of a fold take windows together: one has as many slots as the PE with most to
multiply needs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray
from ....configs.errors import MappingError
from ....configs.pattern import Pattern
from .links import values_in
from .output_program import Program, Side, fold_lanes, lay_out
from .output_stationary import OutputStationaryArray, product_of
from .random_zeros import Windows
from .sequencer import with_idle
from .specification import Machine, Mapping, Outcome


def run_intersecting(machine: Machine, mapping: Mapping, a: FloatArray, b: FloatArray, *, window: int) -> Outcome:
    """Multiply ``a`` [m, k] by ``b`` [k, n] in one fold, skipping the zeros of both.

    Args:
        machine: the tensor engine.
        mapping: output stationary, a PE an output.
        a: an operand; its rows fit side by side on the array.
        b: the other; so do its columns.
        window: elements of k that PEs enter together.

    Raises:
        MappingError: there are more rows or columns than the array has, or a PE is to turn between outputs.
    """
    m, n = len(a), b.shape[1]
    if m > machine.rows or n > machine.cols or mapping.interleave_m * mapping.interleave_n > 1:
        raise MappingError(
            f"product: got {m}x{n} outputs, need at most {machine.rows}x{machine.cols}, one a PE of one fold"
        )
    rows, columns = a.astype(np.float64), b.T.astype(np.float64)
    most = fullest_of_meetings(rows != 0, columns != 0, window)
    most[-1] = max(most[-1], int(not most.any()))
    windows = Windows(
        taps=1, channels=b.shape[0], pattern=Pattern(max(1, int(most.max())), window), slots=tuple(most.tolist())
    )
    of_rows, of_columns = fold_lanes(rows, 1, machine.rows), fold_lanes(columns, 1, machine.cols)
    program = lay_out(machine, of_rows, 0 * of_columns, windows, "b")
    array = IntersectingArray(machine, replace(program, north=_vectors(of_columns, windows)), _turn_of_slot(windows))
    array.run(0)
    return Outcome(
        product=product_of(array.results, (1, 1), m, n),
        cycles=array.last_leaving + 1,
        fold_starts=tuple(array.stream.starts),
        west_words=values_in(program.west.feed, pairs=False),
        north_words=values_in(array.north_feed, pairs=False),
        sums=int(np.count_nonzero(array.results)),
    )


def fullest_of_meetings(rows: BoolArray, columns: BoolArray, window: int) -> IntArray:
    """[G] of masks [m, k] and [n, k] what the PE with most to multiply has in each window."""
    starts = range(0, rows.shape[1], window)
    met = (
        rows[:, at : at + window].astype(np.int64) @ columns[:, at : at + window].astype(np.int64).T for at in starts
    )
    return np.array([each.max() for each in met], dtype=np.int64)


class IntersectingArray(OutputStationaryArray):
    """An array whose PEs find for themselves what they multiply in a slot."""

    def __init__(self, machine: Machine, program: Program, turn: IntArray) -> None:
        super().__init__(machine, program)
        self.north_feed = program.north.feed
        self._turn = turn

    def _multiply(self, step: IntArray) -> FloatArray:
        from_west, from_north = self._kept_operands(step)
        both = (from_west != 0) & (from_north != 0)
        own = both & (np.cumsum(both, axis=1) == self._turn[step][:, None] + 1)
        found: FloatArray = (from_west * from_north * own).sum(axis=1)
        return found


def _turn_of_slot(windows: Windows) -> IntArray:
    """Of each step the place of its slot in its window."""
    return with_idle(np.concatenate([np.arange(slots) for slots in windows.slots]), 0)


def _vectors(tiled: FloatArray, windows: Windows) -> Side:
    """An operand sent as whole windows, each with its first slot."""
    window_of_slot = np.repeat(np.arange(windows.count), windows.kept())
    opens = np.diff(window_of_slot, prepend=-1) > 0
    sent = windows.vectors(tiled)[0, 0][:, window_of_slot].swapaxes(0, 1)
    feed = np.zeros((len(sent) + 1, *sent.shape[1:]))
    feed[:-1][opens] = sent[opens]
    kept = np.zeros(len(sent), dtype=np.int64)
    return Side(feed=feed, writes=with_idle(np.where(opens, 0, 1), 1), reads=with_idle(kept, 1), registers=1)
