"""DRAM bytes of matrix products: as bisparse maps them, and the fewest that ZigZag 3.9.1 finds with the same buffers.

The design is ``sat-vcu1525``: a 32x32 array, FP16 operands, FP32 sums, a buffer each for A, B and C, DRAM behind them.
ZigZag gets the same array and capacities, read from the design, with ``force_double_buffering``. What each side may do:

- *ZigZag*: every order of its loops, each axis cut into factors of its extent, at most ``lpf_limit`` factors for all
  axes together; tiles of one operand may be larger than another's along the same axis (``uneven``); an operand that
  fits is kept, and only what is replaced takes twice its size. It minimises bytes: a byte in DRAM costs a billion
  times a byte in a buffer. It runs once with each pair of axes along the array that the design's dataflows allow, and
  the least counts.
- *bisparse*: six loop orders, tiles from a ladder of sizes that need not divide the axis (the last tile is smaller),
  one tile size an axis for all operands; an operand is kept where its tiles fit, and what is replaced takes one tile
  more. It minimises time, and of what is as fast within a thousandth takes the one of the least energy at the prices of
  the design's own table: its bytes in DRAM are not what it minimises.

Products: those of the first table, which span large and small, forward and weight gradients; the plain ones (count 1,
no window) of the shipped workload ``bert-base`` at its own batch; and those of ``resnet50-imagenet``, its classifier
and 1x1 convolutions of stride 1, as far as bisparse moves more than the compulsory bytes: below them there is no
mapping. A search of ZigZag that takes more than two minutes of CPU time is given up; where all of a product are, they
are made again with a lower ``lpf_limit``. The row says either. A ratio below 1 says that bisparse moves less.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import zigzag_peer
from bisparse.accel.energy import EnergyModel
from bisparse.accel.energy_table import energy_table_of
from bisparse.accel.specification import Hardware, load_hardware
from bisparse.dataflow.gemm import Gemm, Result
from bisparse.dataflow.lowering import lower
from bisparse.dataflow.objective import Objective
from bisparse.dataflow.search import Choice, best_mapping
from bisparse.sim.product.single_product import plain_product
from measuring import BenchmarkError, Cost, markdown_table, provenance, three_digits

import bisparse
from bisparse.api import load_workload

RESULT = Path(__file__).parent / "results" / "against-zigzag.md"
DESIGN = "sat-vcu1525"
CPU_SECONDS = 120
"""That a search of ZigZag may take."""

LPF_LIMIT, LEAST_LPF_LIMIT = 6, 3
"""Loops of ZigZag, all axes together: what it starts with, and below which it gives up."""

AXES = ("mn", "kn", "mk")
"""Along rows and columns of the array: output stationary, weight stationary, and the latter with A at rest."""

VALUE_BYTES = 2
MORE = 1.01
"""A ratio above which a product is named below the tables."""

FIRST: tuple[tuple[int, int, int, Result], ...] = (
    (1024, 1024, 4096, "value"),
    (16384, 768, 768, "value"),
    (768, 768, 16384, "sum"),
    (768, 3072, 16384, "sum"),
    (16384, 3072, 768, "value"),
    (4096, 4096, 4096, "value"),
)
"""M, N, K, and what the result is kept as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A product on both sides.

    Attributes:
        gemm: the product.
        occurrences: products equal to it in its table.
        own_bytes: that bisparse moves.
        own_mapping: with which it does.
        peer: what ZigZag found, None where it took too long.
    """

    gemm: Gemm
    occurrences: int
    own_bytes: int
    own_mapping: str
    peer: Peer | None

    @property
    def ratio(self) -> float | None:
        """Bytes of bisparse over ZigZag's."""
        return self.own_bytes / self.peer.dram_bytes if self.peer else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Products that are shown together.

    Attributes:
        title: above them.
        rows: the products.
        left_out: distinct ones that are not shown, since bisparse moves their compulsory bytes.
    """

    title: str
    rows: tuple[Row, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The best that ZigZag found for a product.

    Attributes:
        dram_bytes: that move.
        notes: what was not searched as asked, since it took too long.
    """

    dram_bytes: int
    notes: tuple[str, ...]


