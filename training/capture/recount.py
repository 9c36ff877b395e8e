"""Counting a shipped workload's multiply-accumulates again: one step on the meta device under torch's counter."""

from __future__ import annotations

from ..workloads import WORKLOADS
from .factories import load_factory
from .meta_module import on_meta
from .step import record_step


def recount_macs(name: str, batch: int) -> dict[str, int]:
    """Multiply-accumulates of a shipped workload's training step by pass, ``forward`` and ``backward``.

    Args:
        name: of the workload.
        batch: samples.
    """
    workload = WORKLOADS[name]
    step = record_step(on_meta(load_factory(workload.factory)), workload.inputs, batch=batch, loss=None, name=name)
    return {key: size.at(batch) for key, size in step.graph.counted_macs.items()}
