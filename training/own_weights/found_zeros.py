"""The zeros of a weight: how many, and the tightest formats that they keep to along each axis.

A weight is looked at as [groups, outputs, inputs, taps]: groups of M run along the channels at a fixed kernel position,
as the products that multiply by it have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...configs.arrays import BoolArray
from ...configs.operand_format import OperandFormat
from ...configs.pattern import LARGEST_GROUP, Pattern
from ...configs.unstructured import LARGEST_BLOCK, Unstructured
from ..graph import Stage

MEANT = 0.95
"""Of what a format keeps, the share that is not zero: less is a format that happens to hold, and nobody's choice."""

WORTH_A_BITMAP = 1 / 16
"""Share of zeros below which a bit an element, beside values of 16 bits, takes more than the zeros would."""

_PERCENT_DIGITS = 4
"""Of a share of zeros; what ``Unstructured`` tells apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundZeros:
    """What was found of a weight.

    Attributes:
        elements: of the weight.
        zeros: of them.
        outputs: output channels, of all groups.
        inputs: input channels, of all groups.
        zero_outputs: output channels that are zero throughout.
        zero_inputs: input channels that are.
        along_inputs: N:M that hold in groups of input channels, the tightest first, of equal ones the smallest M.
        along_outputs: likewise of output channels.
        block: sides, along outputs and inputs, of the largest blocks that are zero as a whole or not at all; 1 and 1
            where zeros lie by themselves.
    """

    elements: int
    zeros: int
    outputs: int
    inputs: int
    zero_outputs: int = 0
    zero_inputs: int = 0
    along_inputs: tuple[Pattern, ...] = ()
    along_outputs: tuple[Pattern, ...] = ()
    block: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, kept: BoolArray) -> FoundZeros:
        """Of a weight [groups, outputs, inputs, taps], True where it is not zero."""
        groups, outputs, inputs, _ = kept.shape
        elements, zeros = kept.size, kept.size - int(np.count_nonzero(kept))
        return cls(
            elements=elements,
            zeros=zeros,
            outputs=groups * outputs,
            inputs=groups * inputs,
            zero_outputs=int(np.count_nonzero(~kept.any(axis=(2, 3)))),
            zero_inputs=int(np.count_nonzero(~kept.any(axis=(1, 3)))),
            along_inputs=_patterns(kept, axis=2) if zeros else (),
            along_outputs=_patterns(kept, axis=1) if zeros else (),
            block=_largest_block(kept) if 0 < zeros < elements else (1, 1),
        )

    @classmethod
    def without_axes(cls, kept: BoolArray) -> FoundZeros:
        """Of a weight of which nobody knows along which axis a product runs: its zeros are counted, no format found."""
        return cls(elements=kept.size, zeros=kept.size - int(np.count_nonzero(kept)), outputs=0, inputs=0)

    @property
    def share(self) -> float:
        """Share of zeros."""
        return self.zeros / self.elements if self.elements else 0.0

    @property
    def is_sparse(self) -> bool:
        """Whether zeros are worth a format: neither too few, nor all that there is."""
        return self.share >= WORTH_A_BITMAP and self.zeros < self.elements

    def along(self, stage: Stage) -> tuple[Pattern, ...]:
        """N:M that hold in the groups of a stage, FF or BP."""
        return self.along_inputs if stage is Stage.FORWARD else self.along_outputs

    def meant(self, stage: Stage) -> Pattern | None:
        """The tightest N:M in the groups of a stage, if what it keeps is not zero; None where none was meant."""
        held = self.along(stage)
        return held[0] if held and 1 - self.share >= MEANT * held[0].density else None

    @property
    def zero_channels(self) -> str:
        """``outputs`` or ``inputs`` where nearly all zeros are those of whole channels; empty elsewhere."""
        for axis, lost, of in (("outputs", self.zero_outputs, self.outputs), ("inputs", self.zero_inputs, self.inputs)):
            # What is left between the zero channels.
            left = self.elements - self.elements // max(of, 1) * lost
            if lost and self.elements - self.zeros >= MEANT * left:
                return axis
        return ""

    @property
    def anywhere(self) -> Unstructured:
        """The zeros as such without a rule; ``is_sparse`` must hold."""
        return Unstructured(round(100 * self.share, _PERCENT_DIGITS))

    @property
    def in_blocks(self) -> Unstructured:
        """The zeros as such of whole blocks."""
        return Unstructured(round(100 * self.share, _PERCENT_DIGITS), *self.block)

    def tightest(self, stage: Stage) -> OperandFormat | None:
        """The tightest format in the groups of a stage, which somebody meant; None of a dense weight."""
        if not self.is_sparse:
            return None
        return self.meant(stage) or self.in_blocks


def _patterns(kept: BoolArray, axis: int) -> tuple[Pattern, ...]:
    """N:M, N < M, that hold along an axis, for M of 2, 4, ... up to the axis; zeros fill up a short last group."""
    # Channels first: what is added lies in rows. A group of 2M keeps what its two groups of M do.
    counts: npt.NDArray[np.uint8] = np.ascontiguousarray(np.moveaxis(kept, axis, 0)).view(np.uint8)
    length, found, size = len(counts), [], 1
    while 2 * size <= min(LARGEST_GROUP, length):
        size *= 2
        if len(counts) % 2:
            counts = np.concatenate([counts, np.zeros_like(counts[:1])])
        counts = counts[::2] + counts[1::2]
        most = int(counts.max(initial=0))
        if 0 < most < size:
            found.append(Pattern(most, size))
    return tuple(sorted(found, key=lambda pattern: (pattern.density, pattern.group)))


def _largest_block(kept: BoolArray) -> tuple[int, int]:
    """Sides of the largest blocks, powers of two, of which those that are not zero throughout are full."""
    tall = _largest_side(kept, axis=1)
    wide = _largest_side(kept, axis=2)
    found = [(1, 1)]
    for rows in _sides(tall):
        # Blocks of half the size are blocks, too: the widest of each height will do.
        found += [(rows, cols) for cols in _sides(wide) if _are_blocks(kept, rows, cols)]
    return max(found, key=lambda sides: (sides[0] * sides[1], sides[1]))


def _largest_side(kept: BoolArray, axis: int) -> int:
    """Of blocks that are wider than one element along one axis alone."""
    largest = 1
    for side in _sides(kept.shape[axis]):
        if not _are_blocks(kept, *((side, 1) if axis == 1 else (1, side))):
            break
        largest = side
    return largest


def _sides(most: int) -> Iterator[int]:
    side = 1
    while side <= min(most, LARGEST_BLOCK):
        yield side
        side *= 2


def _are_blocks(kept: BoolArray, rows: int, cols: int) -> bool:
    """Whether blocks with anything in them are full."""
    if rows * cols == 1:
        return True
    alive = np.logical_or.reduceat(kept, np.arange(0, kept.shape[1], rows), axis=1)
    alive = np.logical_or.reduceat(alive, np.arange(0, kept.shape[2], cols), axis=2)
    tall = np.minimum(rows, kept.shape[1] - np.arange(0, kept.shape[1], rows))
    wide = np.minimum(cols, kept.shape[2] - np.arange(0, kept.shape[2], cols))
    covered = int((alive.sum(axis=(0, 3)) * tall[:, None] * wide[None, :]).sum())
    return int(np.count_nonzero(kept)) >= MEANT * covered
