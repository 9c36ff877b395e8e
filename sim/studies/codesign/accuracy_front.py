"""Which points of a study are worth a second look: the Pareto front, and how soon each reaches an accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .codesign import Codesign, CodesignPoint

TARGET_SHARES = (0.95, 0.99)
"""Of dense training's final validation accuracy: what a point's time to accuracy is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """When a point first reached an accuracy.

    Attributes:
        epoch: the first whose mean validation accuracy is not below it.
        seconds: simulated, to the end of that epoch.
        joules: over the same steps.
    """

    epoch: int
    seconds: float
    joules: float


def training_seconds(point: CodesignPoint) -> float:
    """What a front in time weighs accuracy against."""
    return point.training_seconds


def training_joules(point: CodesignPoint) -> float:
    """What a front in energy weighs accuracy against."""
    return point.training_joules


def beats(other: tuple[float, float], own: tuple[float, float]) -> bool:
    """Whether an accuracy at a cost is as good for less as another, or better for as much.

    >>> beats((0.9, 1.0), (0.9, 2.0)), beats((0.9, 1.0), (0.9, 1.0)), beats((0.8, 1.0), (0.9, 2.0))
    (True, False, False)
    """
    return other != own and other[0] >= own[0] and other[1] <= own[1]


def pareto_front(
    points: Sequence[CodesignPoint], cost: Callable[[CodesignPoint], float] = training_seconds
) -> tuple[CodesignPoint, ...]:
    """The points that no other beats: none is as accurate, on the mean, for less, nor more accurate for as much.

    Args:
        points: of a study.
        cost: what is to be small.

    Returns:
        The front, the cheapest first, and so the least accurate first. Equal points are all on it.
    """

    def beaten(point: CodesignPoint) -> bool:
        own = (point.accuracy.mean, cost(point))
        return any(beats((other.accuracy.mean, cost(other)), own) for other in points)

    return tuple(sorted((point for point in points if not beaten(point)), key=cost))


def time_to_accuracy(point: CodesignPoint, target: float) -> Reached | None:
    """When a point's mean validation accuracy first reached a target; None when it never did.

    A schedule's early epochs may cost as much as dense ones: the time to an epoch is that of the steps before it.

    Args:
        point: of a study.
        target: a share of the validation split.
    """
    for each in point.curve:
        if each.validation_accuracy >= target:
            return Reached(epoch=each.epoch, seconds=each.seconds, joules=each.joules)
    return None


def target_accuracy(study: Codesign, share: float) -> float:
    """A share of the final validation accuracy of dense training, with the study's own optimizer."""
    return share * study.baseline.curve[-1].validation_accuracy
