"""How far an answer moves within what its assumptions leave open, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a figure lies when all assumptions are drawn at once.

    Attributes:
        low: the figure below which one draw in twenty lies.
        high: the figure above which one in twenty lies.
        least: the smallest drawn.
        most: the largest drawn.
    """

    low: float
    high: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """What an assumption alone does to the answer, all others as they are taken.

    Attributes:
        parameter: its name, as among the assumptions of a result.
        value: what it is taken for.
        values: what it was varied to.
        speedups: ``speedup_vs_dense`` at each; None where the design then cannot run the step.
        energy_ratios: ``energy_ratio_vs_dense`` at each, likewise.
    """

    parameter: str
    value: bool | int | float | str
    values: tuple[bool | int | float | str, ...]
    speedups: tuple[float | None, ...]
    energy_ratios: tuple[float | None, ...]

    def width(self, figure: str, nominal: float) -> float:
        """How far apart a figure's values are: ``speedups`` or ``energy_ratios``, the nominal one among them."""
        found = [each for each in getattr(self, figure) if each is not None]
        return max(nominal, *found) - min(nominal, *found) if found else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRange:
    """The range of an answer.

    Attributes:
        draws: designs that were drawn within all ranges at once.
        refused: those of them that cannot run the step, and are in no figure.
        seed: of the draws.
        speedup: ``speedup_vs_dense`` over the draws.
        energy_ratio: ``energy_ratio_vs_dense`` over the draws.
        swings: each assumption alone, what moves the speedup most first.
        without_range: assumed parameters that their files give no range; they are kept as they are taken.
    """

    draws: int
    refused: int
    seed: int
    speedup: Interval
    energy_ratio: Interval
    swings: tuple[Swing, ...]
    without_range: int

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> AnswerRange:
        """The range that a document was made of."""
        lists = ("values", "speedups", "energy_ratios")
        swings = tuple(Swing(**each | {name: tuple(each[name]) for name in lists}) for each in document["swings"])
        intervals = {name: Interval(**document[name]) for name in ("speedup", "energy_ratio")}
        return cls(**document | intervals | {"swings": swings})
