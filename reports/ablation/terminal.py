"""An ablation for a terminal: the table, and a picture of bars that shows what each setting spends its time on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ...sim.studies.ablation.ablation import Ablation, AblationRow, Group
from ..shared.plain_text import WIDTH, wrapped
from ..shared.provenance import parameters, status_words
from ..shared.quantities import joules, seconds, times
from .words import GROUP_WORDS, PARTS, ablation_answer, fine, parts, row_name, short_name

MARKS: dict[str, str] = dict(zip(PARTS, "#:~-=.+", strict=True))
"""The character that a part of a bar is drawn with."""


def ablation_text(ablation: Ablation, *, width: int = WIDTH) -> str:
    """What the ablation found, as plain text.

    Args:
        ablation: the result.
        width: columns to fill; the table needs 80, the bars take the rest.
    """
    lines = (*wrapped(ablation_answer(ablation), width), "", *_table(ablation), "", *_picture(ablation, width), "")
    rests = f"Rests on {status_words(parameters([ablation]))} parameters. " if ablation.assumptions else ""
    notes = wrapped(
        f"{rests}Speedup: over {row_name(ablation.base)}. Gain: of the switch, the others alike. "
        "Over dense: over the dense step under the same setting.",
        width,
    )
    return "\n".join(line.rstrip() for line in (*lines, *notes))


# The table -----------------------------------------------------------------------------------------------------------

_HEADINGS = ("", "step time", "speedup", "gain", "over dense", "energy")


def _table(ablation: Ablation) -> Iterator[str]:
    cells = {row_name(row): _cells(row) for row in ablation.rows}
    widths = [
        max(len(heading), *(len(each[column]) for each in cells.values() if len(each) > 1))
        for column, heading in enumerate(_HEADINGS)
    ]
    yield _line(_HEADINGS, widths)
    group: Group | None = None
    for row in ablation.rows:
        if row.group != group and row.group != "all on":
            yield GROUP_WORDS[row.group]
        group = row.group
        own = cells[row_name(row)]
        if len(own) > 1:
            yield _line(own, widths)
        else:
            yield from textwrap.wrap(
                row.reason,
                WIDTH,
                initial_indent=f"{own[0].ljust(widths[0])}  ",
                subsequent_indent=" " * (widths[0] + 2),
                break_on_hyphens=False,
            )


def _cells(row: AblationRow) -> tuple[str, ...]:
    name = short_name(row) if row.group == "all on" else f"  {short_name(row)}"
    own = row.figures
    if own is None:
        return (name,)
    return (
        name,
        seconds(own.step_seconds),
        "-" if row.speedup is None else times(row.speedup),
        "" if row.gain is None else fine(row.gain),
        times(own.speedup_vs_dense),
        joules(own.energy_joules),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    return "  ".join(
        [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
    )


# The picture ---------------------------------------------------------------------------------------------------------


def _picture(ablation: Ablation, width: int) -> Iterator[str]:
    drawn = {row_name(row): (row, row.figures) for row in ablation.rows if row.figures is not None}
    names = max(map(len, drawn))
    longest = max(figures.total_cycles for _, figures in drawn.values())
    room = max(width - names - len("  |  19.3 ms"), 10)
    yield "where the step's time goes"
    for name, (row, figures) in drawn.items():
        bar = _bar(parts(row), room / longest if longest else 0.0)
        yield f"{name.ljust(names)}  |{bar} {seconds(figures.step_seconds)}"
    seen = [part for part in PARTS if any(parts(row)[part] for row, _ in drawn.values())]
    keys = (f"{MARKS[part]} {part}".replace(" ", "\N{NO-BREAK SPACE}") for part in seen)
    for line in textwrap.wrap("  ".join(keys), width, break_on_hyphens=False):
        yield line.replace("\N{NO-BREAK SPACE}", " ")


def _bar(lengths: dict[str, int], scale: float) -> str:
    """Parts side by side; where each ends is rounded, so that the whole is as long as the whole."""
    bar, reached = "", 0
    for part, cycles in lengths.items():
        reached += cycles
        bar += MARKS[part] * (round(reached * scale) - len(bar))
    return bar
