"""What a result says of the card's memory and of what stays on chip: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPoint:
    """What lies in the card's memory during one work of the step, beyond what lasts across steps.

    Attributes:
        operator: that the work begins with.
        stage: of the operator.
        bytes_by_category: ``inputs``, ``activations``, ``gradients`` and ``weight_gradients``; those of zero are left
            out.
    """

    operator: str
    stage: str
    bytes_by_category: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the step takes of the card's memory.

    Attributes:
        peak_bytes: the most that lies in it at once.
        peak_operator: the work at which it does.
        peak_stage: of that work.
        capacity_bytes: of the card.
        fits: whether the peak is within the capacity.
        largest_batch: the largest batch whose step fits; 0 when not even one sample does, None of a network that is
            known at one batch alone.
        across_steps_bytes: of the peak, what lasts across steps.
        by_category: the peak by category.
        curve: a point a work, in execution order.
    """

    peak_bytes: int
    peak_operator: str
    peak_stage: str
    capacity_bytes: int
    fits: bool
    largest_batch: int | None
    across_steps_bytes: int
    by_category: dict[str, int]
    curve: tuple[MemoryPoint, ...]

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Memory:
        """From the plain data of a document."""
        return cls(**document | {"curve": tuple(MemoryPoint(**point) for point in document["curve"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class OnChip:
    """What stays on chip between the works of a step.

    Attributes:
        tensors: how many do.
        saved_bytes: DRAM bytes of the step that they save.
    """

    tensors: int
    saved_bytes: int
