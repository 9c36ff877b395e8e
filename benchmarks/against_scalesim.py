"""Speed of bisparse against SCALE-Sim 3.0.0 on the same products in one run, as ratios; cycle counts must be equal.

The products are the forward GEMMs of the shipped workload ``resnet18-tinyimagenet`` lowered at batch 1, on a 32x32
array. What each side does for a product:

- *SCALE-Sim*: builds the address of every operand that every row and column of the array takes in every cycle, serves
  them from its buffers and reports cycles, utilisation, SRAM and DRAM accesses. No stalls (CALC bandwidth), no search:
  one dataflow, no tiles. Traces are not written, which its command line always does (``--traces`` writes them).
- *bisparse, array*: the closed form of the design ``systolic-textbook`` in the same dataflow. Only cycles and
  utilisation: less than SCALE-Sim gives, but the same count, checked row by row; exit code 1 if any differs.
- *bisparse, mapped*: the best of all mappings (dataflows, tiles, loop orders) with buffers, ports, DRAM timing and
  energy. In that respect more than SCALE-Sim does; but counted in closed form, without addresses.
- *bisparse, training step*: the whole workload at batch 512 on ``sat-vcu1525``: forward, backward, weight gradients and
  updates, all searched and timed, once dense and once under BDWP 2:8. Another job altogether, there for scale.

SCALE-Sim runs once, as it takes minutes. bisparse's times are medians of five processes, every product run once in
each, equal products as often as they occur. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scalesim_peer
from measuring import BenchmarkError, Cost, markdown_table, provenance, run_measured, three_digits

HERE = Path(__file__).parent
RESULT = HERE / "results" / "against-scalesim.md"
ROWS = COLS = 32
PROCESSES = 5
"""Processes of bisparse a job; the median is reported."""

DEFAULT_PRODUCTS = 6
"""Distinct products in the default run: some ninety seconds of SCALE-Sim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product of the list.

    Attributes:
        name: of its first occurrence in the network.
        size: M, N, K.
        occurrences: products of that size in the list.
    """

    name: str
    size: tuple[int, int, int]
    occurrences: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of bisparse: medians over its processes.

    Attributes:
        process: the whole process, start included.
        costs: of each product.
        answers: of each product, from the first process.
    """

    process: Cost
    costs: tuple[Cost, ...]
    answers: tuple[dict[str, Any], ...]


def main() -> int:
    """Run the comparison that the command line asks for; give the exit code."""
    options = _options()
    try:
        if options.setup:
            scalesim_peer.set_up()
        scalesim_peer.check()
        listed, versions = _list_products()
        products = _chosen(listed, full=options.full, layers=options.layers)
        sizes = [product.size for product in products for _ in range(product.occurrences)]
        array, mapped, step = (_job(name, sizes, options.dataflow) for name in ("array", "mapped", "step"))
        print(
            f"SCALE-Sim: {len(sizes)} products, {'some minutes' if options.full else 'a minute or two'} ...",
            file=sys.stderr,
        )
        peer = scalesim_peer.run(sizes, rows=ROWS, cols=COLS, dataflow=options.dataflow, traces=options.traces)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    different = _differences(sizes, array, peer)
    for line in different:
        print(line, file=sys.stderr)
    if different:
        return 1
    text = _report(
        products,
        peer=peer,
        array=array,
        mapped=mapped,
        step=step,
        versions={**versions, **peer.versions},
        options=options,
    )
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="first make benchmarks/.scalesim-venv with pip")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--layers",
        type=int,
        default=DEFAULT_PRODUCTS,
        metavar="N",
        help="the first N distinct products of the network, once each (default: %(default)s)",
    )
    length.add_argument("--full", action="store_true", help="every product of the network, as often as it occurs")
    parser.add_argument("--dataflow", choices=("os", "ws", "is"), default="os", help="default: %(default)s")
    parser.add_argument("--traces", action="store_true", help="let SCALE-Sim write its traces, then drop them")
    options = parser.parse_args()
    if options.layers < 1:
        parser.error(f"argument --layers: got {options.layers}, need at least 1")
    return options


def _list_products() -> tuple[list[tuple[str, tuple[int, int, int]]], dict[str, str]]:
    _, output = run_measured([sys.executable, HERE / "bisparse_driver.py", "list"])
    found = json.loads(output)
    return [(given["name"], (given["m"], given["n"], given["k"])) for given in found["products"]], found["versions"]


def _chosen(listed: Sequence[tuple[str, tuple[int, int, int]]], *, full: bool, layers: int) -> list[Product]:
    """Distinct products in the order of the network, each with how often it is to run."""
    sizes = [size for _, size in listed]
    names: dict[tuple[int, int, int], str] = {}
    for name, size in listed:
        names.setdefault(size, name)
    distinct = [
        Product(name=name, size=size, occurrences=sizes.count(size) if full else 1) for size, name in names.items()
    ]
    return distinct if full else distinct[:layers]


def _job(name: str, sizes: Sequence[tuple[int, int, int]], dataflow: str) -> Job:
    """Run a job of bisparse in several processes."""
    costs, answers = [], []
    with tempfile.TemporaryDirectory() as temporary:
        request = Path(temporary) / "request.json"
        request.write_text(
            json.dumps({"products": sizes, "rows": ROWS, "cols": COLS, "dataflow": dataflow}), encoding="utf-8"
        )
        for _ in range(PROCESSES):
            cost, output = run_measured([sys.executable, HERE / "bisparse_driver.py", name, request])
            costs.append(cost)
            answers.append(json.loads(output)["products"])
    each = zip(*answers, strict=True)
    return Job(
        process=Cost.median(costs),
        costs=tuple(Cost.median([_cost(answer) for answer in runs]) for runs in each),
        answers=tuple(answers[0]),
    )


