"""The figures of a step on one design, as plain numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..results.dense_step import StepTotals
from .step_figures import StepFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNumbers(StepTotals):
    """The figures of a step on one design; fields as in ``StepFigures``."""

    gemm_cycles: int
    gemm_energy_joules: float
    useful_macs: int
    issued_macs: int
    dense_macs: int

    @classmethod
    def of(cls, figures: StepFigures) -> StepNumbers:
        """Those of a step timed on one design."""
        return cls(**{name: getattr(figures, name) for name in _NAMES})

    @classmethod
    def of_designs(cls, figures: StepFigures, designs: int) -> list[StepNumbers]:
        """Those of a step timed on many designs, a design each."""
        columns = [_column(getattr(figures, name), designs) for name in _NAMES]
        return [cls(**dict(zip(_NAMES, row, strict=True))) for row in zip(*columns, strict=True)]


_NAMES = tuple(each.name for each in dataclasses.fields(StepNumbers))


def _column(value: Any, designs: int) -> list[Any]:
    """A figure of many designs, design by design, as plain numbers."""
    if isinstance(value, dict):
        columns = zip(*(_column(each, designs) for each in value.values()), strict=True)
        return [dict(zip(value, row, strict=True)) for row in columns]
    return value.tolist() if isinstance(value, np.ndarray) else [value] * designs
