"""A CSV list of products: array cycles and utilisation of every row.

Columns ``M, N, K``, or those of a SCALE-Sim topology (see ``topology``); optionally ``rows, cols`` of the array (else
the design's), ``dataflow`` (else what is asked for, or the best) and ``sparsity`` (N:M of operand B along K; blank is
dense); in any order, in capitals or not. Everything else about the array is the design's. Other columns are handed
through, so that a list of measured cycles can stand beside; one whose name is nearly a known name is refused, because
a misspelt ``sparsity`` must not mean dense.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ...accel.specification import Hardware, TensorEngine
from ...configs.errors import BisparseError, ConfigError
from ...configs.pattern import DENSE, Pattern
from ...configs.whole_file import read_table
from ...configs.whole_number import NEED_COUNT, count_of
from .single_product import (
    BEST,
    LARGEST_MACS,
    ArrayFigures,
    array_figures,
    fewest_cycles,
    parse_dataflow,
    plain_product,
)
from .topology import BATCH, SIZES, STRIDES, is_convolution, layer_product, mended_header, mended_row, plain_name

PRODUCT = ("M", "N", "K")
LAYER = "layer name"
OPTIONAL = ("rows", "cols", "dataflow", "sparsity")
FIGURES = ("useful_macs", "array_cycles", "array_utilisation")
"""Columns that are added."""

_NEAR = 0.75
"""Likeness of names from which one is taken for the other misspelt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProduct:
    """One row of a list.

    Attributes:
        place: ``file:line``.
        given: the row as it stands, by the columns' own names, and M, N and K of a layer.
        rows: R of the array; the design's when None.
        cols: C of the array; the design's when None.
        dataflow: ``os``, ``ws``, ``is`` or ``best``.
        m: rows of A and C.
        n: columns of B and C.
        k: length of the sums.
        pattern: of operand B along k; 1:1 when dense.
    """

    place: str
    given: dict[str, str]
    rows: int | None
    cols: int | None
    dataflow: str
    m: int
    n: int
    k: int
    pattern: Pattern

    def engine(self, hardware: Hardware) -> TensorEngine:
        """The design's tensor engine, its array of this row's size where it gives one."""
        own = {name: size for name, size in (("rows", self.rows), ("cols", self.cols)) if size is not None}
        return hardware.tensor_engine.model_copy(update=own)

    def on(self, hardware: Hardware) -> ArrayFigures:
        """The product on the design's array, made of this row's size where it gives one.

        Raises:
            ConfigError: the design lacks the dataflow or the pattern; the message names file, line and column.
        """
        engine = self.engine(hardware)
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

    @property
    def kind(self) -> tuple[int | None, int | None, str, Pattern]:
        """What products have in common that are timed side by side."""
        return self.rows, self.cols, self.dataflow, self.pattern


_BLOCK = 4096
"""Rows timed side by side."""


def timed(products: Iterable[ListedProduct], hardware: Hardware) -> Iterator[dict[str, str | int | float]]:
    """Each row as it was given, and what was found, in the order of the list.

    Raises:
        ConfigError: as ``ListedProduct.on``, and what reading the products raises.
    """
    known = set[tuple[int | None, int | None, str, Pattern]]()
    rest = iter(products)
    while block := list(islice(_each_possible(rest, hardware, known), _BLOCK)):
        yield from _side_by_side(block, hardware)


def _each_possible(
    products: Iterator[ListedProduct], hardware: Hardware, known: set[tuple[int | None, int | None, str, Pattern]]
) -> Iterator[ListedProduct]:
    """The products, the first of each kind timed alone: it tells what the design lacks."""
    for product in products:
        if product.kind not in known:
            product.on(hardware)
            known.add(product.kind)
        yield product


def _side_by_side(block: Sequence[ListedProduct], hardware: Hardware) -> list[dict[str, str | int | float]]:
    kinds: dict[tuple[int | None, int | None, str, Pattern], list[int]] = {}
    for number, product in enumerate(block):
        kinds.setdefault(product.kind, []).append(number)
    found: list[dict[str, str | int | float]] = [{}] * len(block)
    for numbers in kinds.values():
        first = block[numbers[0]]
        engine = first.engine(hardware)
        sizes = np.array([(block[at].m, block[at].n, block[at].k) for at in numbers], dtype=np.int64).T
        cycles, useful = fewest_cycles(engine, first.pattern, sizes, parse_dataflow(first.dataflow))
        pes = engine.processing_elements
        for at, own, kept in zip(numbers, cycles.tolist(), useful.tolist(), strict=True):
            found[at] = {**block[at].given, **dict(zip(FIGURES, (kept, own, kept / (pes * own)), strict=True))}
    return found


