"""Designs drawn over unknowns: the axes of a sweep, and what the files give a range that no axis sets.

Draws are a Latin hypercube. An axis is drawn by its values, each as likely as any other. What is no number tells kinds
of designs apart, which are evaluated kind by kind: so that few kinds are met, neighbouring draws share such values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ....accel.energy_table import EnergyTable, energy_table_of
from ....accel.specification import Hardware
from ....configs.errors import ConfigError
from ....configs.library import content_hash
from ....configs.schema import Loaded
from ..explore.axis_values import Axis, Settings
from ..explore.point import Point
from ..explore.space import Space
from ..sensitivity.assumptions import Assumption, Uncertain, Value
from ..sensitivity.run_sensitivity import latin_shares

_KEPT = 512
"""Designs remembered."""

_KINDS = 12
"""Kinds of designs among the draws, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What is not known of a design.

    Attributes:
        name: of the field, as in a sweep; ``energy.`` of a price.
        choices: what it may be: the lowest and the highest of a number within a range, else each value.
        within: whether it is a number within a range.
    """

    name: str
    choices: tuple[Value, ...]
    within: bool

    @property
    def is_number(self) -> bool:
        """Whether it is one."""
        return not any(isinstance(each, bool | str) for each in self.choices)


class DrawnDesigns:
    """The designs of a claim file; small to pickle."""

    def __init__(self, space: Space, *, ranges: bool) -> None:
        """Over the axes of a space, and the ranges of its base's files.

        Raises:
            ConfigError: a range moves a field that an axis sets, or ranges differ from point to point.
        """
        self.space = space
        self._uncertain: dict[str, Uncertain] = {}
        self._varied: dict[tuple[object, ...], tuple[Loaded[Hardware], Loaded[EnergyTable]]] = {}
        self._tables: dict[str, Loaded[EnergyTable]] = {}
        self.assumptions = self._open() if ranges else ()

    def __getstate__(self) -> dict[str, object]:
        # What was made stays behind, the base with its workload too.
        kept = {name: value for name, value in self.__dict__.items() if name != "base"}
        return kept | {"_uncertain": {}, "_varied": {}, "_tables": {}}

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """All that is drawn; an axis of one value is not."""
        axes = [
            Unknown(name=axis.name, choices=axis.values, within=False) for axis in self._axes if len(axis.values) > 1
        ]
        return (
            *axes,
            *(Unknown(name=each.name, choices=each.choices, within=each.is_number) for each in self.assumptions),
        )

    def draws(self, count: int, seed: int) -> Iterator[Settings]:
        """Values of all unknowns, so many times; axes that do not apply are left out."""
        generator = np.random.default_rng(seed)
        axes = self._axes
        of_axes = [
            latin_shares(generator, count, _alike(count, is_number=not isinstance(axis.values[0], bool | str)))
            for axis in axes
        ]
        of_ranges = [
            latin_shares(generator, count, _alike(count, is_number=each.is_number)) for each in self.assumptions
        ]
        for number in range(count):
            indices = [int(share[number] * len(axis.values)) for axis, share in zip(axes, of_axes, strict=True)]
            chosen = self.space.settings(indices)
            yield chosen | {
                each.name: each.at(float(share[number]))
                for each, share in zip(self.assumptions, of_ranges, strict=True)
            }

    def point(self, settings: Settings) -> Point:
        """What a drawn design is under a scenario; ``ConfigError`` when there is no such."""
        drawn = {each.name for each in self.assumptions}
        point = self.space.point({name: value for name, value in settings.items() if name not in drawn})
        values = {name: value for name, value in settings.items() if name in drawn}
        if not values:
            return point
        hardware, prices = self._made(point.hardware, values)
        return replace(point, hardware=hardware, prices=prices)

    def key(self, point: Point) -> str:
        """A hash of everything that determines a point's figures."""
        prices = None if point.prices is None else point.prices.sha256
        return content_hash([self.space.key(point), prices])

    @cached_property
    def base(self) -> Point:
        """The base as its files have it, under the first run."""
        return self.space.base_point(self.space.scenarios()[0])

    @property
    def _axes(self) -> tuple[Axis, ...]:
        return tuple(axis for axis in self.space.axes if not axis.scenario)

    def _of(self, hardware: Loaded[Hardware]) -> Uncertain:
        if hardware.sha256 not in self._uncertain:
            # Every design has the base's table: no axis has another, see ``_open``.
            name = hardware.model.energy_table
            if name not in self._tables:
                self._tables[name] = energy_table_of(hardware)
            self._uncertain[hardware.sha256] = Uncertain(hardware=hardware, table=self._tables[name])
        return self._uncertain[hardware.sha256]

    def _made(self, hardware: Loaded[Hardware], values: Settings) -> tuple[Loaded[Hardware], Loaded[EnergyTable]]:
        """A design with drawn values: once for all of its runs."""
        key = (hardware.sha256, *values.values())
        if key not in self._varied:
            if len(self._varied) >= _KEPT:
                self._varied.clear()
            self._varied[key] = self._of(hardware).varied(values)
        return self._varied[key]

    def _open(self) -> tuple[Assumption, ...]:
        """What the files leave open and no axis sets."""
        sweep = self.space.sweep
        for name in ("hardware", "hardware.energy_table"):
            axis = next((each for each in self._axes if each.name == name), None)
            if axis is not None and len(axis.values) > 1:
                raise ConfigError(
                    f"{self.space.place_of('axes', name)}: got {len(axis.values)} beside ranges, which differ from "
                    "file to file, need one; try ranges: false"
                )
        settled = {axis.name for axis in self.space.axes} | set(sweep.derived)
        found = [each for each in self._of(self.base.hardware).assumptions if each.name not in settled]
        for each in found:
            torn = next((name for name in each.scales if name in settled), None)
            if torn is not None:
                raise ConfigError(
                    f"{self.space.place_of('axes')}: got {torn}, which a range scales with {each.name}, need both "
                    f"among axes and derived; try derived: {{{torn}: ...}} beside an axis {each.name}"
                )
        return tuple(found)


def _alike(draws: int, *, is_number: bool) -> int:
    """Neighbouring draws that have the same value of an unknown."""
    return 1 if is_number else max(-(-draws // _KINDS), 1)
