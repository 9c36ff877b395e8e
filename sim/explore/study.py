"""A finished study: a table with a row a design, one with a row a run, and what is to be said of the whole."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...configs.whole_file import write_whole
from .base import combined
from .design import Figures, Outcome
from .figures import ACCURACY, FIGURES
from .front import pareto_mask
from .store import DesignRow, Store

if TYPE_CHECKING:
    import pandas

    from .space import Space

STUDY_FILE = "study.json"
SCHEMA_VERSION = 1


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
        designs = store.designs()
        keys = list(dict.fromkeys(key for row in designs for key in row.runs))
        outcomes = store.outcomes(keys)
        judged = [Verdict.of(space, row, [outcomes[key] for key in row.runs]) for row in designs]
        return cls(
            table=_frame(space, [each.row for each in judged], scenarios=False),
            runs=_frame(space, [run for each in judged for run in each.runs], scenarios=True),
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
            remarks.append("designs.parquet is not written: it needs pyarrow; try pip install 'bisparse[explore]'")
        else:
            files["designs.parquet"] = self.table.to_parquet()
        for name, content in files.items():
            write_whole(directory / name, content)
        return remarks


def _csv(table: pandas.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a design comes to, over all scenarios.

    Attributes:
        row: of the table.
        runs: rows of its runs.
        figures: combined; None when it is infeasible.
    """

    row: dict[str, Any]
    runs: list[dict[str, Any]]
    figures: Figures | None

    @classmethod
    def of(cls, space: Space, design: DesignRow, outcomes: Sequence[Outcome]) -> Verdict:
        """Judge a design by its runs: infeasible when one of them is, or when a constraint fails."""
        scenarios = space.scenarios()
        outcomes = [
            _supplied(space, design, scenario, each)
            for scenario, each in zip(scenarios if design.runs else (), outcomes, strict=True)
        ]
        reason, figures = design.reason, None
        if not reason:
            reason = next(
                (
                    _told(scenario, each)
                    for scenario, each in zip(scenarios, outcomes, strict=True)
                    if each.figures is None
                ),
                "",
            )
        if not reason:
            each_has = [each.figures for each in outcomes if each.figures is not None]
            figures = combined(each_has)
            reason = space.violated(design.settings, figures)
            if reason:
                figures = None
        shown = (
            combined([each.figures for each in outcomes if each.figures]) if reason and _all_ran(outcomes) else figures
        )
        key = design.runs[0] if design.runs else ""
        return cls(
            row={**design.settings, "feasible": figures is not None, "reason": reason, **(shown or {}), "key": key},
            runs=[
                {
                    **design.settings,
                    **scenario,
                    "feasible": each.figures is not None,
                    "reason": each.reason,
                    **(each.figures or {}),
                    "key": run,
                }
                for scenario, each, run in zip(scenarios if design.runs else (), outcomes, design.runs, strict=True)
            ],
            figures=figures,
        )

    def objectives(self, space: Space) -> tuple[float, ...] | None:
        """The objectives' figures, as they are; None of an infeasible design."""
        figures = self.figures
        if figures is None:
            return None
        found = tuple(float(figures[goal.figure]) for goal in space.objectives)
        return found if all(map(math.isfinite, found)) else None


def _supplied(space: Space, design: DesignRow, scenario: dict[str, Any], outcome: Outcome) -> Outcome:
    """The outcome with the figures that the sweep supplies, which no store holds."""
    if outcome.figures is None or space.sweep.accuracy is None:
        return outcome
    return Outcome(figures=outcome.figures | space.supplied(space.design({**design.settings, **scenario})))


def _all_ran(outcomes: Sequence[Outcome]) -> bool:
    return bool(outcomes) and all(each.figures is not None for each in outcomes)


def _told(scenario: dict[str, Any], outcome: Outcome) -> str:
    """The reason of a run, with its scenario when there is any."""
    under = ", ".join(f"{name} {value}" for name, value in scenario.items())
    return f"{under}: {outcome.reason}" if under else outcome.reason


def _frame(space: Space, rows: Sequence[dict[str, Any]], *, scenarios: bool) -> pandas.DataFrame:
    """Rows as a table whose columns depend on the space only."""
    import pandas

    axes = [axis.name for axis in space.axes if scenarios or not axis.scenario]
    accuracy = [ACCURACY] if space.sweep.accuracy is not None else []
    columns = [*axes, "feasible", "reason", *FIGURES, *accuracy, "key"]
    return pandas.DataFrame(list(rows), columns=columns)