def read_products(path: Path | str, **defaults: str | None) -> Iterator[ListedProduct]:
    """Read a list of products, row after row.

    Args:
        path: of the list.
        **defaults: ``dataflow`` and ``sparsity`` of rows in a list without such a column.

    Raises:
        ConfigError: the file cannot be read, a column is missing or unknown, or a value is wrong; the message names
            file, line and column. Or a default is given for a column that the list has.
    """
    _, text = read_table(path, need="a CSV list of products")
    for name, given in defaults.items():
        if given is not None:
            _ = parse_dataflow(given.lower()) if name == "dataflow" else Pattern.parse(given)
    first = text.partition("\n")[0]
    comma = "\t" if "\t" in first and "," not in first else ","
    if ";" in first and "," not in first:
        raise ConfigError(f"{path}:1: got columns parted by semicolons, need commas or tabs")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=comma)
    try:
        header = _trimmed([name.strip() for name in next(reader, [])])
        layers = is_convolution(header)
        header = mended_header(header) if layers else header
        columns = _columns(header, f"{path}:1", layers=layers)
        for name, given in defaults.items():
            if given is not None and name in columns:
                raise ConfigError(f"--{name}: got it with a list that has such a column, need one of the two")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                place, own, at = f"{path}:{reader.line_num}", header, columns
                if layers:
                    own, cells = mended_row(header, _trimmed(cells))
                    at = columns if own is header else _columns(own, place, layers=True)
                yield _product(place, own, at, cells, defaults)
    except csv.Error as error:
        raise ConfigError(f"{path}:{reader.line_num}: got broken CSV ({error}), need a row of values") from None


def _trimmed(cells: list[str]) -> list[str]:
    """A row without the empty cells at its end: many a list ends its lines with a comma."""
    count = len(cells)
    while count and not cells[count - 1].strip():
        count -= 1
    return cells[:count]


def _columns(header: list[str], place: str, *, layers: bool) -> dict[str, int]:
    """Where each known column stands."""
    needed = SIZES if layers else PRODUCT
    others = (*STRIDES, BATCH) if layers else ()
    known = {plain_name(name): name for name in (*needed, *others, *OPTIONAL)}
    columns: dict[str, int] = {}
    for position, name in enumerate(header):
        plain = plain_name(name)
        if header.index(name) != position or known.get(plain) in columns:
            raise ConfigError(f"{place}: {name}: got the column twice, need it once")
        if name.lower() in FIGURES or (layers and name.upper() in PRODUCT):
            raise ConfigError(f"{place}: {name}: got a column of this name, need another: it is added here")
        if plain in known:
            columns[known[plain]] = position
            continue
        near = difflib.get_close_matches(plain, known, n=1, cutoff=_NEAR)
        if near and plain != LAYER:
            raise ConfigError(f"{place}: {name}: got an unknown column, need {', '.join(needed)}; try {known[near[0]]}")
    missing = [name for name in needed if name not in columns]
    if layers and "Strides" not in columns and not set(STRIDES[1:]) <= set(columns):
        missing.append("Strides")
    if missing:
        also = "" if layers else ", or the columns of a SCALE-Sim topology"
        raise ConfigError(f"{place}: {missing[0]}: got no such column, need {', '.join(needed)}{also}")
    return columns


def _product(
    place: str, header: list[str], columns: dict[str, int], cells: list[str], defaults: Mapping[str, str | None]
) -> ListedProduct:
    if len(cells) > len(header):
        cells = [*cells[: len(header)], *_trimmed(cells[len(header) :])]
    if len(cells) != len(header):
        raise ConfigError(f"{place}: got {len(cells)} values, need {len(header)}, one a column")
    value = {name: given or "" for name, given in defaults.items()}
    value |= {name: cells[position].strip() for name, position in columns.items()}

    def extent(name: str) -> int:
        count = count_of(value[name])
        if count is None:
            raise ConfigError(f"{place}: {name}: got {value[name][:40]!r}, need {NEED_COUNT}")
        return count

    try:
        dataflow = value["dataflow"].lower() if value.get("dataflow") or "dataflow" in columns else BEST
        parse_dataflow(dataflow)
        pattern = Pattern.parse(value["sparsity"]) if value.get("sparsity") not in (None, "", "1") else DENSE
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    given = dict(zip(header, cells, strict=True))
    if SIZES[0] in columns:
        m, n, k = layer_product(place, {name: extent(name) for name in (*SIZES, *STRIDES, BATCH) if name in columns})
        given |= dict(zip(PRODUCT, map(str, (m, n, k)), strict=True))
    else:
        m, n, k = (extent(name) for name in PRODUCT)
    if m * n * k > LARGEST_MACS:
        field = "M" if SIZES[0] in columns else "K"
        raise ConfigError(f"{place}: {field}: got {m}x{n}x{k}, need at most {LARGEST_MACS} multiply-accumulates")
    return ListedProduct(
        place=place,
        given=given,
        rows=extent("rows") if "rows" in columns else None,
        cols=extent("cols") if "cols" in columns else None,
        dataflow=dataflow,
        m=m,
        n=n,
        k=k,
        pattern=pattern,
    )
