"""Cycles of ``tpu-v3-core`` beside those of a TPU v3 core and of four simulators: the table of docs/validation.md.

    python examples/tpu-v3/measured.py [NAME ...] [--set FIELD=VALUE ...] [--fit]

Without names, the ten pieces of work that were timed. Names of the same kinds that were not (``gemm_2048x2048x2048``)
get our cycles alone. ``--set`` changes a field of the design, as ``bisparse simulate`` does. ``--fit`` tells which
values of the constants that are fitted agree best with all ten, each tried with the others held until none is better,
and how far each piece of work is from what the other nine alone would have been fitted to. Needs torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean

from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.sim.witness.silicon import DESIGN, TimedWork, mean_absolute_error, peers_of, timed_work
from bisparse.training.graph import TrainingGraph
from workloads import graph_of

import bisparse

TRIED: dict[str, tuple[float, ...]] = {
    "tensor_engine.share_from": (1, 128),
    "dram.latency_seconds": (200e-9, 300e-9, 400e-9, 500e-9),
    "dram.efficiency": (0.6, 0.65, 0.7, 0.75, 0.8),
    "vector_engine.operations.softmax.cycles_per_element": (27, 30, 33, 36),
    "vector_engine.operations.layer_norm.cycles_per_element": (61, 63, 65),
}
"""Values tried of each constant that is fitted."""

NEEDED_BY = {
    "softmax": ("softmax",),
    "layer_norm": ("layer_norm",),
    "tensor_engine": ("linear", "matmul", "convolution"),
}
"""Constants that matter to work with operators of some kinds alone: a part of their names, and the kinds."""


@cache
def graph(name: str) -> TrainingGraph:
    """The graph of a name, captured once."""
    return graph_of(name)


def cycles_of(name: str, constants: Mapping[str, float], said: Sequence[str] = ()) -> int:
    """Our cycles of a piece of work, with constants other than the design's, and fields said in words."""
    kinds = {operator.kind for operator in graph(name).operators}
    matter = (
        f"{field}={value:g}"
        for field, value in constants.items()
        if all(part not in field or kinds.intersection(needing) for part, needing in NEEDED_BY.items())
    )
    return _cycles(name, (*matter, *said))


@cache
def _cycles(name: str, words: tuple[str, ...]) -> int:
    design = set_fields(load_hardware(DESIGN), words)
    return bisparse.simulate(graph(name), hardware=design, recipe="dense", pass_="inference").total_cycles


def row(cells: list[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def beside(work: TimedWork, cycles: int | None) -> str:
    """Cycles, and how far they are from silicon's."""
    return "" if cycles is None else f"{cycles:,} ({100 * work.error(cycles):+.0f}%)"


def compare(said: Sequence[str] = ()) -> None:
    """Print the table of the ten, and mean errors."""
    work = timed_work()
    peers, ours = peers_of(work), {each.name: cycles_of(each.name, {}, said) for each in work}
    print(row(["work", "TPU v3", "bisparse", *peers]))
    print(row(["---", *["--:"] * (2 + len(peers))]))
    for each in work:
        told = [beside(each, ours[each.name]), *(beside(each, each.peers.get(peer)) for peer in peers)]
        print(row([f"`{each.name}`", f"{each.cycles:,}", *told]))
    common = [each for each in work if set(each.peers) == set(peers)]
    for title, of in (("mean absolute error, all that it has", work), ("the same, where all have one", common)):
        said = [{each.name: each.peers[peer] for each in of if peer in each.peers} for peer in peers]
        errors = [mean_absolute_error(of, cycles) for cycles in ({each.name: ours[each.name] for each in of}, *said)]
        print(row([title, "", *(f"**{100 * error:.1f}%**" for error in errors)]))


def error(of: Sequence[TimedWork], constants: Mapping[str, float]) -> float:
    """Mean absolute error of some of the work with constants."""
    return mean_absolute_error(of, {each.name: cycles_of(each.name, constants) for each in of})


def fitted(of: Sequence[TimedWork]) -> dict[str, float]:
    """The constants that agree best with some of the work, one after another until none is better with the others."""
    found = {field: values[len(values) // 2] for field, values in TRIED.items()}
    while True:
        before = dict(found)
        for field, values in TRIED.items():
            found[field] = min(values, key=lambda value, field=field: error(of, found | {field: value}))
        if found == before:
            return found


def fit() -> None:
    """Print the constants that agree best with all that was timed, and with all but each piece of work."""
    work = timed_work()
    chosen, design = fitted(work), load_hardware(DESIGN).provenance
    print(row(["constant", "in the design", "fitted", "mean absolute error at each value tried"]))
    print(row(["---"] * 4))
    for field, values in TRIED.items():
        tried = (f"{value:g}: {100 * error(work, chosen | {field: value}):.1f}%" for value in values)
        print(row([f"`{field}`", str(design[field].value), f"{chosen[field]:g}", ", ".join(tried)]), flush=True)
    print()
    print(row(["left out", "fitted to the others", "error of it then", "error with all"]))
    print(row(["---", "---", "--:", "--:"]))
    errors = []
    for each in work:
        without = fitted([other for other in work if other is not each])
        then, now = (each.error(cycles_of(each.name, constants)) for constants in (without, chosen))
        errors.append(abs(then))
        values = ", ".join(f"{value:g}" for value in without.values())
        print(row([f"`{each.name}`", values, f"{100 * then:+.1f}%", f"{100 * now:+.1f}%"]), flush=True)
    print(row(["mean absolute error", "", f"{100 * fmean(errors):.1f}%", ""]))


def main() -> None:
    """Read the words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", dest="said")
    asked = parser.parse_args()
    timed = {each.name: each for each in timed_work()}
    for name in asked.names:
        cycles = cycles_of(name, {}, asked.said)
        known = f", TPU v3 {timed[name].cycles:,} ({100 * timed[name].error(cycles):+.1f}%)" if name in timed else ""
        print(f"{name}: {cycles:,} cycles{known}")
    if asked.fit:
        fit()
    elif not asked.names:
        compare(asked.said)


if __name__ == "__main__":
    main()
