"""A finished study: a table with a row a design, one with a row a run, and what is to be said of the whole."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ....configs.csv_cells import csv_cell
from ....configs.errors import ConfigError
from ....configs.needs import install_line
from ....configs.whole_file import write_all_whole
from .axis_values import Settings
from .base import combined
from .figures import FIGURES
from .front import pareto_mask
from .point import Figures, Outcome
from .store import DesignRow, Store

if TYPE_CHECKING:
    import pandas

    from .space import Space

STUDY_FILE = "study.json"
SCHEMA_VERSION = 1

_AT_ONCE = 2048
"""Designs whose runs are read from the store together."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study.

    Attributes:
        table: a row a design: its settings, ``feasible``, ``reason``, every figure combined over scenarios, ``key``
            (that of its run; of several, of the first).
        runs: a row a run of a design that was not ruled out before, in the same columns.
        meta: plain data on the whole, see ``study.json`` in docs/exploration.md.
    """

    table: pandas.DataFrame
    runs: pandas.DataFrame
    meta: dict[str, Any]

    @classmethod
    def of_store(cls, store: Store, space: Space, meta: dict[str, Any]) -> Study:
        """The study whose designs and runs a store holds."""
        designs, scenarios = store.designs(), space.scenarios()
        names = [*FIGURES, *space.supplied_figures]
        table, runs = _Rows(names), _Rows(names)
        for start in range(0, len(designs), _AT_ONCE):
            some = designs[start : start + _AT_ONCE]
            outcomes = store.outcomes(list(dict.fromkeys(key for row in some for key in row.runs)))
            judged = [Verdict.of(space, row, outcomes_in(store, outcomes, row)) for row in some]
            table.add(
                [each.design.settings for each in judged],
                [each.reason for each in judged],
                [each.figures for each in judged],
                [each.design.runs[0] if each.design.runs else "" for each in judged],
            )
            ran = [(each.design, *run) for each in judged for run in zip(scenarios, each.outcomes, strict=False)]
            runs.add(
                [{**design.settings, **scenario} for design, scenario, _ in ran],
                [outcome.reason for _, _, outcome in ran],
                [outcome.figures for _, _, outcome in ran],
                [key for each in judged for key in each.design.runs],
            )
        return cls(
            table=table.frame([axis.name for axis in space.axes if not axis.scenario]),
            runs=runs.frame([axis.name for axis in space.axes]),
            meta=meta,
        )

    def document(self) -> dict[str, Any]:
        """The whole as plain data: ``meta``, how many designs are feasible, and the front."""
        goals = self.meta["objectives"]
        table = self.table[self.table["feasible"].astype(bool)]
        names = [goal["figure"] for goal in goals]
        values = table[names].to_numpy(dtype=float)
        front = table[pareto_mask(values, [goal["maximise"] for goal in goals])] if len(table) else table
        axes = list(self.table.columns[: list(self.table.columns).index("feasible")])
        rows = json.loads(front[[*axes, *names, "key"]].to_json(orient="records", double_precision=15))
        return {**self.meta, "feasible_designs": len(table), "front": rows}

    def write(self, directory: Path) -> list[str]:
        """Write ``study.json``, ``designs.csv``, ``runs.csv`` where there are scenarios, and ``designs.parquet``.

        Returns:
            Remarks on what could not be written.
        """
        files = {STUDY_FILE: json.dumps(self.document(), indent=1).encode(), "designs.csv": _csv(self.table)}
        if self.meta["scenarios"] > 1:
            files["runs.csv"] = _csv(self.runs)
        remarks = []
        if find_spec("pyarrow") is None:
            remarks.append(f"designs.parquet is not written: it needs pyarrow; try {install_line('explore')}")
        else:
            files["designs.parquet"] = self.table.to_parquet()
        write_all_whole(directory, files)
        return remarks


def outcomes_in(store: Store, outcomes: Mapping[str, Outcome], design: DesignRow) -> list[Outcome]:
    """What became of a design's runs, out of what the store gave; told where it has a run no more."""
    missing = next((key for key in design.runs if key not in outcomes), None)
    if missing is not None:
        raise store.damaged(f"run {missing}")
    return [outcomes[key] for key in design.runs]


