"""The tables of a study, worded once for the page and the Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...sim.studies.explore.choices import ENERGY_DELAY, along
from ...sim.studies.explore.dense_or_sparse import Group, Pair, is_hardware, pair
from ..shared.quantities import percent, times
from ..shared.table import Cell, Table
from .findings import Findings, alike
from .words import NOTHING, figure_name, figure_text, setting_text

MOST_GROUPS = 24
"""Groups that the table of the best hardware of each has room for."""

_NONE = Cell(NOTHING)


def figure_cell(name: str, value: float) -> Cell:
    """A figure, rounded, with the exact one behind it."""
    return Cell(figure_text(name, value), f"{value:.10g}")


def ratio_cell(value: float, base: float) -> Cell:
    """A figure over the base design's."""
    return Cell(times(value / base), f"{value / base:.6g}") if base else _NONE


def _setting_cells(findings: Findings, row: int) -> list[Cell]:
    settings = findings.settings(row)
    names = [findings.axes[at].name for at in findings.varied]
    return [Cell(setting_text(name, settings.get(name))) for name in names]


def _setting_headings(findings: Findings) -> list[str]:
    return [findings.labels[findings.axes[at].name] for at in findings.varied]


def shown_figures(findings: Findings) -> list[str]:
    """The objectives, and what ranks the front if it is none of them."""
    return list(dict.fromkeys((*findings.goals.figures, findings.goals.ranking[0])))


def designs_table(findings: Findings, rows: Sequence[int], names: Sequence[str]) -> Table:
    """A row a design: its settings, its objectives, and each over the base design's.

    Args:
        findings: of the study.
        rows: of its table.
        names: of the designs.
    """
    figures = shown_figures(findings)
    base = findings.base.figures if findings.base else None
    headings = ["design", *_setting_headings(findings)]
    for name in figures:
        headings += [figure_name(name), "over base"] if base else [figure_name(name)]
    cells = []
    for row, name in zip(rows, names, strict=True):
        line = [Cell(name, findings.key(row)), *_setting_cells(findings, row)]
        for figure in figures:
            value = findings.figure(row, figure)
            line.append(figure_cell(figure, value))
            if base:
                line.append(ratio_cell(value, base[figure]))
        cells.append(tuple(line))
    return Table(headings=tuple(headings), rows=tuple(cells))


def headline_table(findings: Findings) -> Table | None:
    """The designs that the study is about: the best, the knee where it is another, and the base."""
    chosen, base = findings.chosen, findings.base
    if not len(chosen.best):
        return None
    rows, names = [int(chosen.best[0])], [f"best {figure_name(findings.goals.ranking[0])}"]
    if chosen.knee is not None and len(findings.goals.figures) > 1:
        if chosen.knee == rows[0]:
            names[0] += ", the knee too"
        else:
            rows, names = [*rows, chosen.knee], [*names, "knee of the front"]
    table = designs_table(findings, rows, names)
    if base is None or base.figures is None:
        return table
    varied = [findings.axes[at].name for at in findings.varied]
    own = [Cell(f"base: {base.name}"), *(Cell(setting_text(name, base.settings.get(name))) for name in varied)]
    for figure in shown_figures(findings):
        own += [figure_cell(figure, base.figures[figure]), Cell("1.00x", "1")]
    return replace(table, rows=(*table.rows, tuple(own)))


def best_table(findings: Findings) -> Table:
    """The best designs of the front."""
    rows = findings.chosen.best.tolist()
    return designs_table(findings, rows, [f"{number:02d}" for number in range(1, len(rows) + 1)])


def front_table(findings: Findings, most: int = 20) -> Table:
    """The front, or designs evenly along it."""
    rows = along(findings.chosen.front, most).tolist()
    return designs_table(findings, rows, [findings.key(row) for row in rows])


