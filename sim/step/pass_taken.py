"""What of a network a schedule ran, as figures of a result."""

from __future__ import annotations

from ...dataflow.schedule import Schedule
from ...training.graph import Stage, TrainingGraph
from ...training.passes.choice import Passes
from ..results.memory_results import Memory
from ..results.pass_result import PassResult


def pass_taken(schedule: Schedule, captured: TrainingGraph, memory: Memory) -> PassResult | None:
    """What was run; None of a plain training step or forward pass.

    Args:
        schedule: of the step.
        captured: the network's graph before any pass.
        memory: of the step.
    """
    passes, graph, batch = schedule.passes, schedule.pruned.graph, schedule.batch
    if passes in (Passes(), Passes(name="inference")):
        return None
    learning, left = _learners(captured), _learners(graph)
    weights = {name: captured.tensors[name].elements(1) for name in learning}
    forward = captured.macs(batch, Stage.FORWARD)
    return PassResult(
        name=passes.name,
        freeze=passes.freeze,
        frozen_weights=sum(weights[name] for name in learning - left),
        weights=sum(weights.values()),
        accumulate=passes.accumulate,
        recompute=passes.recompute,
        recomputed_macs=graph.macs(batch, Stage.FORWARD) - forward if passes.recompute else 0,
        forward_macs=forward,
        kv_length=graph.cached_tokens,
        kv_cache_bytes=memory.by_category.get("kv_cache", 0),
    )


def _learners(graph: TrainingGraph) -> set[str]:
    return {op.parameter for op in graph.operators if op.stage is Stage.UPDATE and op.parameter is not None}