def _csv(table: pandas.DataFrame) -> bytes:
    texts = [name for name in table.columns if table[name].dtype == object]
    safe = table.assign(**{name: table[name].map(csv_cell) for name in texts})
    return safe.to_csv(index=False, lineterminator="\n").encode()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a design comes to, over all scenarios.

    Attributes:
        design: as it was asked for.
        outcomes: of its runs, a scenario each; none when it was ruled out before.
        figures: combined over scenarios; None when one of them cannot be run.
        reason: why it is infeasible: what rules it out, a scenario that cannot be run, or a constraint that its figures
            fail; empty when it is feasible.
    """

    design: DesignRow
    outcomes: tuple[Outcome, ...]
    figures: Figures | None
    reason: str

    @classmethod
    def of(cls, space: Space, design: DesignRow, outcomes: Sequence[Outcome]) -> Verdict:
        """Judge a design by the outcomes of its runs."""
        ran = list(zip(space.scenarios() if design.runs else (), outcomes, strict=True))
        found = tuple(_supplied(space, design, scenario, outcome) for scenario, outcome in ran)
        each_has = [outcome.figures for outcome in found if outcome.figures is not None]
        # Combining one costs more than all else here.
        together = each_has[0] if len(each_has) == 1 else combined(each_has) if each_has else None
        figures = together if len(each_has) == len(found) else None
        reason = design.reason
        if not reason and figures is None:
            supplied = zip(ran, found, strict=True)
            reason = next(_told(scenario, outcome) for (scenario, _), outcome in supplied if outcome.figures is None)
        if not reason:
            reason = space.violated(design.settings, figures)
        return cls(design=design, outcomes=found, figures=figures, reason=reason)

    def objectives(self, space: Space) -> tuple[float, ...] | None:
        """The objectives' figures, as they are; None of an infeasible design."""
        figures = self.figures
        if figures is None or self.reason:
            return None
        found = tuple(float(figures[goal.figure]) for goal in space.objectives)
        return found if all(map(math.isfinite, found)) else None


def _supplied(space: Space, design: DesignRow, scenario: Settings, outcome: Outcome) -> Outcome:
    """The outcome with the figures that the sweep supplies, which no store holds."""
    if outcome.figures is None or not space.supplied_figures:
        return outcome
    point = space.point({**design.settings, **scenario})
    try:
        return Outcome(figures=outcome.figures | space.supplied(point))
    except ConfigError as error:
        return Outcome(figures=None, reason=str(error))


def _told(scenario: Settings, outcome: Outcome) -> str:
    """The reason of a run, with its scenario when there is any."""
    under = ", ".join(f"{name} {value}" for name, value in scenario.items())
    return f"{under}: {outcome.reason}" if under else outcome.reason


class _Rows:
    """Rows of a table, added some at a time; figures become arrays at once, for as lists they fill the memory."""

    def __init__(self, names: Sequence[str]) -> None:
        """Of figures by these names."""
        self._names = names
        self._nothing: Figures = dict.fromkeys(names, math.nan)
        self._settings: list[Settings] = []
        self._reasons: list[str] = []
        self._keys: list[str] = []
        self._figures: list[dict[str, NDArray[Any]]] = []

    def add(
        self,
        settings: Sequence[Settings],
        reasons: Sequence[str],
        figures: Sequence[Figures | None],
        keys: Sequence[str],
    ) -> None:
        """Add rows; one without figures has NaN for each."""
        self._settings += settings
        self._reasons += reasons
        self._keys += keys
        rows = [self._nothing if each is None else each for each in figures]
        if rows:
            columns = zip(*map(itemgetter(*self._names), rows), strict=True)
            # Integers stay integers where every row has one.
            self._figures.append({name: np.array(each) for name, each in zip(self._names, columns, strict=True)})

    def frame(self, axes: Sequence[str]) -> pandas.DataFrame:
        """The table, whose columns depend on the axes and the names of figures only."""
        import pandas

        figures = {
            name: np.concatenate([some[name] for some in self._figures] or [np.empty(0)]) for name in self._names
        }
        told = {"feasible": [not reason for reason in self._reasons], "reason": self._reasons}
        return pandas.concat(
            [
                pandas.DataFrame(self._settings, columns=list(axes)),
                pandas.DataFrame(told),
                pandas.DataFrame(figures),
                pandas.DataFrame({"key": self._keys}),
            ],
            axis=1,
        )