def standing_table(findings: Findings) -> Table | None:
    """The base design beside the knee and the best, and how far the front lies from it in each objective."""
    stands, base, chosen = findings.standing, findings.base, findings.chosen
    if stands is None or base is None or base.figures is None or chosen.knee is None:
        return None
    best = int(chosen.best[0])
    ranking = f"best {figure_name(findings.goals.ranking[0])}"
    headings = (
        "objective",
        f"base: {base.name}",
        "best of the front, all else no worse",
        "factor",
        *("knee", "over base"),
        *(ranking, "over base"),
    )
    rows = []
    for figure, more, factor in zip(findings.goals.figures, findings.goals.maximise, stands.factors, strict=True):
        own = base.figures[figure]
        reached = None if factor is None else own * factor if more else own / factor
        cells = [Cell(figure_name(figure)), figure_cell(figure, own)]
        if reached is None or factor is None:
            cells += [_NONE, _NONE]
        else:
            cells += [figure_cell(figure, reached), Cell(times(factor), f"{factor:.6g}")]
        for row in (chosen.knee, best):
            value = findings.figure(row, figure)
            cells += [figure_cell(figure, value), ratio_cell(value, own)]
        rows.append(tuple(cells))
    return Table(headings=headings, rows=tuple(rows))


# Dense or sparse -----------------------------------------------------------------------------------------------------


def pair_table(findings: Findings, of: Pair) -> Table:
    """The hardware best for the dense step beside that best for the sparse one, and what each loses on the other's."""
    rows = []
    for at in findings.varied:
        name = findings.axes[at].name
        if not is_hardware(name):
            continue
        dense, sparse = (findings.level_texts[at][findings.codes[row, at]] for row in (of.dense, of.sparse))
        others = alike(findings, at, of.dense_alike.tolist()), alike(findings, at, of.sparse_alike.tolist())
        rows.append(
            (
                Cell(findings.labels[name]),
                Cell(_or(dense, others[0])),
                Cell(_or(sparse, others[1])),
                Cell("differs" if dense != sparse else ""),
            )
        )
    name, short = of.figure, figure_name(of.figure)
    for step, figure, loss in (("dense", f"dense.{name}", of.dense_loss), ("sparse", name, of.sparse_loss)):
        own, other = (figure_cell(name, findings.figure(row, figure)) for row in (of.dense, of.sparse))
        lost = f"loses {percent(loss)} on the other" if loss > 0 else "loses nothing on the other"
        rows.append((Cell(f"{short}, {step} step"), own, other, Cell(lost)))
    headings = (f"by {short}", "best for the dense step", "best for the sparse step", "")
    return Table(headings=headings, rows=tuple(rows), words=frozenset({0, 3}))


def _or(own: str, others: Sequence[str]) -> str:
    """A value, and those that would do as well."""
    rest = [each for each in others if each != own]
    if not rest:
        return own
    return f"{own} (or {', '.join(rest)})" if len(rest) <= 3 else f"{own} (or {len(rest)} others)"


def groups_table(findings: Findings) -> Table | None:
    """For each recipe and ratio, and whatever else is no hardware, its own best hardware; None of a single one."""
    groups = findings.groups
    if len(groups) < 2 or not findings.pairs:
        return None
    fixed = [findings.axes[at].name for at in findings.varied if not is_hardware(findings.axes[at].name)]
    hardware = [at for at in findings.varied if is_hardware(findings.axes[at].name)]
    headings = (
        *(findings.labels[name] for name in fixed),
        *(findings.labels[findings.axes[at].name] for at in hardware),
        figure_name(ENERGY_DELAY),
        "speedup against dense there",
        "lost on the hardware best for dense",
    )
    rows = tuple(_group(findings, group, fixed, hardware) for group in groups[:MOST_GROUPS])
    return Table(headings=headings, rows=rows, words=frozenset(range(len(fixed))))


