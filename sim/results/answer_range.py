"""How far an answer moves within what its assumptions leave open, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MATTERS = 0.01
"""Of an answer: an assumption that moves it by less does not matter."""


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

    def moves(self, figure: str, nominal: float) -> float:
        """The most by which a figure leaves the nominal one, as a share of that."""
        return max((abs(each / nominal - 1) for each in getattr(self, figure) if each is not None), default=0.0)


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
        without_range: assumed parameters of which their files give no range and do not say why they have none.
        varied_with: parameters that are larger and smaller with one of the swings', in proportion.
        fixed: why an assumed parameter is not varied, by name.
        beside: intervals of other figures over the draws, by name.
    """

    draws: int
    refused: int
    seed: int
    speedup: Interval
    energy_ratio: Interval
    swings: tuple[Swing, ...]
    without_range: int
    varied_with: int = 0
    fixed: dict[str, str] = field(default_factory=dict)
    beside: dict[str, Interval] = field(default_factory=dict)

    def matter(self, figure: str, nominal: float, *, share: float = MATTERS) -> tuple[Swing, ...]:
        """Assumptions that move a figure (``speedups``, ``energy_ratios``) by a share of it or more, most first."""
        found = [each for each in self.swings if each.moves(figure, nominal) >= share]
        return tuple(sorted(found, key=lambda swing: -swing.width(figure, nominal)))

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> AnswerRange:
        """The range that a document was made of."""
        lists = ("values", "speedups", "energy_ratios")
        swings = tuple(Swing(**each | {name: tuple(each[name]) for name in lists}) for each in document["swings"])
        intervals: dict[str, Any] = {name: Interval(**document[name]) for name in ("speedup", "energy_ratio")}
        beside = {name: Interval(**each) for name, each in document.get("beside", {}).items()}
        return cls(**document | intervals | {"swings": swings, "beside": beside})
