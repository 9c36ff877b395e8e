"""Zeros without a rule on an array that skips them: how many slots they take, and what is cut along k.

The sparse operand enters from the north, a lane a column of PEs. A PE selects among M elements of the other operand and
multiplies by what its column keeps of them, one a slot; a column that keeps fewer waits for the fullest of its lockstep
group, once a group of M, or once a queue of such groups. Rows of PEs share their column's zeros. Source:
docs/hardware-model.md, "Zeros without a rule".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...accel.specification import Hardware, TensorEngine, UnstructuredSkipping
from ...configs.arrays import Counts
from ...configs.balanced import Balanced
from ...configs.operand_format import OperandFormat
from ...configs.unstructured import Unstructured
from ...training.own_weights.measured import Measured
from ..gemm import Gemm
from .balanced import balanced_slots
from .blocks import SkippedBlocks, why_no_blocks
from .counted import counted_slots
from .declared import AsDeclared
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
    """

    declared: Unstructured
    group: int
    queue: int
    lockstep: int
    lanes: int

    @classmethod
    def by(cls, skipping: UnstructuredSkipping, declared: Unstructured, lanes: int) -> Skipped:
        """As an engine skips it, so many lanes side by side."""
        group, queue, lockstep = skipping.group, skipping.queue, min(skipping.lockstep, lanes)
        return cls(declared=declared, group=group, queue=queue, lockstep=lockstep, lanes=lanes)

    @property
    def unit(self) -> int:
        """A group, or a block that is longer."""
        return math.lcm(self.group, self.declared.cols)

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Groups of M, short ones included."""
        return taps * -(-channels // self.group)

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Slots of the slowest lockstep group, expected or of a very tensor counted, rounded up.

        Never above the dense count, at least 1.
        """
        found = np.frompyfunc(lambda each, times: _slots(self, int(each), int(times)), 2, 1)(channels, taps)
        return found.astype(np.int64) if isinstance(found, np.ndarray) else found

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
    if gemm.expanded is None or not gemm.pattern.is_irregular:
        return ""
    exploits = hardware.tensor_engine.exploits
    if exploits.takes(gemm.pattern):
        return "faster multiplied densely than skipped"
    if exploits.unstructured is not None:
        groups = f"the groups of {exploits.unstructured.group} of {hardware.name}"
        return f"blocks of {gemm.pattern.unit} along k do not fit {groups}"
    if exploits.block is not None:
        return why_no_blocks(gemm.pattern, hardware)
    return skips_none(hardware)


def skips_none(hardware: Hardware) -> str:
    """That a design multiplies by zeros without a rule."""
    return f"{hardware.name} skips no zeros that lie without a rule"


def met_by(gemm: Gemm, hardware: Hardware) -> Gemm:
    """A product as a design meets it: what is sparse without a rule with what the PEs skip of it.

    Args:
        gemm: as it is lowered.
        hardware: the design.
    """
    engine, declared = hardware.tensor_engine, gemm.pattern
    if gemm.compressed is None or not isinstance(declared, Unstructured):
        return gemm
    lanes = min(engine.cols, gemm.n if gemm.compressed == "b" else gemm.m)
    met = skipped_as(declared.along(gemm.k), engine, lanes)
    return gemm if met is None else replace(gemm, pattern=met)


def skipped_as(declared: Unstructured, engine: TensorEngine, lanes: int) -> Skipped | SkippedBlocks | None:
    """A format as a design skips it, so many lanes side by side: the faster way where it has two; None where none."""
    unstructured, block = engine.exploits.unstructured, engine.exploits.block
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
