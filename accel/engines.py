"""The engines beside the array: reduction (SORE), weight update (WUVE) and vector engine, as cycle counts.

Each streams: a lane takes an element a cycle, and memory may be slower. What memory costs is counted by the scheduler.
Lanes may be an array, an element a design.
Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from ..configs.arrays import Counts
from ..configs.errors import ConfigError
from .dram import DramTiming
from .specification import Hardware
from .tensor_engine import Count
from .vector_engine import VectorEngine, VectorOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """What a weight's update reads, writes and computes, in FP32; copies for the next step come on top.

    Attributes:
        read_bytes: master weight, gradient and state.
        write_bytes: master weight, and the state that changes.
        multiplies: multiplications (division and square root count as one each).
        accumulates: additions.
    """

    read_bytes: int
    write_bytes: int
    multiplies: int
    accumulates: int

    @property
    def state_bytes(self) -> int:
        """What it keeps of a weight across steps, beside the master weight."""
        return self.read_bytes - _MASTER_AND_GRADIENT_BYTES


_MASTER_AND_GRADIENT_BYTES = 8

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(read_bytes=8, write_bytes=4, multiplies=1, accumulates=1),
    "sgd-momentum": Optimizer(read_bytes=12, write_bytes=8, multiplies=2, accumulates=2),
    "adam": Optimizer(read_bytes=16, write_bytes=12, multiplies=8, accumulates=3),
    "adam-watched": Optimizer(read_bytes=16, write_bytes=12, multiplies=8, accumulates=5),
    "adam-frozen": Optimizer(read_bytes=16, write_bytes=8, multiplies=5, accumulates=2),
}
"""Optimizers by name. SGD: w, g. Momentum adds its buffer, Adam two moments.

Adam: m and v take 2 and 3 multiplications and an addition each, then a square root, a division, the learning rate and
a subtraction; corrections of the bias are in the rate. STEP (Lu et al., ICML 2023) takes ``adam-watched`` until its
switch: it also sums |v_t - v_(t-1)|, a subtraction and an addition; both moments are at hand, so nothing more is
moved. After it ``adam-frozen``: v is read and never changes.
"""


def optimizer(name: str) -> Optimizer:
    """The optimizer of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in OPTIMIZERS:
        raise ConfigError(f"optimizer: got {name!r}, need one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]


def reduction_cycles(lanes: Count, elements: Count, group: int) -> Count:
    """Cycles to reduce a stream: M cycles for a group, a group a lane.

    >>> reduction_cycles(32, 1024, 8)
    32
    """
    return -(-elements // (group * lanes)) * group


def update_cycles(lanes: Counts, weights: int) -> Counts:
    """Cycles to update a tensor: a weight a lane a cycle.

    >>> update_cycles(32, 1000)
    32
    """
    return -(-weights // lanes)


def vector_operation(engine: VectorEngine, kind: str) -> VectorOperation:
    """The price of a kind; kinds without one are priced as ``unknown``."""
    return engine.operations.get(kind, engine.operations["unknown"])


def vector_cycles(lanes: Counts, operations: float) -> Counts:
    """Cycles for that many lane operations.

    >>> vector_cycles(32, 100.5)
    4
    """
    if not isinstance(lanes, np.ndarray):
        return math.ceil(operations / lanes)
    cycles = np.ceil(operations / lanes)
    if cycles.max(initial=0) >= LARGEST_COUNT:
        raise OverflowError(f"got {cycles.max():g} cycles of the vector lanes, need fewer than 2^63")
    return cycles.astype(np.int64)


LARGEST_COUNT = 2.0**63
"""Counts of many designs are 64-bit integers; those of one design are Python's, which have no largest."""


def longest(*counts: Counts) -> Counts:
    """The largest of some counts, design by design where any of them is an array.

    >>> longest(10**20, 3)
    100000000000000000000
    """
    if any(isinstance(count, np.ndarray) for count in counts):
        return functools.reduce(np.maximum, counts)
    return max(counts)


# What works share -----------------------------------------------------------------------------------------------------

TENSOR = "tensor"
"""The engine that runs matrix products."""

ENGINES: dict[str, str] = {
    TENSOR: "tensor",
    "vector": "vector",
    "update": "update",
    "reduction": "reduction",
    "dram": "DRAM",
}
"""Everything that can be busy, in words."""

RESOURCES = tuple(name for name in ENGINES if name != TENSOR)
"""What the works of a step share beside the tensor engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a piece of work that streams asks of the shared resources.

    Attributes:
        lane_operations: lane cycles of the vector engine.
        update_weights: weights that the update engine takes.
        reductions: (elements, N, M) of each pass of the reduction engine.
        read_bytes: from DRAM; of many designs an array, [S].
        write_bytes: to DRAM; the same.
    """

    lane_operations: float = 0.0
    update_weights: int = 0
    reductions: tuple[tuple[int, int, int], ...] = ()
    read_bytes: Counts = 0
    write_bytes: Counts = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The shared resources of a design, or of many: an array, [S], for each number then.

    Attributes:
        vector_lanes: of the vector engine.
        update_lanes: of the update engine.
        reduction_lanes: of the reduction engine.
        memory: timing of DRAM.
    """

    vector_lanes: Counts
    update_lanes: Counts
    reduction_lanes: Counts
    memory: DramTiming

    @classmethod
    def of(cls, hardware: Hardware) -> Engines:
        """Those of one design."""
        return cls(
            vector_lanes=hardware.vector_engine.lanes,
            update_lanes=hardware.update_engine.lanes,
            reduction_lanes=hardware.reduction_engine.lanes,
            memory=DramTiming.of(hardware),
        )

    def busy_cycles(self, demand: Demand) -> dict[str, Counts]:
        """Cycles that each of ``RESOURCES`` is busy with a demand, whatever the others do."""
        passes = (reduction_cycles(self.reduction_lanes, elements, group) for elements, _, group in demand.reductions)
        return {
            "vector": vector_cycles(self.vector_lanes, demand.lane_operations),
            "update": update_cycles(self.update_lanes, demand.update_weights),
            "reduction": sum(passes),
            "dram": self.memory.stream_cycles(demand.read_bytes, demand.write_bytes),
        }
