"""The engines beside the array: reduction (SORE), weight update (WUVE) and vector engine, as cycle counts.

Each streams: a lane takes an element a cycle, and memory may be slower. What memory costs is counted by the scheduler.
Lanes may be an array, an element a design.
Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..configs.errors import ConfigError
from .specification import VectorEngine, VectorOperation
from .tensor_engine import Count

CountOf = TypeVar("CountOf", int, npt.NDArray[np.int64])
"""A count of one design, or an array with an element a design."""


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


def update_cycles(lanes: CountOf, weights: int) -> CountOf:
    """Cycles to update a tensor: a weight a lane a cycle.

    >>> update_cycles(32, 1000)
    32
    """
    return -(-weights // lanes)


def vector_operation(engine: VectorEngine, kind: str) -> VectorOperation:
    """The price of a kind; kinds without one are priced as ``unknown``."""
    return engine.operations.get(kind, engine.operations["unknown"])


def vector_cycles(lanes: CountOf, operations: float) -> CountOf:
    """Cycles for that many lane operations.

    >>> vector_cycles(32, 100.5)
    4
    """
    if isinstance(lanes, np.ndarray):
        return np.ceil(operations / lanes).astype(np.int64)
    return math.ceil(operations / lanes)
