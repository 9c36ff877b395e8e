"""The output-stationary array over zeros without a rule: a real mask, played.

Operand B comes from the north with what each column keeps, a (value, index) pair a slot. Columns enter a window of k
together: each has as many slots as the fullest of them keeps there, the others multiply zeros meanwhile. All rows pass
the same B, so a window takes them equally long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray
from ....configs.errors import MappingError
from ....configs.pattern import Pattern
from .operands import Groups
from .output_stationary import run_output_stationary
from .specification import Machine, Mapping, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows(Groups):
    """Windows of k with slots of their own.

    Attributes:
        slots: of each window, [G].
    """

    slots: tuple[int, ...]

    def kept(self) -> IntArray:
        """Slots of each window, [G]."""
        return np.array(self.slots, dtype=np.int64)


def run_skipping(machine: Machine, mapping: Mapping, a: FloatArray, b: FloatArray, *, window: int) -> Outcome:
    """Multiply ``a`` [m, k] by ``b`` [k, n], skipping the zeros of ``b``; all columns go in lockstep.

    Args:
        machine: the tensor engine.
        mapping: output stationary; ``interleave_m`` is used.
        a: the dense operand.
        b: the sparse one; its columns fit side by side on the array.
        window: elements of k that columns enter together.

    Raises:
        MappingError: there are more columns than the array has, or a PE is to turn between columns.
    """
    return _run(machine, mapping, a, b, window, fullest_of_windows(b.T != 0, window))


def run_skipping_blocks(machine: Machine, mapping: Mapping, a: FloatArray, b: FloatArray, *, block: int) -> Outcome:
    """Multiply ``a`` [m, k] by ``b`` [k, n], leaving out stretches of k in which no column of ``b`` has anything.

    Args:
        machine: the tensor engine.
        mapping: output stationary; ``interleave_m`` is used.
        a: the dense operand.
        b: the sparse one; its columns fit side by side on the array.
        block: elements of k that are left out together.

    Raises:
        MappingError: there are more columns than the array has, or a PE is to turn between columns.
    """
    met = np.add.reduceat((b != 0).any(axis=1), np.arange(0, len(b), block), dtype=np.int64)
    lengths = np.array([min(block, len(b) - start) for start in range(0, len(b), block)])
    return _run(machine, mapping, a, b, block, np.where(met > 0, lengths, 0))


def _run(machine: Machine, mapping: Mapping, a: FloatArray, b: FloatArray, window: int, slots: IntArray) -> Outcome:
    """Multiply with so many slots in each window of k."""
    if b.shape[1] > machine.cols or mapping.interleave_n > 1:
        raise MappingError(f"n: got {b.shape[1]} columns, need at most {machine.cols}, one a column of PEs")
    columns = b.T.astype(np.float64)
    slots[-1] = max(slots[-1], int(not slots.any()))
    windows = Windows(
        taps=1, channels=b.shape[0], pattern=Pattern(max(1, int(slots.max())), window), slots=tuple(slots.tolist())
    )
    return run_output_stationary(machine, replace(mapping, interleave_n=1), a.astype(np.float64), columns, windows, "b")


def fullest_of_windows(kept: BoolArray, window: int) -> IntArray:
    """[G] of a mask [lanes, k] what the lane that keeps most keeps in each window."""
    starts = range(0, kept.shape[1], window)
    return np.array([kept[:, start : start + window].sum(axis=1).max() for start in starts], dtype=np.int64)
