"""What a scheduled step takes of the card's memory, as figures of a result."""

from __future__ import annotations

from ...dataflow.footprint import MemoryPlan
from ...dataflow.schedule import Schedule
from ..results.memory_results import Memory, MemoryPoint


def step_memory(schedule: Schedule) -> Memory:
    """The step's footprint beside the card's capacity, and the largest batch that fits."""
    plan = MemoryPlan.of(schedule.pruned, schedule.hardware, schedule.optimizer)
    footprint = plan.footprint(schedule.batch)
    operator, stage = footprint.works[footprint.peak] if footprint.works else ("", "")
    curve = zip(footprint.works, zip(*footprint.within_step.values(), strict=True), strict=True)
    return Memory(
        peak_bytes=footprint.peak_bytes,
        peak_operator=operator,
        peak_stage=stage,
        capacity_bytes=plan.capacity_bytes,
        fits=footprint.peak_bytes <= plan.capacity_bytes,
        largest_batch=None if schedule.pruned.graph.fixed_batch else plan.largest_batch(),
        across_steps_bytes=sum(footprint.across_steps.values()),
        by_category={name: size for name, size in footprint.at_peak.items() if size},
        curve=tuple(
            MemoryPoint(
                operator=name,
                stage=at,
                bytes_by_category={
                    category: size for category, size in zip(footprint.within_step, sizes, strict=True) if size
                },
            )
            for (name, at), sizes in curve
        ),
    )
