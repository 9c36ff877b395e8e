"""What a study found, worked out once for the page, the Markdown and the terminal."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...sim.studies.explore import dense_or_sparse, effects
from ...sim.studies.explore.choices import ENERGY, TIME, Chosen, Goals, Standing, choose, settings_at, standing
from ...sim.studies.explore.dense_or_sparse import Group, Pair
from ...sim.studies.explore.front import hypervolume, pareto_mask, share_found
from .words import axis_labels, setting_text

if TYPE_CHECKING:
    from ...sim.studies.explore.space import Space
    from ...sim.studies.explore.study import Study

SHORT_KEY = 12
"""Letters of a design's key that name its folder."""

_NUMBER = re.compile(r"\d[\d,.]*\d|\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The design that the sweep starts from, as its file has it.

    Attributes:
        name: of its hardware.
        settings: what it has of each axis, as far as that is a field.
        figures: combined over the scenarios; None when it cannot run them.
        reason: why not.
    """

    name: str
    settings: Mapping[str, Any]
    figures: Mapping[str, float] | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Infeasible designs with one reason, whatever its numbers.

    Attributes:
        pattern: the reason with ``…`` for the numbers in which they differ.
        count: of designs.
        example: the reason of the first of them.
        row: the first of them.
    """

    pattern: str
    count: int
    example: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A front found by search beside that of the whole space.

    Attributes:
        found: designs of the whole front that the search found, as a share.
        hypervolume: what its front beats, over what the whole front beats.
        evaluated: designs that it asked for.
        size: of the whole space.
    """

    found: float
    hypervolume: float
    evaluated: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study, its space, and what follows from them.

    Attributes:
        study: the study.
        space: that it is of.
        base: the design that it starts from; None when that is not known.
        reference: the same space enumerated, to hold a search against.
        links: the page of a design's own report, by its key.
    """

    study: Study
    space: Space
    base: Base | None = None
    reference: Study | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """A row a design."""
        return self.study.table

    @cached_property
    def goals(self) -> Goals:
        """The objectives."""
        found = self.space.objectives
        return Goals(figures=tuple(each.figure for each in found), maximise=tuple(each.maximise for each in found))

    @cached_property
    def axes(self) -> tuple[Any, ...]:
        """The axes that designs differ by: no scenarios."""
        return tuple(axis for axis in self.space.axes if not axis.scenario)

    @cached_property
    def labels(self) -> dict[str, str]:
        """A short label for each axis."""
        return axis_labels([axis.name for axis in self.axes])

    @cached_property
    def chosen(self) -> Chosen:
        """The front, the knee and the best."""
        return choose(self.table, self.goals)

    @cached_property
    def values(self) -> Any:
        """[K, D] of the objectives."""
        return self.goals.values(self.table)

    @cached_property
    def drawn(self) -> Goals:
        """The objectives and, beside a single one, the figure that it is drawn against."""
        goals = self.goals
        if len(goals.figures) > 1:
            return goals
        beside = ENERGY if goals.figures[0] != ENERGY else TIME
        return Goals(figures=(*goals.figures, beside), maximise=(*goals.maximise, False))

    @cached_property
    def drawn_values(self) -> Any:
        """[K, D] of what is drawn."""
        return self.drawn.values(self.table)

    @cached_property
    def drawn_pairs(self) -> list[tuple[int, int]]:
        """Pairs of what is drawn. The first is the trade-off: with the first objective, what goes against it most."""
        pairs = list(itertools.combinations(range(len(self.drawn.figures)), 2))
        rows = self.chosen.feasible
        if len(pairs) < 2 or len(rows) < 3:
            return pairs
        signs = [-1 if more else 1 for more in self.drawn.maximise]
        # Ranks of equal values are those of their mean, so that a figure of few values is not ordered by chance.
        costs = self.drawn_values[rows] * signs
        ranks = np.column_stack([pd.Series(column).rank().to_numpy() for column in costs.T])
        spread = ranks.std(axis=0)
        agreement = {
            pair: float(np.corrcoef(ranks[:, pair[0]], ranks[:, pair[1]])[0, 1])
            for pair in pairs
            if pair[0] == 0 and spread[pair[0]] > 0 and spread[pair[1]] > 0
        }
        lead = min(agreement, key=agreement.__getitem__, default=pairs[0])
        return [lead, *(pair for pair in pairs if pair != lead)]

    @cached_property
    def columns(self) -> dict[str, Any]:
        """The table's columns as arrays."""
        return {name: self.table[name].to_numpy() for name in self.table.columns}

    def figure(self, row: int, name: str) -> float:
        """A figure of a design."""
        return float(self.columns[name][row])

    def settings(self, row: int) -> dict[str, Any]:
        """What a design is set to."""
        return settings_at(self.table, self.axes, row)

    def key(self, row: int) -> str:
        """A design's key, short."""
        return str(self.columns["key"][row])[:SHORT_KEY]

    @cached_property
    def codes(self) -> Any:
        """[K, A]: the position of each setting among its axis's values; the number of values where it has none."""
        columns = [effects.level_codes(self.table[axis.name], axis.values) for axis in self.axes]
        return np.column_stack(columns) if columns else np.empty((len(self.table), 0), dtype=np.int64)

    @cached_property
    def level_texts(self) -> list[list[str]]:
        """For each axis its values worded, and the word for none."""
        return [[*(setting_text(axis.name, value) for value in axis.values), "–"] for axis in self.axes]

    @cached_property
    def varied(self) -> tuple[int, ...]:
        """Positions of the axes of which feasible designs have more than one value."""
        codes = self.codes[self.chosen.feasible]
        return tuple(at for at in range(len(self.axes)) if len(codes) and bool((codes[:, at] != codes[0, at]).any()))

    @property
    def exhaustive(self) -> bool:
        """Whether every combination was tried."""
        return str(self.space.sweep.strategy.name) == "exhaustive"

    @cached_property
    def shares(self) -> tuple[tuple[effects.Share, ...], ...]:
        """For each objective, what each axis explains of it."""
        rows = self.chosen.feasible
        names = [self.axes[at].name for at in self.varied]
        codes = self.codes[rows][:, list(self.varied)]
        return tuple(
            effects.shares(names, codes, self.values[rows, at], factorial=self.exhaustive)
            for at in range(len(self.goals.figures))
        )

    @cached_property
    def important(self) -> tuple[int, ...]:
        """The axes that vary, the one that explains most of any objective first."""
        weight: dict[str, float] = {}
        for shares in self.shares:
            for share in shares:
                own = share.first if share.total is None else share.total
                weight[share.axis] = max(weight.get(share.axis, 0.0), own)
        return tuple(sorted(self.varied, key=lambda at: -weight[self.axes[at].name]))

    def levels(self, axis: int, objective: int) -> tuple[effects.Level, ...]:
        """An objective by the values of an axis."""
        rows = self.chosen.feasible
        return effects.main_effects(self.codes[rows, axis], self.axes[axis].values, self.values[rows, objective])

    @cached_property
    def standing(self) -> Standing | None:
        """Where the base design stands to the front."""
        if self.base is None or self.base.figures is None or not len(self.chosen.front):
            return None
        own = [float(self.base.figures[name]) for name in self.goals.figures]
        return standing(own, self.values[self.chosen.front], self.goals)

    @cached_property
    def groups(self) -> list[Group]:
        """The feasible designs by everything but hardware."""
        return dense_or_sparse.groups(self.table, [axis.name for axis in self.axes], self.chosen.feasible)

    @cached_property
    def home(self) -> Group | None:
        """The group in which hardware is chosen: that of the base design's recipe and ratio, or the largest."""
        known = self.base.settings if self.base else {}

        def likeness(group: Group) -> tuple[int, int]:
            same = sum(known.get(axis) == value for axis, value in group.settings.items())
            return same, len(group.rows)

        return max(self.groups, key=likeness, default=None)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The hardware best for the dense step beside that best for the sparse one, by each figure."""
        if self.home is None or not any(dense_or_sparse.is_hardware(self.axes[at].name) for at in self.varied):
            return ()
        if not (self.table["speedup_vs_dense"].iloc[self.home.rows] != 1).any():
            return ()
        compared = dict(dense_or_sparse.compared_figures(self.goals))
        return tuple(dense_or_sparse.pair(self.table, self.home.rows, name, more) for name, more in compared.items())

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Why designs are infeasible, the most frequent reason first."""
        rows: dict[str, list[int]] = {}
        texts = self.columns["reason"]
        for row in np.flatnonzero(~self.table["feasible"].to_numpy(dtype=bool)).tolist():
            rows.setdefault(_NUMBER.sub("…", str(texts[row])), []).append(row)
        found = [
            Reason(
                pattern=_common([str(texts[row]) for row in own]),
                count=len(own),
                example=str(texts[own[0]]),
                row=own[0],
            )
            for own in rows.values()
        ]
        return tuple(sorted(found, key=lambda reason: -reason.count))

    @cached_property
    def search(self) -> Search | None:
        """The search beside the whole space; None when there is no such comparison."""
        if self.reference is None or not len(self.chosen.front):
            return None
        table = self.reference.table
        everything = self.goals.values(table[table["feasible"].astype(bool)])
        whole = everything[pareto_mask(everything, self.goals.maximise)]
        own = self.values[self.chosen.front]
        most = hypervolume(whole, self.goals.maximise, everything)
        return Search(
            found=share_found(own, whole),
            hypervolume=hypervolume(own, self.goals.maximise, everything) / most if most else 1.0,
            evaluated=len(self.table),
            size=len(table),
        )


def _common(texts: Sequence[str]) -> str:
    """What texts that differ in numbers only have in common.

    >>> _common(["on_chip_bytes <= 16 * MiB: got 17", "on_chip_bytes <= 16 * MiB: got 18"])
    'on_chip_bytes <= 16 * MiB: got …'
    """
    numbers = [_NUMBER.findall(text) for text in dict.fromkeys(texts)]
    shown = iter([column[0] if len(set(column)) == 1 else "…" for column in zip(*numbers, strict=True)])
    return _NUMBER.sub(lambda _: next(shown), texts[0])


def alike(findings: Findings, axis: int, rows: Sequence[int]) -> list[str]:
    """The values of an axis that designs have, worded, in the axis's order."""
    return [findings.level_texts[axis][code] for code in np.unique(findings.codes[list(rows), axis]).tolist()]
