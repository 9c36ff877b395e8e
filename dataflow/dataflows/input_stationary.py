"""Input stationary: weight stationary with the operands' roles exchanged. A stays in the PEs, B streams past it."""

from __future__ import annotations

from .dataflow import transposed
from .weight_stationary import WEIGHT_STATIONARY

INPUT_STATIONARY = transposed(WEIGHT_STATIONARY, name="is", title="input stationary")
"""The dataflow ``is``."""
