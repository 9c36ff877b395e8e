"""Drawings as SVG made here: boxes, arrows and words in the page's colours, for what is no chart.

A colour ``@name`` is the page's CSS variable ``--name``, as in figures. Words, which may be out of files, are escaped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

_SIZE = 12
"""Of letters, unless another is said."""

LETTER = 0.56
"""Width of a letter over its size, on average."""


@dataclass(slots=True, kw_only=True)
class Drawing:
    """A drawing that grows by its methods; y goes down, all in pixels.

    Attributes:
        width: of the whole.
        height: of the whole.
        parts: elements so far.
    """

    width: float
    height: float
    parts: list[str] = field(default_factory=list)

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: str = "@card", line: str = "@quiet"
    ) -> None:
        """A rectangle."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="{_colour(fill)}" '
            f'stroke="{_colour(line)}"/>'
        )

    def grid(self, x: float, y: float, width: float, height: float, *, across: int, down: int, line: str) -> None:
        """Lines that part a rectangle."""
        path = [f"M{x + width * at / across:.1f} {y:.1f}v{height:.1f}" for at in range(1, across)]
        path += [f"M{x:.1f} {y + height * at / down:.1f}h{width:.1f}" for at in range(1, down)]
        if path:
            self.parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{_colour(line)}" stroke-width=".7"/>')

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        bold: bool = False,
        anchor: str = "start",
        colour: str = "@ink",
        mono: bool = False,
    ) -> None:
        """A line of words; ``anchor`` is ``start``, ``middle`` or ``end``."""
        # What the whole drawing says is not said again: a page may hold a hundred of them.
        own = "" if size == _SIZE else f' font-size="{size:g}"'
        own += "" if anchor == "start" else f' text-anchor="{anchor}"'
        own += "" if colour == "@ink" else f' fill="{_colour(colour)}"'
        own += ' font-weight="600"' if bold else ""
        own += ' font-family="monospace" xml:space="preserve"' if mono else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}"{own}>{escape(text)}</text>')

    def arrow(self, x0: float, y0: float, x1: float, y1: float, *, both: bool = False, colour: str = "@ink") -> None:
        """A line with a head at its end, or at both."""
        path = f"M{x0:g} {y0:g}L{x1:g} {y1:g}" + _head(x0, y0, x1, y1)
        if both:
            path += _head(x1, y1, x0, y0)
        self.parts.append(f'<path d="{path}" fill="none" stroke="{_colour(colour)}" stroke-width="1.6"/>')

    def svg(self) -> str:
        """The whole, to stand in a page."""
        inside = "".join(self.parts)
        own = f'viewBox="0 0 {self.width:g} {self.height:g}" font-size="{_SIZE}" fill="var(--ink)" aria-hidden="true"'
        return f"<svg {own}>{inside}</svg>"


def _head(x0: float, y0: float, x1: float, y1: float) -> str:
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    back_x, back_y = (x0 - x1) / length * 6, (y0 - y1) / length * 6
    return "".join(f"M{x1:g} {y1:g}l{back_x - turn * back_y:.1f} {back_y + turn * back_x:.1f}" for turn in (0.6, -0.6))


def _colour(name: str) -> str:
    return f"var(--{name[1:]})" if name.startswith("@") else name


def fitted(text: str, width: float, size: float = 12) -> str:
    """A text cut to a width.

    >>> fitted("interleave", 40), fitted("ok", 40)
    ('inte…', 'ok')
    """
    most = max(1, int(width / (size * LETTER)))
    return text if len(text) <= most else text[: most - 1] + "…"
