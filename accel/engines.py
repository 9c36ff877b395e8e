"""The engines beside the array: reduction (SORE), weight update (WUVE) and vector engine, as cycle counts.

Each streams: a lane takes an element a cycle, and memory may be slower. What memory costs is counted by the scheduler.
Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..configs.errors import ConfigError
from .specification import ReductionEngine, UpdateEngine, VectorEngine, VectorOperation

IntArray = npt.NDArray[np.int64]


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


def reduction_cycles(engine: ReductionEngine, elements: IntArray | int, group: int) -> IntArray | int:
    """Cycles to reduce a stream: M cycles for a group, a group a lane.

    >>> reduction_cycles(ReductionEngine(lanes=32, largest_group=16), 1024, 8)
    32
    """
    return -(-elements // (group * engine.lanes)) * group


def update_cycles(engine: UpdateEngine, weights: int) -> int:
    """Cycles to update a tensor: a weight a lane a cycle.

    >>> update_cycles(UpdateEngine(lanes=32), 1000)
    32
    """
    return -(-weights // engine.lanes)


def vector_operation(engine: VectorEngine, kind: str) -> VectorOperation:
    """The price of a kind; kinds without one are priced as ``unknown``."""
    return engine.operations.get(kind, engine.operations["unknown"])


def vector_cycles(engine: VectorEngine, operations: float) -> int:
    """Cycles for that many lane operations."""
    return math.ceil(operations / engine.lanes)