@dataclass(kw_only=True)
class ZigZag:
    """ZigZag on one design; a product that came before is not searched again.

    Attributes:
        hardware: the design.
        lpf_limit: to start with.
        costs: of its processes.
    """

    hardware: Hardware
    lpf_limit: int
    costs: list[Cost] = field(default_factory=list)
    _found: dict[tuple[int, int, int, Result], Peer | None] = field(default_factory=dict)

    def least(self, gemm: Gemm) -> Peer | None:
        """The best over all axes along the array; None when all took too long."""
        key = gemm.m, gemm.n, gemm.k, gemm.result
        if key not in self._found:
            self._found[key] = self._search(gemm)
        return self._found[key]

    def _search(self, gemm: Gemm) -> Peer | None:
        for limit in range(self.lpf_limit, LEAST_LPF_LIMIT - 1, -1):
            found = self._run(gemm, limit)
            moved = [each for each in found.values() if each is not None]
            if moved:
                lowered = [f"lpf_limit {limit}"] if limit < self.lpf_limit else []
                late = [f"{axes} over {CPU_SECONDS} s" for axes, each in found.items() if each is None]
                return Peer(dram_bytes=min(moved), notes=(*lowered, *late))
        return None

    def _run(self, gemm: Gemm, lpf_limit: int) -> dict[str, int | None]:
        engine, buffers = self.hardware.tensor_engine, self.hardware.buffers
        request = {
            "m": gemm.m,
            "n": gemm.n,
            "k": gemm.k,
            "result_bytes": gemm.result_bytes(VALUE_BYTES),
            "rows": engine.rows,
            "cols": engine.cols,
            "west_bytes": buffers.west.capacity_bytes,
            "north_bytes": buffers.north.capacity_bytes,
            "output_bytes": buffers.output.capacity_bytes,
            "lpf_limit": lpf_limit,
        }
        found = zigzag_peer.least_dram(request, AXES, cpu_seconds=CPU_SECONDS)
        self.costs.append(found.cost)
        return found.dram_bytes


def main() -> int:
    """Compare what the command line asks for; give the exit code."""
    options = _options()
    try:
        if options.setup:
            zigzag_peer.set_up()
        zigzag_peer.check()
        design = load_hardware(DESIGN)
        hardware, prices = design.model, EnergyModel.of(design.model, energy_table_of(design).model)
        own = partial(best_mapping, hardware=hardware, objective=Objective(name="time", energy=prices))
        peer = ZigZag(hardware=hardware, lpf_limit=options.lpf_limit)
        tables = [
            _table("Single products", _first(), own, peer),
            _table(*_of_workload("bert-base"), own, peer),
            _table(*_of_workload("resnet50-imagenet"), own, peer, above_compulsory=True),
        ]
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    text = _report(tables, hardware, peer)
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="first make benchmarks/.zigzag-venv with pip")
    parser.add_argument(
        "--lpf-limit", type=int, default=LPF_LIMIT, metavar="N", help=f"of ZigZag's search; default {LPF_LIMIT}"
    )
    return parser.parse_args()


# Products ------------------------------------------------------------------------------------------------------------


def _first() -> list[tuple[Gemm, int]]:
    """The products of the first table, each once."""
    return [(replace(plain_product(m, n, k), result=result), 1) for m, n, k, result in FIRST]


def _of_workload(name: str) -> tuple[str, list[tuple[Gemm, int]]]:
    """A title, and the distinct plain products of a workload with how often each occurs."""
    batch = load_workload(name).graph.default_batch
    return f"`{name}` at batch {batch}", _distinct(_plain(name, batch))


def _plain(workload: str, batch: int) -> Iterator[Gemm]:
    """Products of a dense training step that are one product of two matrices, their results in one piece."""
    for operator in load_workload(workload).graph.operators:
        if operator.is_product:
            for gemm in lower(operator, batch).gemms:
                if gemm.count == 1 and gemm.window is None and gemm.taps == 1 and not gemm.scattered_result:
                    yield gemm


def _distinct(gemms: Iterator[Gemm]) -> list[tuple[Gemm, int]]:
    """The first of each size and kind of result, and how many there are."""
    first: dict[tuple[object, ...], Gemm] = {}
    count: dict[tuple[object, ...], int] = {}
    for gemm in gemms:
        key = gemm.shape_key
        first.setdefault(key, gemm)
        count[key] = count.get(key, 0) + 1
    return [(gemm, count[key]) for key, gemm in first.items()]


def _compulsory_bytes(gemm: Gemm) -> int:
    """Every operand once in, the result once out."""
    return VALUE_BYTES * gemm.k * (gemm.m + gemm.n) + gemm.result_bytes(VALUE_BYTES) * gemm.m * gemm.n


def _table(
    title: str,
    products: Sequence[tuple[Gemm, int]],
    own: Callable[[Gemm], Choice],
    peer: ZigZag,
    *,
    above_compulsory: bool = False,
) -> Table:
    """Map products on both sides; where asked, leave out those of which bisparse moves the compulsory bytes."""
    rows, left_out = [], 0
    for gemm, occurrences in products:
        choice = own(gemm)
        own_bytes = choice.moved_bytes
        if above_compulsory and own_bytes == _compulsory_bytes(gemm):
            left_out += 1
            continue
        print(f"{gemm.name} ...", file=sys.stderr)
        rows.append(
            Row(
                gemm=gemm,
                occurrences=occurrences,
                own_bytes=own_bytes,
                own_mapping=str(choice.mapping),
                peer=peer.least(gemm),
            )
        )
    return Table(title=title, rows=tuple(rows), left_out=left_out)


