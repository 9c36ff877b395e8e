"""Methods of several kinds side by side: what each promises, what the design takes, what stands between; and tables.

All figures are shares of dense training's time on the method's own design, network and batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...sim.results.method_split import BETWEEN, MethodSplit, split_of_run, split_of_step
from ...sim.results.simulation_result import SimulationResult
from ...training.recipes.catalogue import METHOD_KINDS
from ...training.recipes.declaration import shipped_kind
from ..shared.plain_text import aligned, capital
from ..shared.subject import hardware_name
from ..shared.table import Cell, Table
from .answer import is_dense, labels

OTHER_KIND = "other recipes"
"""Those that are not shipped, or say no kind."""
REST = "the rest"
_NOTABLE = 0.005
"""A share of dense time below which, in every method, a part is told with the others so small."""
_MOST = 6
"""Parts that are told apart."""
_SHORT = {
    "gradients": ("pruned", "grads"),
    "zeros": ("zeros", "taken"),
    "edges": ("part", "filled"),
    "lanes": ("lanes", "wait"),
    "fill": ("fill,", "drain"),
    "vector": ("vector", "work"),
    "update": ("weight", "update"),
    "memory": ("memory,", "ports"),
    "extra": ("extra", "work"),
    "phases": ("other", "steps"),
    REST: ("the", "rest"),
}
"""Headings of a terminal, in two lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRow:
    """A method among others.

    Attributes:
        name: of its run.
        kind: of method.
        split: of its step or its whole run.
    """

    name: str
    kind: str
    split: MethodSplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Methods side by side, those of a kind together, in the order of lists.

    Attributes:
        of: ``step`` or ``run``.
        rows: a method each.
    """

    of: str
    rows: tuple[SplitRow, ...]

    @property
    def told(self) -> tuple[str, ...]:
        """Parts that are told apart, in the order of ``BETWEEN``: those that are something in some method."""
        most = {name: max(abs(self.share(row, name)) for row in self.rows) for name in BETWEEN}
        kept = sorted((name for name in BETWEEN if most[name] >= _NOTABLE), key=lambda name: -most[name])[:_MOST]
        return tuple(name for name in BETWEEN if name in kept)

    @property
    def parts(self) -> tuple[str, ...]:
        """Those and, where there is more, the rest."""
        seen = any(round(1000 * self.share(row, REST)) for row in self.rows)
        return (*self.told, *([REST] if seen else ()))

    def cycles(self, row: SplitRow, part: str) -> int:
        """Cycles of a part; of the rest, of all parts that are not told apart."""
        between = row.split.between_cycles
        if part == REST:
            return sum(size for name, size in between.items() if name not in self.told)
        return between.get(part, 0)

    def share(self, row: SplitRow, part: str) -> float:
        """That, of dense time."""
        return row.split.of_dense(self.cycles(row, part))


def splits_of(results: Sequence[SimulationResult]) -> list[Splits]:
    """Of steps, and of whole runs where they were simulated; without dense runs, of which nothing is saved."""
    compared = [each for each in zip(labels(results), results, strict=True) if not _is_baseline(each[1])]
    steps = [_row(name, result, split_of_step(result)) for name, result in compared]
    runs = [_row(name, result, split) for name, result in compared if (split := split_of_run(result)) is not None]
    return [Splits(of=of, rows=tuple(sorted(rows, key=_rank))) for of, rows in (("step", steps), ("run", runs)) if rows]


def split_heading(splits: Splits) -> str:
    """What a table or picture of them is called."""
    return {"step": "What each method saves, split", "run": "What each saves of a whole training run, split"}[splits.of]


def split_words(results: Sequence[SimulationResult]) -> str:
    """How the tables are read."""
    designs = {hardware_name(result) for result in results}
    who = designs.pop() if len(designs) == 1 else "the design"
    last = [name for name, result in zip(labels(results), results, strict=True) if result.changes_over_time]
    of_last = f" Of {', '.join(last)} the step is one of the last phase." if last else ""
    return (
        "In % of dense time: what the arithmetic promises (the multiply-accumulates that a method keeps), what stands "
        f"between, by cause, and what {who} takes. Each line adds up; below 0 a part shrank by more than the "
        f"arithmetic.{of_last}"
    )


def split_table(splits: Splits) -> Table:
    """A row for each method."""
    parts = splits.parts
    rows, before = [], None
    for row in splits.rows:
        split = row.split
        rows.append(
            (
                Cell("" if row.kind == before else row.kind),
                Cell(row.name),
                _share(split, split.promised_cycles),
                *(_share(split, splits.cycles(row, part), sign="+") for part in parts),
                _share(split, split.taken_cycles),
            )
        )
        before = row.kind
    headings = ("kind", "method", "promised", *(BETWEEN.get(part, part) for part in parts), "taken")
    return Table(headings=headings, rows=tuple(rows), words=frozenset({0, 1}))


def split_lines(splits: Splits) -> Iterator[str]:
    """The table for a terminal, a line for each kind above its methods."""
    parts = splits.parts
    first, second = zip(*(_SHORT[part] for part in parts), strict=True) if parts else ((), ())
    name = "% of dense" if splits.of == "step" else "% of dense run"
    lines = [[name, "", *first, ""], ["", "promised", *second, "taken"]]
    kinds: dict[int, str] = {}
    for row, cells in zip(splits.rows, split_table(splits).rows, strict=True):
        if cells[0].text:
            kinds[len(lines)] = cells[0].text
        lines.append([f"  {row.name}", *(cell.text for cell in cells[2:])])
    for position, line in enumerate(aligned(lines)):
        if position in kinds:
            yield capital(kinds[position])
        yield line


def splits_document(results: Sequence[SimulationResult]) -> list[dict[str, object]]:
    """The splits of steps and runs as plain data, in the order of the results that they are of."""
    return [
        {"result": position, "kind": kind_of(result), "of": of, **split.document()}
        for position, result in enumerate(results)
        for of, split in (("step", split_of_step(result)), ("run", split_of_run(result)))
        if split is not None
    ]


def kind_of(result: SimulationResult) -> str:
    """The kind of a result's method: its recipe's, where that is a shipped one."""
    recipe = result.inputs["recipe"]
    return shipped_kind(recipe.name, recipe.sha256) or OTHER_KIND


def _is_baseline(result: SimulationResult) -> bool:
    return is_dense(result) and result.sparsity == "dense"


def _row(name: str, result: SimulationResult, split: MethodSplit) -> SplitRow:
    return SplitRow(name=name, kind=kind_of(result), split=split)


def _rank(row: SplitRow) -> int:
    order: tuple[str, ...] = METHOD_KINDS
    return order.index(row.kind) if row.kind in order else len(order)


def _share(split: MethodSplit, cycles: int, sign: str = "") -> Cell:
    """Cycles in % of dense time, with a sign where they are a change; the cycles behind it."""
    share = 100 * split.of_dense(cycles)
    text = f"{share:{sign}.1f}"
    nothing = sign and float(text) == 0
    return Cell("–" if nothing else text.replace("-", "−"), f"{cycles:{sign},} cycles")
