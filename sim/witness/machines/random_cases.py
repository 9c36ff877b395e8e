"""Random small products on random small machines: what the closed forms and the machine are compared on.

A case is a function of one integer. The corners where a cycle model is easily wrong are drawn on purpose, so that each
holds for at least a tenth of the cases (a test counts them): one fold, results that take longer to leave than to make,
an interleave beyond what the product offers, adders longer than the interleave, k shorter than a group, and folds that
reach past the edge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ....configs.arrays import FloatArray
from ....configs.pattern import DENSE, Pattern
from .machine import run
from .operands import Groups, prune
from .sequencer import issue_times
from .specification import Dataflow, Machine, Mapping, Operand, Outcome

Trait = Literal[
    "one fold",
    "drain longer than issue",
    "interleave beyond supply",
    "adder longer than interleave",
    "k below M",
    "edge folds",
]

GROUP_SIZES = (2, 3, 4, 8, 16)
LARGEST_MAGNITUDE = 9
"""Operands are small integers: sums are exact in any order, and products are compared without a tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One product on one machine; the operands follow from ``seed``.

    Attributes:
        machine: the tensor engine.
        mapping: how the product is laid on it, as asked for (cut to what there is when it runs).
        m: rows of A.
        n: columns of B.
        taps: kernel positions.
        channels: channels at a kernel position; k = taps * channels.
        pattern: N:M of the compressed operand; 1:1 when none is.
        compressed: the compressed operand.
        seed: fixes the operands.
    """

    machine: Machine
    mapping: Mapping
    m: int
    n: int
    taps: int
    channels: int
    pattern: Pattern
    compressed: Operand | None
    seed: int

    @property
    def k(self) -> int:
        """Length of the sums."""
        return self.taps * self.channels

    def operands(self) -> tuple[FloatArray, FloatArray]:
        """A [m, k] and B [k, n], the compressed one pruned to the pattern."""
        generator = np.random.default_rng(self.seed)
        a, b = (
            generator.integers(-LARGEST_MAGNITUDE, LARGEST_MAGNITUDE, shape, endpoint=True).astype(np.float64)
            for shape in ((self.m, self.k), (self.k, self.n))
        )
        groups = Groups(taps=self.taps, channels=self.channels, pattern=self.pattern)
        if self.compressed == "a":
            a = prune(a, groups)
        elif self.compressed == "b":
            b = prune(b.T, groups).T
        return a, b

    def run(self) -> Outcome:
        """Run the case on the register-level machine."""
        a, b = self.operands()
        return run(self.machine, self.mapping, a, b, taps=self.taps, pattern=self.pattern, compressed=self.compressed)


def random_case(seed: int) -> Case:
    """The case that an integer names.

    >>> random_case(7) == random_case(7)
    True
    """
    draw = np.random.default_rng(seed)

    def between(low: int, high: int) -> int:
        return int(draw.integers(low, high, endpoint=True))

    def chance(share: float) -> bool:
        return bool(draw.random() < share)

    dataflow: Dataflow = ("os", "ws", "is")[int(draw.choice(3, p=[0.5, 0.3, 0.2]))]
    compressed: Operand | None = (None, "a", "b")[int(draw.choice(3, p=[0.3, 0.3, 0.4]))]
    pattern = DENSE
    if compressed is not None:
        group = int(draw.choice(GROUP_SIZES))
        pattern = Pattern(group if chance(0.1) else between(1, max(1, group // 2)), group)
    taps, channels = between(1, 3), between(1, 12)
    if chance(0.3) and pattern.group > 1:
        taps, channels = 1, between(1, pattern.group - 1)

    short_sums = dataflow == "os" and chance(0.3)
    if short_sums:
        taps, channels = 1, between(1, 3)
    rows, cols = between(2, 5) if short_sums else between(1, 4), between(1, 4)
    slow_adder = chance(0.5)
    accumulate_latency = between(2, 6) if slow_adder else between(1, 3)
    mapping = Mapping(
        dataflow=dataflow,
        interleave_m=between(1, 3),
        interleave_n=between(1, 2),
        interleave=between(1, 5),
        resident_groups=between(1, 3),
    )
    if chance(0.2):
        m, n = between(1, rows), between(1, cols)
    else:
        m, n = between(1, 14), between(1, 12)
    overlapped = chance(0.6)
    drain: Literal["shift", "wire"] = "wire" if chance(0.25) else "shift"
    stationary_load: Literal["chain", "latch"] = "latch" if chance(0.5) else "chain"
    spare_registers = between(0, 2)
    case = Case(
        machine=Machine(
            rows=rows,
            cols=cols,
            mac_latency=accumulate_latency + between(0, 4),
            accumulate_latency=accumulate_latency,
            overlapped=overlapped,
            drain=drain,
            stationary_load=stationary_load,
        ),
        mapping=mapping,
        m=m,
        n=n,
        taps=taps,
        channels=channels,
        pattern=pattern,
        compressed=compressed,
        seed=seed,
    )
    return replace(case, machine=replace(case.machine, register_depth=fit(case).registers + spare_registers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a mapping is cut to its product.

    Attributes:
        interleave: accumulations that a PE really turns between.
        beyond_supply: whether the mapping asked for more.
        slots: accumulations that a PE issues for one result.
        registers: register depth that a PE needs.
        tiled: for each tiled dimension, what there is and what a fold covers.
    """

    interleave: int
    beyond_supply: bool
    slots: int
    registers: int
    tiled: tuple[tuple[int, int], tuple[int, int]]