# The report -----------------------------------------------------------------------------------------------------------


def _report(tables: Sequence[Table], hardware: Hardware, peer: ZigZag) -> str:
    rows = [row for table in tables for row in table.rows]
    return "\n\n".join(
        [
            "# DRAM bytes against ZigZag",
            provenance({"bisparse": bisparse.__version__, "ZigZag": zigzag_peer.VERSION}),
            _setting(hardware, peer),
            *(f"## {table.title}\n\n{_body(table)}" for table in tables),
            _summary(rows),
        ]
    )


def _setting(hardware: Hardware, peer: ZigZag) -> str:
    """What both sides were given, and what each may do."""
    engine, buffers = hardware.tensor_engine, hardware.buffers
    sizes = ", ".join(
        f"{side} {getattr(buffers, side).capacity_bytes / 2**20:g} MiB" for side in ("west", "north", "output")
    )
    seconds = sum(cost.cpu_seconds for cost in peer.costs)
    return (
        f"Both: {engine.rows}x{engine.cols} array, FP16 operands, FP32 sums, buffers {sizes}, as `{DESIGN}`; DRAM "
        "behind them. Results are FP16, in a weight gradient (WU) FP32. MB is 10^6 bytes.\n\n"
        f"- ZigZag: least DRAM bytes over axis pairs {', '.join(AXES)} along the array, lpf_limit {peer.lpf_limit}, "
        "uneven mapping. Axes in factors of their extent: all tiles full. An operand stays in its buffer where it "
        "fits; with `force_double_buffering` what is replaced takes twice its size there, what is not takes it once.\n"
        "- bisparse: fastest mapping, of equally fast ones (a thousandth) the one of the least energy. Sizes need not "
        "divide an axis: the last tile is smaller. An operand stays across a loop that it does not depend on where it "
        "fits; what is replaced takes one tile more, what is not takes its size once.\n"
        f"- {len(peer.costs)} processes of ZigZag, {len(AXES)} searches each, took {three_digits(seconds)} s of CPU. A "
        f"search over {CPU_SECONDS} s of CPU is given up, and its row says so."
    )


def _body(table: Table) -> str:
    left_out = (
        f"{table.left_out} of {table.left_out + len(table.rows)} distinct products move their compulsory bytes as "
        "bisparse maps them; no mapping moves fewer, and ZigZag was not asked."
    )
    parts = [_rows(table.rows)] if table.rows else []
    return "\n\n".join([*parts, *([left_out] if table.left_out else [])])


def _rows(rows: Sequence[Row]) -> str:
    return markdown_table(
        ["product", "M x N x K", "times", "compulsory MB", "ZigZag MB", "bisparse MB", "bisparse / ZigZag"],
        [
            [
                _label(row.gemm),
                f"{row.gemm.m} x {row.gemm.n} x {row.gemm.k}",
                str(row.occurrences),
                _megabytes(_compulsory_bytes(row.gemm)),
                _of_peer(row.peer),
                _megabytes(row.own_bytes),
                "" if row.ratio is None else f"{row.ratio:.3f}",
            ]
            for row in rows
        ],
        left_columns=2,
    )


def _label(gemm: Gemm) -> str:
    if gemm.operator == "gemm":
        return "WU" if gemm.result == "sum" else "plain"
    return f"`{gemm.name}`"


def _of_peer(peer: Peer | None) -> str:
    """Bytes, and what was not searched as the head says."""
    if peer is None:
        return f"over {CPU_SECONDS} s"
    return _megabytes(peer.dram_bytes) + (f" ({', '.join(peer.notes)})" if peer.notes else "")


def _megabytes(moved: int) -> str:
    return f"{moved / 1e6:,.2f}" if moved >= 1e5 else f"{moved / 1e6:.4f}"


def _summary(rows: Sequence[Row]) -> str:
    """How many move less and more, and which more by over a hundredth."""
    compared = [row for row in rows if row.ratio is not None]
    less = sum(1 for row in compared if (row.ratio or 0) < 1 / MORE)
    more = [row for row in compared if (row.ratio or 0) > MORE]
    text = (
        f"Of {len(compared)} products compared bisparse moves over 1 % less in {less}, over 1 % more in {len(more)}, "
        f"and within 1 % in {len(compared) - less - len(more)}."
    )
    named = [f"- {_label(row.gemm)} {row.gemm.m} x {row.gemm.n} x {row.gemm.k}: {row.own_mapping}" for row in more]
    return "\n".join([text, *(["", "More:", "", *named] if named else [])])


if __name__ == "__main__":
    sys.exit(main())
