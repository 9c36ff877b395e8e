"""The mapping of a product, drawn: the loops over tiles, a tile cut into folds, and what a fold is on the array.

A mapping is read from its words in the result, so that an old result is drawn too. What the words do not tell, such as
how many tiles the product has, is not drawn; of a dataflow other than OS, WS and IS, only the loops and the tile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...sim.results.simulation_result import SimulationResult
from ..shared.drawing import Drawing, fitted
from ..shared.quantities import percent
from .hardware_picture import values

MOST, SHOWN = 18, 6
"""Mappings that are drawn: those that take most of the step; and of them those that the page does not fold away."""

_WORDS = re.compile(
    r"(?P<dataflow>\w+)(?P<swapped> swapped)?, (?P<array>.*?),? ?tile (?P<m>\d+)x(?P<n>\d+)x(?P<k>\d+), "
    r"loops (?P<order>[mnk]{3})(?:, (?P<form>.*))?"
)
_INTERLEAVE = re.compile(r"interleave (\d+)x(\d+)")
_SPLIT = re.compile(r"k split over (\d+) groups of columns")
_TITLES = {"OS": "output stationary", "WS": "weight stationary", "IS": "input stationary"}
_MOST_FOLDS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingWords:
    """A mapping as its words have it.

    Attributes:
        dataflow: its short name, such as ``OS``.
        swapped: whether n lies along the rows (OS).
        array: its numbers, in words.
        tile: extents of a full tile along m, n and k.
        order: of the loops over tiles, outermost first.
        form: how the product is brought to the array, or empty.
    """

    dataflow: str
    swapped: bool
    array: str
    tile: dict[str, int]
    order: str
    form: str

    @classmethod
    def read(cls, text: str) -> MappingWords | None:
        """The mapping of a row; None of one that several products share, or of words that are others.

        >>> MappingWords.read("OS swapped, interleave 4x2, tile 64x32x256, loops mnk").tile
        {'m': 64, 'n': 32, 'k': 256}
        >>> MappingWords.read("something else")
        """
        found = _WORDS.fullmatch(text)
        if found is None:
            return None
        return cls(
            dataflow=found["dataflow"],
            swapped=bool(found["swapped"]),
            array=found["array"],
            tile={name: int(found[name]) for name in "mnk"},
            order=found["order"],
            form=found["form"] or "",
        )

    @property
    def short(self) -> str:
        """Dataflow and tile."""
        return f"{self.dataflow} {self.tile['m']}x{self.tile['n']}x{self.tile['k']}"

    @property
    def shares(self) -> int:
        """Groups of columns that share k out."""
        found = _SPLIT.search(self.form)
        return int(found[1]) if found else 1

    def fold(self, rows: int, columns: int) -> tuple[str, int, str, int] | None:
        """The dimension down the rows and its extent in a fold, and that along the columns; None where not known."""
        if self.dataflow != "OS" or not (numbers := _INTERLEAVE.search(self.array)):
            return None
        down, across = ("n", "m") if self.swapped else ("m", "n")
        return down, rows * int(numbers[1]), across, columns * int(numbers[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMapping:
    """A mapping that the page draws.

    Attributes:
        anchor: what a link to it ends with, behind its run's.
        text: its words in the result.
        svg: the drawing.
        used: by whom, and the share of the step that they take.
    """

    anchor: str
    text: str
    svg: str
    used: str


def drawn_mappings(result: SimulationResult, most: int = MOST) -> list[DrawnMapping]:
    """The mappings of the operators that take most time, those first."""
    known = values(result)
    size = [known.get(f"hardware.tensor_engine.{side}", "") for side in ("rows", "cols")]
    if not all(each.isdigit() for each in size):
        return []
    uses: dict[str, list[tuple[str, int]]] = {}
    for row in result.rows:
        uses.setdefault(row.mapping, []).append((row.name, row.cycles))
    told = sorted(uses.items(), key=lambda item: -sum(cycles for _, cycles in item[1]))
    read = [(text, words, own) for text, own in told if (words := MappingWords.read(text)) is not None]
    return [
        DrawnMapping(
            anchor=f"mapping-{number}",
            text=text,
            svg=_drawing(words, int(size[0]), int(size[1])),
            used=_used(own, result.total_cycles),
        )
        for number, (text, words, own) in enumerate(read[:most], start=1)
    ]


def _used(own: list[tuple[str, int]], total: int) -> str:
    names = [name for name, _ in sorted(own, key=lambda each: -each[1])]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    share = percent(sum(cycles for _, cycles in own) / total) if total else "–"
    return f"{', '.join(names[:3])}{more}: {share} of the step"


def _drawing(words: MappingWords, rows: int, columns: int) -> str:
    own = Drawing(width=400, height=216)
    _loops(own, words)
    _tile(own, words, rows, columns)
    _fold(own, words, rows, columns)
    return own.svg()


def _loops(own: Drawing, words: MappingWords) -> None:
    own.words(0, 14, "loops over tiles", bold=True)
    for depth, name in enumerate(words.order):
        own.words(12 * depth, 38 + 18 * depth, f"for {name} by {words.tile[name]:,}", mono=True)
    title = _TITLES.get(words.dataflow, words.dataflow) + (", swapped" if words.swapped else "")
    own.words(0, 122, title, bold=True)
    own.words(0, 140, fitted(words.array, 145), colour="@quiet")
    if words.form:
        own.words(0, 158, fitted(words.form, 145), colour="@quiet")


def _tile(own: Drawing, words: MappingWords, rows: int, columns: int) -> None:
    m, n = words.tile["m"], words.tile["n"]
    left, top, most = 152, 40, 100
    # By the square root: a tile is often fifty times as high as it is wide.
    scale = most / max(m**0.5, n**0.5)
    width, height = max(14.0, scale * n**0.5), max(14.0, scale * m**0.5)
    own.words(left, 14, "a tile of results", bold=True)
    own.box(left, top, width, height, fill="@mark", line="@sparse")
    own.words(left, top - 8, f"n {n:,}", size=11)
    own.words(left, top + height + 16, f"m {m:,} down", size=11)
    own.words(left, top + height + 31, f"sums over k {words.tile['k']:,}", size=11)
    fold = words.fold(rows, columns)
    if fold is None:
        return
    extents = {fold[0]: fold[1], fold[2]: fold[3]}
    down, across = -(-m // extents["m"]), -(-n // extents["n"])
    if max(down, across) <= _MOST_FOLDS:
        own.grid(left, top, width, height, across=across, down=down, line="@sparse")
    own.box(left, top, width / across, height / down, fill="@pale", line="@sparse")
    own.words(left, top + height + 46, f"{down:,} x {across:,} folds", size=11)


def _fold(own: Drawing, words: MappingWords, rows: int, columns: int) -> None:
    left, top, side = 300, 40, 96
    own.words(270, 14, f"on {rows} x {columns} PEs", bold=True)
    own.box(left, top, side, side, fill="@paper", line="@sparse")
    own.grid(left, top, side, side, across=min(columns, 8), down=min(rows, 8), line="@pale")
    own.arrow(left - 26, top + side / 2, left - 4, top + side / 2, colour="@west")
    own.arrow(left + side / 2, top - 18, left + side / 2, top - 3, colour="@north")
    fold = words.fold(rows, columns)
    if fold is not None:
        west, north = ("B", "A") if words.swapped else ("A", "B")
        down, deep, across, wide = fold
        own.words(left - 30, top + side / 2 + 4, west, anchor="end")
        own.words(left + side / 2 + 8, top - 8, north)
        own.words(262, top + side + 16, f"{down} {deep:,} down rows", size=11)
        along = f"{wide:,}" if words.shares == 1 else f"{words.tile[across]:,}, {words.shares} times,"
        own.words(262, top + side + 32, f"{across} {along} along columns", size=11)
        own.words(262, top + side + 48, f"{deep // rows * (wide // columns)} sums stay in a PE", size=11)
    elif words.dataflow in ("WS", "IS"):
        stays, moves = ("B", "A") if (words.dataflow == "WS") != words.swapped else ("A", "B")
        own.words(left - 30, top + side / 2 + 4, moves, anchor="end")
        own.words(left + side / 2 + 8, top - 8, stays)
        own.words(262, top + side + 16, f"{stays} stays, k down rows", size=11)
        own.words(262, top + side + 32, f"{moves} streams past it", size=11)
        own.words(262, top + side + 48, "sums leave southward", size=11)
