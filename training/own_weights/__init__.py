"""Weights that a user brings: read without running code of their file, their zeros counted and named. Free of torch."""

from __future__ import annotations

from .reading import OwnWeights, load_weights

__all__ = ["OwnWeights", "load_weights"]
