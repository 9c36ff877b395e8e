"""Claims and answers worked out for drawn designs, from the figures of their runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean
from typing import Any

from ....accel.design_fields import MISSING, as_value, value_at
from ....configs.complaints import shown
from ....configs.errors import ConfigError
from ....configs.near import near
from ....configs.schema import Loaded
from ..explore.axis_values import Settings, Value
from ..explore.expressions import Expression
from ..explore.fields import HARDWARE
from ..explore.figures import FIGURES
from ..explore.point import Figures, Point
from .claims import Answer, Claim, Claims

_MOST_SUBSETS = 1 << 14
"""Of the runs of a claim: more would take longer than the simulations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A claim of one design.

    Attributes:
        value: that the claim is about: the mean, of several the one that is furthest off, or of some that suit best.
        miss: how far that is outside of what is claimed, as a share of the bound; 0 where the design agrees.
    """

    value: float
    miss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One number that is asked for.

    Attributes:
        name: in a few words.
        value: what it is.
        runs: which of the scenarios it is the mean of.
    """

    name: str
    value: Expression
    runs: tuple[int, ...]


class Judge:
    """What a claim file asks, ready to be worked out."""

    def __init__(self, loaded: Loaded[Claims], scenarios: Sequence[Settings]) -> None:
        """Of a file, over the runs that its designs have.

        Raises:
            ConfigError: an expression is none, or there are no such runs; the message gives file and line.
        """
        self.loaded, self.scenarios = loaded, tuple(scenarios)
        self.claims = tuple(
            (each, self._expression(("claims", number), each.value), self._runs(("claims", number), each.where))
            for number, each in enumerate(loaded.model.claims)
        )
        for number, (claim, _, runs) in enumerate(self.claims):
            self._check_some(number, claim, runs)
        self.asked = tuple(
            asked for number, each in enumerate(loaded.model.answers) for asked in self._answers(number, each)
        )

    def judged(self, number: int, figures: Sequence[Figures], point: Callable[[], Point]) -> Judged:
        """A claim of a design.

        Args:
            number: of the claim.
            figures: of each run.
            point: makes the design, for an expression that names fields of it.

        Raises:
            ConfigError: the expression has no value there.
        """
        claim, value, runs = self.claims[number]
        values = [float(value.evaluate(_Names(figures[run], point))) for run in runs]
        if claim.over == "mean":
            offered = [fmean(values)]
        elif claim.over == "every":
            return max((_judged(claim, each) for each in values), key=lambda found: found.miss)
        else:
            # The largest first: of means that suit alike it is the one of most runs.
            offered = [
                fmean(some)
                for size in range(len(values), claim.at_least - 1, -1)
                for some in combinations(values, size)
            ]
        return min((_judged(claim, each) for each in offered), key=lambda found: found.miss)

    def answered(self, asked: Asked, figures: Sequence[Figures], point: Callable[[], Point]) -> float:
        """An answer of a design; arguments and errors as for ``judged``."""
        return fmean(float(asked.value.evaluate(_Names(figures[run], point))) for run in asked.runs)

    # Reading ---------------------------------------------------------------------------------------------------------

    def _answers(self, number: int, answer: Answer) -> list[Asked]:
        value = self._expression(("answers", number), answer.value)
        runs = self._runs(("answers", number), answer.where)
        if answer.over == "mean":
            return [Asked(name=answer.name, value=value, runs=runs)]
        return [
            Asked(name=f"{answer.name}, {self._told_apart(run, answer.where)}", value=value, runs=(run,))
            for run in runs
        ]

    def _told_apart(self, run: int, where: dict[str, Any]) -> str:
        """What tells a run from the others."""
        words = [
            str(value)
            for name, value in self.scenarios[run].items()
            if name not in where and len({each.get(name) for each in self.scenarios}) > 1
        ]
        return " ".join(words) or "alone"

    def _expression(self, path: tuple[str | int, ...], text: str) -> Expression:
        try:
            found = Expression.parse(text)
            known = {*FIGURES, *(each for each in found.names if each.startswith(HARDWARE))}
            unknown = next((each for each in found.names if each not in known), None)
            if unknown is not None:
                raise ConfigError(f"got {unknown}, need a figure or a field of the hardware{near(unknown, FIGURES)}")
        except ConfigError as error:
            raise self._error((*path, "value"), str(error)) from None
        return found

    def _runs(self, path: tuple[str | int, ...], where: dict[str, Any]) -> tuple[int, ...]:
        for name in where:
            if not any(name in each for each in self.scenarios):
                known = ", ".join(dict.fromkeys(name for each in self.scenarios for name in each))
                raise self._error((*path, "where"), f"got {name}, need one of {known or 'none: there is one run'}")
        found = tuple(
            number
            for number, each in enumerate(self.scenarios)
            if all(each.get(name) in _listed(value) for name, value in where.items())
        )
        if not found:
            raise self._error((*path, "where"), f"got {shown(where)}, which is no run, need some of those under runs")
        return found

    def _check_some(self, number: int, claim: Claim, runs: tuple[int, ...]) -> None:
        if claim.over != "some":
            return
        if claim.at_least > len(runs):
            raise self._error(("claims", number, "at_least"), f"got {claim.at_least} of {len(runs)} runs, need as many")
        if 1 << len(runs) > _MOST_SUBSETS:
            most = int(math.log2(_MOST_SUBSETS))
            raise self._error(("claims", number, "over"), f"got some of {len(runs)} runs, need at most {most}")

    def _error(self, path: tuple[str | int, ...], message: str) -> ConfigError:
        dotted = ".".join(map(str, path))
        return ConfigError(f"{self.loaded.document.place_of(path)}: {dotted}: {message}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _judged(claim: Claim, value: float) -> Judged:
    low = 0.0 if claim.least is None else max(claim.least - value, 0.0) / (abs(claim.least) or 1.0)
    high = 0.0 if claim.most is None else max(value - claim.most, 0.0) / (abs(claim.most) or 1.0)
    return Judged(value=value, miss=max(low, high))


class _Names:
    """Figures of a run, and fields of the design that ran it."""

    def __init__(self, figures: Figures, point: Callable[[], Point]) -> None:
        self._figures, self._make = figures, point

    def __getitem__(self, name: str) -> Value:
        if name in self._figures:
            return self._figures[name]
        found = value_at(self._point.hardware.model, name.split(".")[1:])
        value = None if found is MISSING else as_value(found)
        if value is None:
            raise ConfigError(f"got {name}, which the design does not have, need a field that it has")
        return value

    @cached_property
    def _point(self) -> Point:
        return self._make()
