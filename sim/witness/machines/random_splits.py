"""Random small products whose k is split over groups of columns: a case of ``random_cases`` on a wider array."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .random_cases import Case, random_case
from .shared_depth import run_split
from .specification import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCase:
    """A case, and over how many groups of columns its k is split.

    Attributes:
        case: its machine has columns enough.
        split: groups.
    """

    case: Case
    split: int

    def run(self) -> Outcome:
        """Run it on the register-level machine."""
        case = self.case
        a, b = case.operands()
        return run_split(
            case.machine,
            case.mapping,
            a,
            b,
            split=self.split,
            taps=case.taps,
            pattern=case.pattern,
            compressed=case.compressed,
        )


def random_split(seed: int) -> SplitCase:
    """The case that an integer names.

    >>> random_split(7) == random_split(7)
    True
    """
    case, draw = random_case(seed), np.random.default_rng([seed, 1])
    split = int(draw.integers(2, 5))
    outputs = case.m if case.mapping.dataflow == "is" else case.n
    cols = split * outputs + int(draw.integers(0, 4))
    return SplitCase(case=replace(case, machine=replace(case.machine, cols=cols)), split=split)
