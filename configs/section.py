"""The base of every model that a user's file is read into, and of each part of one.

What it holds them to: a value once read never changes, and a field that the model does not know is refused, so that
a slip of the pen in a file is told rather than ignored. How a file is read and its faults are told: ``schema``.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a file: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
