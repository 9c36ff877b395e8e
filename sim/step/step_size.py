"""The largest step whose counts are exact."""

from __future__ import annotations

from bisect import bisect_left

from ...configs.errors import ConfigError
from ...training.graph import TrainingGraph

LARGEST_STEP = 10**16
"""Multiply-accumulates, elements of one tensor, and elements of all vector operations that a step may have. What is
counted of each (bytes, hops down the array, passes) is below 900 times that on any array of up to 512 rows, and so fits
the 64-bit integers of the model."""


def check_step_size(graph: TrainingGraph, batch: int) -> None:
    """Refuse a step too large to be counted.

    Raises:
        ConfigError: it is; the message gives the largest batch that is not.
    """
    if _fits(graph, batch):
        return
    if not _fits(graph, 1):
        raise ConfigError(
            f"workload: got {graph.name}, need a step of at most {LARGEST_STEP:.0e} MACs, and elements, at batch 1"
        )
    # From 1, so that the number of batch sizes that fit is the largest of them.
    tried = range(1, min(batch, LARGEST_STEP))
    most = bisect_left(tried, True, key=lambda each: not _fits(graph, each))
    raise ConfigError(
        f"batch: got {batch}, need at most {most}: a larger step of {graph.name} passes the "
        f"{LARGEST_STEP:.0e} MACs, or elements, up to which counts are exact"
    )


def _fits(graph: TrainingGraph, batch: int) -> bool:
    largest = max((tensor.elements(batch) for tensor in graph.tensors.values()), default=0)
    touched = sum(operator.elements.at(batch) for operator in graph.operators)
    return max(graph.macs(batch), largest, touched) <= LARGEST_STEP
