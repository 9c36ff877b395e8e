"""A section of a report, declared once: what the page shows of it, and what the Markdown does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .markdown_text import escaped, table_lines
from .plotly_data import Figure
from .table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a section in the Markdown, under a heading.

    Attributes:
        heading: empty where the text goes on under the one before.
        words: before the table.
        table: the figures; None where there is only a sentence.
    """

    heading: str = ""
    words: str = ""
    table: Table | None = None

    def lines(self) -> Iterator[str]:
        """It as Markdown, an empty line after each paragraph."""
        if self.heading:
            yield from (f"### {self.heading}", "")
        if self.words:
            yield from (escaped(self.words), "")
        if self.table:
            yield from table_lines(self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section.

    Attributes:
        heading: on the page.
        lede: what a reader must know of it.
        chart: the name among ``figures`` of the picture that stands beside the table, and what it shows.
        figures: pictures by name, unlike those of other sections.
        table: the figures.
        template: of the page; the plain one shows heading, lede, and the picture beside the table.
        values: what a template of its own needs besides.
        markdown: its parts there; none where it is of the page alone.
    """

    heading: str
    lede: str = ""
    chart: tuple[str, str] | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    table: Table | None = None
    template: str = "section.html.jinja"
    values: Mapping[str, Any] = field(default_factory=dict)
    markdown: tuple[Part, ...] = ()

    @property
    def anchor(self) -> str:
        """What a link to the section ends with, behind its run's.

        >>> Section(heading="From the FLOP bound to the prediction").anchor
        'from-the-flop-bound-to-the-prediction'
        """
        return re.sub(r"\W+", "-", self.heading.lower()).strip("-")