def _group(findings: Findings, group: Group, fixed: Sequence[str], hardware: Sequence[int]) -> tuple[Cell, ...]:
    found = pair(findings.table, group.rows, ENERGY_DELAY, False)
    return (
        *(Cell(setting_text(name, group.settings[name])) for name in fixed),
        *(Cell(findings.level_texts[at][findings.codes[found.sparse, at]]) for at in hardware),
        figure_cell(ENERGY_DELAY, findings.figure(found.sparse, ENERGY_DELAY)),
        Cell(times(findings.figure(found.sparse, "speedup_vs_dense"))),
        Cell(percent(found.sparse_loss), f"{found.sparse_loss:.6g}"),
    )


# The rest ------------------------------------------------------------------------------------------------------------


def shares_table(findings: Findings) -> Table:
    """What each axis explains of each objective."""
    names = findings.goals.figures
    totals = bool(findings.shares) and all(share.total is not None for share in findings.shares[0])
    headings = ["axis"]
    for name in names:
        headings += [f"{figure_name(name)}: alone", "with interactions"] if totals else [f"{figure_name(name)}: alone"]
    rows = []
    for at in findings.important:
        axis = findings.axes[at].name
        cells = [Cell(findings.labels[axis], axis)]
        for shares in findings.shares:
            share = next(each for each in shares if each.axis == axis)
            cells.append(Cell(percent(share.first), f"{share.first:.6g}"))
            if totals and share.total is not None:
                cells.append(Cell(percent(share.total), f"{share.total:.6g}"))
        rows.append(tuple(cells))
    return Table(headings=tuple(headings), rows=tuple(rows))


def reasons_table(findings: Findings, most: int = 12) -> Table:
    """Why designs are infeasible, the most frequent reasons."""
    reasons = findings.reasons
    rows = [
        (Cell(f"{each.count:,}"), Cell(percent(each.count / len(findings.table))), Cell(each.pattern),
         Cell(each.example if each.example != each.pattern else ""), Cell(findings.key(each.row)))
        for each in reasons[:most]
    ]  # fmt: skip
    if len(reasons) > most:
        rest = sum(each.count for each in reasons[most:])
        said = f"{len(reasons) - most} other reasons"
        rows.append((Cell(f"{rest:,}"), Cell(percent(rest / len(findings.table))), Cell(said), _NONE, _NONE))
    headings = ("designs", "of all", "reason", "for example", "design")
    return Table(headings=headings, rows=tuple(rows), words=frozenset({2, 3, 4}))


def axes_table(findings: Findings) -> Table:
    """The space: each axis with its whole name and its values."""
    rows = []
    for at, axis in enumerate(findings.axes):
        texts = findings.level_texts[at][:-1]
        shown = ", ".join(texts if len(texts) <= 16 else [*texts[:7], "…", *texts[-7:]])
        base = findings.base.settings.get(axis.name) if findings.base else None
        rows.append((Cell(findings.labels[axis.name]), Cell(axis.name), Cell(f"{len(texts)}"), Cell(shown),
                     Cell(setting_text(axis.name, base))))  # fmt: skip
    for axis in findings.space.axes:
        if axis.scenario:
            texts = [setting_text(axis.name, value) for value in axis.values]
            rows.append((Cell("scenario"), Cell(axis.name), Cell(f"{len(texts)}"), Cell(", ".join(texts)), _NONE))
    headings = ("axis", "field", "values", "which", "base design")
    return Table(headings=headings, rows=tuple(rows), words=frozenset({0, 1, 3}))


def search_table(findings: Findings) -> Table | None:
    """The search beside the whole space."""
    search = findings.search
    if search is None:
        return None
    rows = (
        (Cell("hypervolume of its front, of the whole front's"), Cell(percent(search.hypervolume))),
        (Cell("share of the whole front that it found"), Cell(percent(search.found))),
        (Cell("designs evaluated"), Cell(f"{search.evaluated:,}")),
        (Cell("designs of the whole space"), Cell(f"{search.size:,}")),
        (Cell("evaluated, of all"), Cell(percent(search.evaluated / search.size))),
    )
    return Table(headings=("", "search"), rows=rows)
