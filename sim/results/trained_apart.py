"""What a result says of weights that training in torch leaves dense: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedApart:
    """Weights that a simulated step prunes and that ``bisparse.apply`` leaves dense.

    Attributes:
        parameters: their names.
        flop_bound_speedup: of a step that prunes what ``bisparse.apply`` prunes.
    """

    parameters: tuple[str, ...]
    flop_bound_speedup: float

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> TrainedApart:
        """From the plain data of a document."""
        return cls(**document | {"parameters": tuple(document["parameters"])})