def _cost(answer: dict[str, Any]) -> Cost:
    return Cost(wall_seconds=answer["wall_seconds"], cpu_seconds=answer["cpu_seconds"])


def _differences(sizes: Sequence[tuple[int, int, int]], array: Job, peer: scalesim_peer.PeerRun) -> list[str]:
    """A line for each product that the two do not agree on."""
    if len(peer.products) != len(sizes):
        return [f"SCALE-Sim: got {len(peer.products)} answers, need {len(sizes)}"]
    lines = []
    for size, ours, theirs in zip(sizes, array.answers, peer.products, strict=True):
        shown = "x".join(map(str, size))
        if ours["scalesim_total_cycles"] != theirs.total_cycles:
            lines.append(f"{shown}: SCALE-Sim {theirs.total_cycles}, bisparse {ours['scalesim_total_cycles']}")
        if theirs.stall_cycles:
            lines.append(f"{shown}: SCALE-Sim stalls for {theirs.stall_cycles} cycles, need none to compare arrays")
    return lines


# The report -----------------------------------------------------------------------------------------------------------


def _report(
    products: Sequence[Product],
    *,
    peer: scalesim_peer.PeerRun,
    array: Job,
    mapped: Job,
    step: Job,
    versions: dict[str, str],
    options: argparse.Namespace,
) -> str:
    whole = "every one" if options.full else f"the first {len(products)} of those that differ in size, once each"
    traces = "its traces written" if options.traces else "no traces written"
    done = step.answers[0]
    return "\n\n".join(
        [
            "# bisparse against SCALE-Sim",
            provenance(versions),
            f"Forward products of resnet18-tinyimagenet at batch 1, {whole}, on a {ROWS}x{COLS} array; SCALE-Sim's "
            f"dataflow {options.dataflow}, {traces}. Every cycle count is equal (SCALE-Sim prints one less: the index "
            "of the last cycle). A ratio is SCALE-Sim's time over bisparse's: above 1, bisparse is faster. What each "
            "side does is told in benchmarks/README.md.",
            "## The list",
            _list_table(peer=peer, array=array, mapped=mapped, step=step),
            f"*Array* gives the same cycles in closed form. *Mapped* searched {_candidates(mapped)} mappings a "
            "product, with buffers, ports, DRAM and energy. *Training step* is another, larger job: batch "
            f"{done['batch']} on {done['hardware']}, dense and BDWP 2:8, {done['total']:,} mappings considered. "
            f"bisparse: medians of {PROCESSES} processes; SCALE-Sim: one.",
            "## By product",
            _product_table(products, peer=peer, array=array, mapped=mapped),
            "Inside of the processes; cycles are the counts of bisparse. The first product of a process pays for what "
            "happens once.",
        ]
    )


def _candidates(mapped: Job) -> str:
    counts = [answer["candidates"] for answer in mapped.answers]
    return f"{min(counts):,} to {max(counts):,}" if len(set(counts)) > 1 else f"{counts[0]:,}"


def _list_table(*, peer: scalesim_peer.PeerRun, array: Job, mapped: Job, step: Job) -> str:
    theirs = Cost.total([product.cost for product in peer.products])
    rows = [_list_row("SCALE-Sim", theirs, peer.process, theirs, peer.process)]
    for name, job in (("bisparse, array", array), ("bisparse, mapped", mapped), ("bisparse, training step", step)):
        rows.append(_list_row(name, Cost.total(job.costs), job.process, theirs, peer.process))
    header = ["", "wall s", "CPU s", "wall ratio", "CPU ratio"]
    whole = ["process wall s", "process CPU s", "peak MB", "process wall ratio", "process CPU ratio"]
    return markdown_table(header + whole, rows)


def _list_row(name: str, inside: Cost, process: Cost, their_inside: Cost, their_process: Cost) -> list[str]:
    return [
        name,
        three_digits(inside.wall_seconds),
        three_digits(inside.cpu_seconds),
        three_digits(their_inside.wall_seconds / inside.wall_seconds),
        three_digits(their_inside.cpu_seconds / inside.cpu_seconds),
        three_digits(process.wall_seconds),
        three_digits(process.cpu_seconds),
        three_digits(process.peak_bytes / 1e6),
        three_digits(their_process.wall_seconds / process.wall_seconds),
        three_digits(their_process.cpu_seconds / process.cpu_seconds),
    ]


def _product_table(products: Sequence[Product], *, peer: scalesim_peer.PeerRun, array: Job, mapped: Job) -> str:
    rows, start = [], 0
    for product in products:
        own = slice(start, start + product.occurrences)
        start += product.occurrences
        theirs = Cost.total([found.cost for found in peer.products[own]])
        row = [product.name, "x".join(map(str, product.size)), str(product.occurrences)]
        row += [f"{array.answers[own][0]['cycles']:,}", three_digits(theirs.cpu_seconds / product.occurrences)]
        for job in (array, mapped):
            ours = Cost.total(job.costs[own])
            row.append(three_digits(theirs.wall_seconds / ours.wall_seconds))
            row.append(three_digits(theirs.cpu_seconds / ours.cpu_seconds))
        rows.append(row)
    header = ["product", "MxNxK", "times", "cycles", "SCALE-Sim CPU s each", "array wall ratio", "array CPU ratio"]
    return markdown_table([*header, "mapped wall ratio", "mapped CPU ratio"], rows, left_columns=2)


if __name__ == "__main__":
    sys.exit(main())
