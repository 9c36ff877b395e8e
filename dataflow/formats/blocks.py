"""Zeros in whole blocks on an array whose control leaves out steps of k in which no column has anything to multiply.

The sparse operand enters from the north, a lane a column of PEs, and all columns take the same stream of the other one.
A stretch of k as long as a block is left out where the blocks of all columns of a fold are zero; where one is kept all
columns pass it. So with g different blocks side by side in a fold a stretch is passed with probability 1 - (1 - d)^g:
blocks as wide as the array are skipped one and all, narrower ones seldom. Source: docs/hardware-model.md, "Zeros in
blocks".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...accel.specification import Hardware
from ...configs.arrays import Counts
from ...configs.operand_format import OperandFormat
from ...configs.unstructured import Unstructured
from ...training.own_weights.measured import Measured
from .declared import AsDeclared


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedBlocks(AsDeclared):
    """Zeros in blocks as the control of an array leaves them out.

    Attributes:
        declared: the format; blocks as lanes by elements of k.
        lanes: side by side in a fold: columns of PEs, or fewer where the operand has fewer.
    """

    declared: Unstructured
    lanes: int

    @property
    def unit(self) -> int:
        """A block along k."""
        return self.declared.cols

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Blocks along k."""
        return self.declared.groups(channels, taps)

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Steps of k that are not left out, expected or of a very tensor counted, rounded up; at least 1."""
        steps = channels * taps
        # What is whole but for a rounding error is whole.
        found = np.ceil(np.asarray(steps) * self.passed_share - 1e-9).astype(np.int64)
        found = np.minimum(np.maximum(found, 1), steps)
        return found if isinstance(steps, np.ndarray) else int(found)

    @property
    def passed_share(self) -> float:
        """Of the stretches of k those that a fold passes, on average."""
        if isinstance(self.declared, Measured):
            return _counted_share(self.declared, self.declared.cols, self.lanes)
        blocks = _side_by_side(self.declared.rows, self.lanes)
        return 1.0 - math.pow(1.0 - self.density, blocks)


def _side_by_side(span: int, lanes: int) -> int:
    """Blocks of so many lanes each that a fold has at most."""
    return math.ceil(lanes / span) + (0 if lanes % span == 0 or span % lanes == 0 else 1)


@lru_cache(maxsize=4096)
def _counted_share(measured: Measured, block: int, lanes: int) -> float:
    """Of all steps of k in all folds of a tensor those that lie in a stretch in which a lane keeps something."""
    kept = measured.kept()
    groups, outputs, channels, taps = kept.shape
    passed = 0
    for fold in range(0, outputs, lanes):
        for first in range(0, channels, block):
            stretch = kept[:, fold : fold + lanes, first : first + block]
            passed += int(stretch.any(axis=(1, 2)).sum()) * stretch.shape[2]
    return float(passed / (math.ceil(outputs / lanes) * groups * channels * taps))


def why_no_blocks(declared: OperandFormat, hardware: Hardware) -> str:
    """Why a design that skips blocks multiplies by these zeros."""
    skipping = hardware.tensor_engine.exploits.block
    assert skipping is not None, "it skips blocks"
    return f"zeros of {declared} are no whole blocks of {' or '.join(skipping.sizes)}, which {hardware.name} skips"
