"""Zeros without a rule on an array that skips them: how many slots they take, and what is cut along k.

The sparse operand enters from the north, a lane a column of PEs. A PE selects among M elements of the other operand and
multiplies by what its column keeps of them, one a slot; a column that keeps fewer waits for the fullest of its lockstep
group, once a group of M, or once a queue of such groups. Rows of PEs share their column's zeros. Source:
docs/hardware-model.md, "Zeros without a rule".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...accel.exploits import UnstructuredSkipping
from ...accel.specification import Hardware, TensorEngine
from ...configs.arrays import Counts
from ...configs.balanced import Balanced
from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE
from ...configs.unstructured import Unstructured
from ...training.own_weights.measured import Measured
from ..gemm import OPERANDS, Gemm, Operand
from .balanced import balanced_slots
from .blocks import SkippedBlocks, why_no_blocks
from .counted import counted_slots
from .declared import AsDeclared
from .intersected import Meeting, met_slots
from .waiting import Windows, expected_slots, windows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(AsDeclared):
    """A format without a rule as the lanes of an array meet it.

    Attributes:
        declared: the format.
        group: M, elements of k that a PE selects among.
        queue: groups that a lane works off before it waits.
        lockstep: R, lanes that wait for each other.
        lanes: side by side in a fold: columns of PEs, or fewer where the operand has fewer.
        meeting: of operand B, where the zeros of A can be skipped beside its own.
    """

    declared: Unstructured
    group: int
    queue: int
    lockstep: int
    lanes: int
    meeting: Meeting | None = None

    @classmethod
    def by(cls, skipping: UnstructuredSkipping, declared: Unstructured, lanes: int) -> Skipped:
        """As an engine skips it, so many lanes side by side."""
        group, queue, lockstep = skipping.group, skipping.queue, min(skipping.lockstep, lanes)
        return cls(declared=declared, group=group, queue=queue, lockstep=lockstep, lanes=lanes)

    @property
    def unit(self) -> int:
        """A group, or a block that is longer."""
        return math.lcm(self.group, self.declared.cols)

    @property
    def selected_from(self) -> int:
        """M."""
        return self.group

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Groups of M, short ones included."""
        return taps * -(-channels // self.group)

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Slots of the slowest lockstep group, expected or of a very tensor counted, rounded up.

        Never above the dense count, at least 1.
        """
        return _of_each(lambda each, times: _slots(self, each, times), channels, taps)

    def slots_beside(self, other: OperandFormat, channels: Counts, taps: Counts = 1) -> Counts:
        """Slots of the PE that has most to multiply, where the zeros of A are skipped too; likewise."""
        if self.meeting is None:
            return self.slots(channels, taps)
        meeting, densities = self.meeting, (other.density, self.density)
        return _of_each(lambda each, times: met_slots(meeting, *densities, each, times), channels, taps)

    @property
    def _independent(self) -> tuple[int, int]:
        """Lanes of a lockstep group whose zeros differ, and lockstep groups that do; blocks span lanes."""
        span, lanes = self.declared.rows, self.lockstep
        straddled = 0 if lanes % span == 0 or span % lanes == 0 else 1
        return min(lanes, -(-lanes // span) + straddled), -(-self.lanes // max(lanes, span))

    def _windows(self, channels: int, taps: int) -> Windows:
        """What a lane meets along k, in blocks."""
        return windows_of(self._window_lengths(channels, taps))

    def _window_lengths(self, channels: int, taps: int) -> Iterator[int]:
        block = self.declared.cols
        groups = [min(self.group, channels - start) for start in range(0, channels, self.group)] * taps
        # As many groups as a queue holds, in whole blocks; under one block all of its groups take equally long.
        of_block = max(1, block // self.group)
        together = max(of_block, self.queue // of_block * of_block)
        for start in range(0, len(groups), together):
            yield -(-sum(groups[start : start + together]) // block)


def _of_each(slots: Callable[[int, int], int], channels: Counts, taps: Counts) -> Counts:
    """Slots of so many channels at so many kernel positions, each pair of numbers asked for once."""
    known: dict[tuple[int, int], int] = {}

    def of(each: int, times: int) -> int:
        found = known.get((each, times))
        if found is None:
            found = known[each, times] = slots(int(each), int(times))
        return found

    found = np.frompyfunc(of, 2, 1)(channels, taps)
    return found.astype(np.int64) if isinstance(found, np.ndarray) else found


@lru_cache(maxsize=65536)
def _slots(met: Skipped, channels: int, taps: int) -> int:
    if isinstance(met.declared, Measured):
        slots = counted_slots(
            met.declared,
            group=met.group,
            queue=met.queue,
            lockstep=met.lockstep,
            lanes=met.lanes,
            channels=channels,
            taps=taps,
        )
    else:
        lanes, groups = met._independent
        slots = met.declared.cols * _expected(met.declared, met._windows(channels, taps), lanes, groups)
    # What is whole but for a rounding error is whole.
    return min(max(1, math.ceil(slots - 1e-9)), channels * taps)


def _expected(declared: Unstructured, windows: Windows, lanes: int, groups: int) -> float:
    met = sum(length * times for length, times in windows)
    if isinstance(declared, Balanced) and met <= declared.length:
        return balanced_slots(windows, declared.length, declared.kept_of_row, lanes, groups)
    return expected_slots(windows, declared.density, lanes, groups)


def why_not_skipped(gemm: Gemm, hardware: Hardware) -> str:
    """Why a product's zeros without a rule take time on a design; empty where they do not, or there are none."""
    found = (_why_not(gemm, each, hardware) for each in OPERANDS if each in gemm.expanded)
    return "; ".join(filter(None, dict.fromkeys(found)))


def _why_not(gemm: Gemm, operand: Operand, hardware: Hardware) -> str:
    own, engine = gemm.format_of(operand), hardware.tensor_engine
    if not own.is_irregular:
        return ""
    exploits = engine.exploits
    if exploits.takes(own, engine.cols):
        if gemm.compressed and exploits.intersection is None:
            return f"{hardware.name} skips zeros of one operand at a time"
        return "faster multiplied densely than skipped"
    skipping = exploits.of_one(engine.cols)
    if skipping is not None:
        return f"blocks of {own.unit} along k do not fit the groups of {skipping.group} of {hardware.name}"
    return skips_none(hardware) if exploits.block is None else why_no_blocks(own, hardware)


def why_streamed_take_time(hardware: Hardware) -> str:
    """Why zeros of activations and gradients take time on a design; empty where it may skip them."""
    exploits = hardware.tensor_engine.exploits
    if exploits.intersection is not None:
        return ""
    if exploits.skips_none:
        return skips_none(hardware)
    return f"{hardware.name} skips zeros of stored weights alone"


def skips_none(hardware: Hardware) -> str:
    """That a design multiplies by zeros without a rule."""
    return f"{hardware.name} skips no zeros that lie without a rule"


def meets(gemm: Gemm, hardware: Hardware) -> bool:
    """Whether a design skips the zeros of both operands of a product: single elements without a rule."""
    both = hardware.tensor_engine.exploits.intersection
    return both is not None and gemm.compressed == "ab" and all(map(_is_single, (gemm.a, gemm.b)))


def _is_single(sparse: OperandFormat) -> bool:
    declared = sparse.declared if isinstance(sparse, Skipped) else sparse
    return type(declared) is Unstructured and declared.block == (1, 1)


def met_by(gemm: Gemm, hardware: Hardware) -> Gemm:
    """A product as a design meets it: what is sparse without a rule with what the PEs skip of it.

    Zeros that are found on the way in are skipped where those of both operands are; elsewhere they are values. Several
    arrays share its tiles; its kernel positions may have rows of their own.

    Args:
        gemm: as it is lowered.
        hardware: the design.
    """
    engine = hardware.tensor_engine
    both = engine.exploits.intersection
    if both is None and gemm.encoded_on_load:
        a, b = (DENSE if each in gemm.encoded_on_load else gemm.format_of(each) for each in OPERANDS)
        return met_by(replace(gemm, a=a, b=b, encoded_on_load=""), hardware)

    compressed = gemm.compressed

    def met(operand: Operand, extent: int) -> OperandFormat:
        declared = gemm.format_of(operand)
        if operand not in compressed or not isinstance(declared, Unstructured):
            return declared
        return skipped_as(declared.along(gemm.k), engine, min(engine.cols, extent)) or declared

    a, b = met("a", gemm.m), met("b", gemm.n)
    if both is not None and isinstance(b, Skipped) and meets(gemm, hardware):
        rows, cols = min(engine.rows, gemm.m), min(engine.cols, gemm.n)
        b = replace(b, meeting=Meeting(group=both.group, queue=both.queue, rows=rows, cols=cols))
    apart = engine.taps_apart and gemm.taps > 1 and gemm.tap_axis == "k"
    units, tap_rows = engine.units, engine.rows if apart else 1
    alike = (a, b, units, tap_rows) == (gemm.a, gemm.b, gemm.units, gemm.tap_rows)
    return gemm if alike else replace(gemm, a=a, b=b, units=units, tap_rows=tap_rows)


def skipped_as(declared: Unstructured, engine: TensorEngine, lanes: int) -> Skipped | SkippedBlocks | None:
    """A format as a design skips it, so many lanes side by side: the faster way where it has two; None where none."""
    unstructured, block = engine.exploits.of_one(engine.cols), engine.exploits.block
    ways: list[Skipped | SkippedBlocks] = []
    if unstructured is not None and unstructured.takes(declared):
        ways.append(Skipped.by(unstructured, declared, lanes))
    if block is not None and block.takes(declared):
        ways.append(SkippedBlocks(declared=declared, lanes=lanes))
    return min(ways, key=slot_share, default=None)


def slot_share(met: OperandFormat) -> float:
    """Of the time of a dense product, over a run of whole groups and queues."""
    run = met.unit * (met.queue if isinstance(met, Skipped) else 1)
    return float(met.slots(run)) / run
