"""The three kinds of numpy array that every room hands round, each named once, and a choice between two."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
"""Cycles, bytes and counts."""

FloatArray = npt.NDArray[np.float64]
"""Joules, seconds, shares and bounds."""

BoolArray = npt.NDArray[np.bool_]
"""Choices."""

Counts = Any
"""A number of one design, or an array, [S], of many: what goes in comes out. No type says so of arithmetic."""


def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    """``np.where``, under a name that a compiler may give a plain choice between two numbers."""
    return np.where(condition, then, otherwise)
