"""Random small products that several arrays share, kernel positions in rows of their own or not.

The cases of ``random_cases``. Each array is the register-level machine with its part of the rows or columns of the
product, and all of its depth. Where kernel positions lie apart, the stationary operand has zeros in the rows that a
position leaves over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from ....configs.arrays import FloatArray
from .machine import run
from .random_cases import Case, random_case


class Together(NamedTuple):
    """What several arrays found: the product put together, and the cycles of the one that takes longest."""

    product: FloatArray
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsCase:
    """A case, how many arrays share it, along which axis, and how its kernel positions lie.

    Attributes:
        case: on one of the arrays.
        units: arrays.
        along: the axis of the product that they share out.
        apart: whether a fold holds stationary values of one kernel position alone.
    """

    case: Case
    units: int
    along: Literal["m", "n"]
    apart: bool

    def run(self) -> Together:
        """Run every array."""
        case = self.case
        a, b = (each if not self.apart else self._in_rows(each) for each in self._operands())
        product, cycles = np.zeros((case.m, case.n)), 0
        for part in self._parts():
            rows, cols = (part, slice(None)) if self.along == "m" else (slice(None), part)
            own = run(
                case.machine,
                case.mapping,
                a[:, rows].T,
                b[:, cols],
                taps=case.taps,
                pattern=case.pattern,
                compressed=case.compressed,
            )
            product[rows, cols], cycles = own.product, max(cycles, own.cycles)
        return Together(product, cycles)

    def _operands(self) -> tuple[FloatArray, FloatArray]:
        """[k, m] and [k, n]."""
        a, b = self.case.operands()
        return a.T, b

    def _in_rows(self, operand: FloatArray) -> FloatArray:
        """An operand [k, ...] with zeros behind the channels of each kernel position, up to whole rows of groups."""
        case = self.case
        spare = -case.channels % (_group(case) * case.machine.rows)
        by_tap = operand.reshape(case.taps, case.channels, -1)
        return np.pad(by_tap, ((0, 0), (0, spare), (0, 0))).reshape(case.taps * (case.channels + spare), -1)

    def _parts(self) -> Iterator[slice]:
        extent = self.case.m if self.along == "m" else self.case.n
        part = -(-extent // self.units)
        return (slice(begin, min(begin + part, extent)) for begin in range(0, extent, part))


def _group(case: Case) -> int:
    """Channels of a group; N = M lies as dense."""
    return 1 if case.pattern.is_dense else case.pattern.group


def random_units(seed: int) -> UnitsCase:
    """The case that an integer names.

    >>> random_units(7) == random_units(7)
    True
    """
    case, draw = random_case(seed), np.random.default_rng([seed, 2])
    apart = case.mapping.dataflow != "os" and bool(draw.random() < 0.5)
    if apart:
        # There are more groups than the case has: no more than registers hold of them may be resident.
        held = max(1, case.machine.register_depth // _group(case))
        resident = min(case.mapping.resident_groups, held)
        case = replace(case, mapping=replace(case.mapping, resident_groups=resident))
    return UnitsCase(
        case=case,
        units=int(draw.integers(2, 4, endpoint=True)),
        along="m" if draw.random() < 0.5 else "n",
        apart=apart,
    )
