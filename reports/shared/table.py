"""Tables whose cells are already worded, so that the page, the Markdown and the terminal say the same."""

from __future__ import annotations

from dataclasses import dataclass

from .quantities import Formatter, times


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: what it says, and the exact figure behind it, if it is rounded.

    Attributes:
        text: what it says.
        exact: the figure behind it, or empty.
        short: what it says on a page; the rest where the pointer rests, and in a drawing there.
        drawn: the anchor of that drawing, behind its run's, or empty.
    """

    text: str
    exact: str = ""
    short: str = ""
    drawn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        headings: of the columns.
        rows: of cells, as many as headings.
        words: positions of the columns that hold words; the others hold figures.
        total: whether the last row sums the others.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: frozenset[int] = frozenset({0})
    total: bool = False


def figure(value: float, formatter: Formatter) -> Cell:
    """A cell with a rounded figure and the exact one behind it."""
    return Cell(formatter(value), f"{value:,}" if isinstance(value, int) else f"{value:.10g}")


def change(before: float, now: float) -> Cell:
    """How a figure stands to the dense step's."""
    if before == 0:
        return Cell("new" if now else "–")
    return Cell(times(now / before), f"{now / before:.6g}")
