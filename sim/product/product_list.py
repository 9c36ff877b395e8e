"""A CSV list of products, each on an array of its own size: array cycles and utilisation of every row.

Columns ``rows, cols, dataflow, M, N, K`` and optionally ``sparsity`` (N:M of operand B along K; blank is dense), in
any order, in capitals or not. Everything else about the array is the design's. Other columns are handed through, so
that a list of measured cycles can stand beside; one whose name is nearly a known name is refused, because a misspelt
``sparsity`` must not mean dense.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...accel.specification import Hardware
from ...configs.errors import BisparseError, ConfigError
from ...configs.pattern import DENSE, Pattern
from ...configs.whole_file import read_table
from .single_product import LARGEST_MACS, ArrayFigures, array_figures, parse_dataflow, plain_product

NEEDED = ("rows", "cols", "dataflow", "M", "N", "K")
OPTIONAL = ("sparsity",)
FIGURES = ("useful_macs", "array_cycles", "array_utilisation")
"""Columns that are added."""

_NEAR = 0.75
"""Likeness of names from which one is taken for the other misspelt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProduct:
    """One row of a list.

    Attributes:
        place: ``file:line``.
        given: the row as it stands, by the columns' own names.
        rows: R of the array.
        cols: C of the array.
        dataflow: as written, ``os``, ``ws``, ``is`` or ``best``.
        m: rows of A and C.
        n: columns of B and C.
        k: length of the sums.
        pattern: of operand B along k; 1:1 when dense.
    """

    place: str
    given: dict[str, str]
    rows: int
    cols: int
    dataflow: str
    m: int
    n: int
    k: int
    pattern: Pattern

    def on(self, hardware: Hardware) -> ArrayFigures:
        """The product on the design's array, made of this row's size.

        Raises:
            ConfigError: the design lacks the dataflow or the pattern; the message names file, line and column.
        """
        engine = hardware.tensor_engine.model_copy(update={"rows": self.rows, "cols": self.cols})
        dataflow = parse_dataflow(self.dataflow)
        if dataflow is not None and dataflow not in engine.dataflows:
            offered = ", ".join(engine.dataflows)
            raise ConfigError(
                f"{self.place}: dataflow: got {dataflow}, need one that {hardware.name} offers: {offered}"
            )
        if not engine.supports(self.pattern):
            offered = ", ".join(engine.patterns) or "dense only"
            raise ConfigError(
                f"{self.place}: sparsity: got {self.pattern}, need one that {hardware.name} offers: {offered}"
            )
        try:
            return array_figures(engine, plain_product(self.m, self.n, self.k, self.pattern), dataflow)
        except BisparseError as error:
            raise ConfigError(f"{self.place}: {error}") from None

    def with_figures(self, hardware: Hardware) -> dict[str, str | int | float]:
        """The row as it was given, and what was found."""
        figures = self.on(hardware)
        useful = plain_product(self.m, self.n, self.k, self.pattern).issued_macs
        return {**self.given, **dict(zip(FIGURES, (useful, figures.cycles, figures.utilisation), strict=True))}


def read_products(path: Path | str) -> Iterator[ListedProduct]:
    """Read a list of products, row after row.

    Raises:
        ConfigError: the file cannot be read, a column is missing or unknown, or a value is wrong; the message names
            file, line and column.
    """
    _, text = read_table(path, need="a CSV list of products")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        columns = _columns(header, f"{path}:1")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _product(f"{path}:{reader.line_num}", header, columns, cells)
    except csv.Error as error:
        raise ConfigError(f"{path}:{reader.line_num}: got broken CSV ({error}), need a row of values") from None


def _columns(header: list[str], place: str) -> dict[str, int]:
    """Where each known column stands."""
    known = {name.lower(): name for name in (*NEEDED, *OPTIONAL)}
    columns: dict[str, int] = {}
    for position, name in enumerate(header):
        if header.index(name) != position or known.get(name.lower()) in columns:
            raise ConfigError(f"{place}: {name}: got the column twice, need it once")
        if name in FIGURES:
            raise ConfigError(f"{place}: {name}: got a column of this name, need another: it is added here")
        if name.lower() in known:
            columns[known[name.lower()]] = position
            continue
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_NEAR)
        if near:
            raise ConfigError(f"{place}: {name}: got an unknown column, need {', '.join(NEEDED)}; try {known[near[0]]}")
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise ConfigError(f"{place}: {missing[0]}: got no such column, need {', '.join(NEEDED)}")
    return columns


def _product(place: str, header: list[str], columns: dict[str, int], cells: list[str]) -> ListedProduct:
    if len(cells) != len(header):
        raise ConfigError(f"{place}: got {len(cells)} values, need {len(header)}, one a column")
    value = {name: cells[position].strip() for name, position in columns.items()}

    def extent(name: str) -> int:
        text = value[name]
        if not (text.isascii() and text.isdecimal() and int(text) > 0):
            raise ConfigError(f"{place}: {name}: got {text!r}, need a positive integer")
        return int(text)

    try:
        dataflow = value["dataflow"].lower()
        parse_dataflow(dataflow)
        pattern = Pattern.parse(value["sparsity"]) if value.get("sparsity") else DENSE
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    m, n, k = extent("M"), extent("N"), extent("K")
    if m * n * k > LARGEST_MACS:
        raise ConfigError(f"{place}: K: got {m}x{n}x{k}, need at most {LARGEST_MACS} multiply-accumulates")
    return ListedProduct(
        place=place,
        given=dict(zip(header, cells, strict=True)),
        rows=extent("rows"),
        cols=extent("cols"),
        dataflow=dataflow,
        m=m,
        n=n,
        k=k,
        pattern=pattern,
    )