def fit(case: Case) -> Fit:
    """Cut a case's mapping to its product, as the machine does."""
    machine, mapping = case.machine, case.mapping
    pattern = DENSE if case.pattern.is_dense else case.pattern
    groups = Groups(taps=case.taps, channels=case.channels, pattern=pattern)
    if mapping.dataflow == "os":
        turns_m = min(mapping.interleave_m, -(-case.m // machine.rows))
        turns_n = min(mapping.interleave_n, -(-case.n // machine.cols))
        return Fit(
            interleave=turns_m * turns_n,
            beyond_supply=turns_m < mapping.interleave_m or turns_n < mapping.interleave_n,
            slots=int(groups.kept().sum()),
            registers=turns_m * turns_n,
            tiled=((case.m, machine.rows * turns_m), (case.n, machine.cols * turns_n)),
        )
    moving, columns, moving_operand = (case.m, case.n, "a") if mapping.dataflow == "ws" else (case.n, case.m, "b")
    resident = min(mapping.resident_groups, -(-groups.count // machine.rows))
    slots = resident * pattern.kept
    return Fit(
        interleave=1 if slots == 1 else min(mapping.interleave, moving),
        beyond_supply=moving < mapping.interleave,
        slots=slots,
        registers=resident * (pattern.group if case.compressed == moving_operand else pattern.kept),
        tiled=((groups.count, machine.rows * resident), (columns, machine.cols)),
    )


def traits(case: Case) -> frozenset[Trait]:
    """The corners that a case sits in."""
    cut, machine = fit(case), case.machine
    issue = int(issue_times(cut.slots, cut.interleave, machine.accumulate_latency)[-1, -1]) + 1
    shifts_out = case.mapping.dataflow == "os" and machine.drain == "shift"
    holds: dict[Trait, bool] = {
        "one fold": all(extent <= fold for extent, fold in cut.tiled),
        "drain longer than issue": shifts_out and cut.interleave * machine.rows > issue,
        "interleave beyond supply": cut.beyond_supply,
        "adder longer than interleave": machine.accumulate_latency > cut.interleave,
        "k below M": case.k < case.pattern.group,
        "edge folds": any(extent % fold for extent, fold in cut.tiled),
    }
    return frozenset(trait for trait, found in holds.items() if found)
