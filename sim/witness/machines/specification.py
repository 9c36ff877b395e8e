"""What the register-level machine is (``Machine``), is asked to do (``Mapping``) and answers (``Outcome``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ....configs.arrays import FloatArray
from ....configs.errors import ConfigError, MappingError

Dataflow = Literal["os", "ws", "is"]
Operand = Literal["a", "b"]


class HazardError(RuntimeError):
    """A register was read before it was written, or overwritten before it was read: the machine was driven wrongly.

    Never a user's mistake. The machine's own sequencers avoid every hazard; the checks are there to prove it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A tensor engine of ``rows`` x ``cols`` processing elements (PEs).

    Attributes:
        rows: R, PEs from north to south.
        cols: C, PEs from west to east.
        mac_latency: P, cycles from the issue of a multiply-accumulate to a usable result; the last L are the adder.
        accumulate_latency: L, stages of the adder; 1 <= L <= P.
        register_depth: D, partial sums (output stationary) or stationary values (weight stationary) that a PE holds.
        overlapped: whether shadow registers let a fold begin while the one before empties.
        drain: how output-stationary results leave, shifted down the column or by a wire from every PE.
        stationary_load: how stationary values arrive, down a rigid shift chain or into row-addressed latches.
    """

    rows: int
    cols: int
    mac_latency: int = 1
    accumulate_latency: int = 1
    register_depth: int = 1
    overlapped: bool = False
    drain: Literal["shift", "wire"] = "shift"
    stationary_load: Literal["chain", "latch"] = "chain"

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "accumulate_latency", "register_depth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: got {getattr(self, name)}, need at least 1")
        if self.accumulate_latency > self.mac_latency:
            raise ConfigError(
                f"accumulate_latency: got {self.accumulate_latency}, need at most mac_latency = {self.mac_latency}: "
                "the adder is part of the pipeline"
            )
        if self.drain not in ("shift", "wire"):
            raise ConfigError(f"drain: got {self.drain!r}, need 'shift' or 'wire'")
        if self.stationary_load not in ("chain", "latch"):
            raise ConfigError(f"stationary_load: got {self.stationary_load!r}, need 'chain' or 'latch'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How a product is laid on the machine. An interleave or residency beyond what the product offers is cut to it.

    Attributes:
        dataflow: output, weight or input stationary; the last is weight stationary with the operands exchanged.
        interleave_m: Im, output rows that a PE turns between (output stationary).
        interleave_n: In, output columns that a PE turns between (output stationary).
        interleave: I, moving vectors that a PE turns between (weight and input stationary).
        resident_groups: g, groups along k that a PE holds (weight and input stationary); elements when dense.
    """

    dataflow: Dataflow
    interleave_m: int = 1
    interleave_n: int = 1
    interleave: int = 1
    resident_groups: int = 1

    def __post_init__(self) -> None:
        if self.dataflow not in ("os", "ws", "is"):
            raise ConfigError(f"dataflow: got {self.dataflow!r}, need 'os', 'ws' or 'is'")
        for name in ("interleave_m", "interleave_n", "interleave", "resident_groups"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: got {getattr(self, name)}, need at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of the machine gave.

    Attributes:
        product: C = A.B as it left the array and the output buffer, [m, n].
        cycles: cycles from the first action to the last result usable at the output edge.
        fold_starts: the cycle in which the first multiply-accumulate of each fold issued.
        west_words: values other than zero that the west edge sent; indices are not counted.
        north_words: the same of the north edge.
        sums: sums other than zero that left the array; lanes beyond the edge of the product make none.
    """

    product: FloatArray
    cycles: int
    fold_starts: tuple[int, ...]
    west_words: int
    north_words: int
    sums: int


def require_registers(needed: int, machine: Machine, what: str) -> None:
    """Refuse a mapping that needs more registers than a PE has.

    Raises:
        MappingError: ``needed`` is above the machine's register depth.
    """
    if needed > machine.register_depth:
        raise MappingError(
            f"register_depth: got {machine.register_depth}, need {needed} for {what}; "
            "try a smaller interleave or fewer resident groups"
        )
