"""Products on a tensor engine in SystemVerilog: what they come to, and the cycle in which the last result leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ....configs.arrays import FloatArray
from ..machines.output_stationary import product_of
from .icarus import simulate, top_of
from .layout import Counts, Memories, hex_words, lay_out, output_turns, stationary_operands
from .twin import Job, Twin


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one product gave.

    Attributes:
        product: [m, n].
        cycles: from the first in which the engine was enabled to the last result.
    """

    product: FloatArray
    cycles: int


def play(twin: Twin, jobs: Sequence[Job]) -> list[Played]:
    """Products on an engine, one after another in one simulation; several engines in one would take longer.

    Args:
        twin: the engine.
        jobs: at least one.

    Raises:
        ConfigError: there is no Icarus Verilog.
        MappingError: a product does not fit the engine.
        RuntimeError: the hardware found a hazard.
    """
    files, depth = {}, 0
    for file, lines in _memories(twin, [lay_out(twin, job) for job in jobs]):
        files[f"engine_{file}.hex"] = "\n".join(lines) + "\n"
        depth = depth if file == "jobs" else len(lines)
    given: dict[str, int | str] = {"NAME": "engine", "JOBS": len(jobs), "DEPTH": depth, **twin.parameters()}
    said: list[list[list[str]]] = [[] for _ in jobs]
    for line in simulate("array_bench.sv", top_of("array_bench", {"engine": given}), files):
        if "x" in line.lower():
            raise RuntimeError(f"a result was never set: {line}")
        _, kind, job, *numbers = line.split()
        said[int(job)].append([kind, *numbers])
    return [_played(twin, job, lines) for job, lines in zip(jobs, said, strict=True)]


def _memories(twin: Twin, laid: Sequence[tuple[Counts, Memories]]) -> Iterator[tuple[str, list[str]]]:
    """Names and lines of the files that an engine's bench reads."""
    index_bits = max(1, (twin.group - 1).bit_length())
    pairs, vectors, plain = index_bits, None, None
    widths = (pairs, vectors, plain) if twin.pairs_west else (vectors, pairs, pairs)
    # One word at least: a memory of none is none.
    lines: dict[str, list[str]] = {"west": [], "north": ["0"], "stay": ["0"]}
    jobs: list[str] = []
    for counts, memories in laid:
        bases = [len(each) for each in lines.values()]
        jobs += [f"{value:x}" for value in counts.values() + bases]
        for (name, each), width in zip(lines.items(), widths, strict=True):
            each += hex_words(getattr(memories, name), width)
    yield "jobs", jobs
    longest = max(map(len, lines.values()))
    for name, each in lines.items():
        yield name, each + ["0"] * (longest - len(each))


def _played(twin: Twin, job: Job, said: Sequence[Sequence[str]]) -> Played:
    (cycles,) = [int(cycle) for kind, cycle, *_ in said if kind == "d"]
    results = np.array([list(map(int, numbers)) for kind, *numbers in said if kind != "d"], dtype=np.int64)
    reading = _output_product if job.mapping.dataflow == "os" else _stationary_product
    return Played(product=reading(twin, job, results), cycles=cycles)


def _output_product(twin: Twin, job: Job, results: np.ndarray) -> FloatArray:
    """The product of results [results, (column, row, turn, value)], fold after fold at each place."""
    machine, turns = twin.machine, output_turns(twin, job)
    size = (turns[0] * turns[1], machine.rows, machine.cols)
    folds = len(results) // int(np.prod(size))
    column, row, turn, value = results.T
    order = np.lexsort((np.arange(len(results)), column, row, turn))
    by_place = value[order].reshape(*size, folds)
    return product_of(
        by_place.transpose(3, 0, 1, 2).astype(np.float64), turns, len(job.laid.rows), len(job.laid.columns)
    )


def _stationary_product(twin: Twin, job: Job, results: np.ndarray) -> FloatArray:
    """The product of sums [sums, (column, address, value)], of which the last at each address holds."""
    moving, stationary = stationary_operands(job)
    column, address, value = results.T
    sums = np.zeros((twin.machine.cols, int(address.max()) + 1))
    sums[column, address] = value
    by_fold = sums.reshape(twin.machine.cols, -1, len(moving)).transpose(2, 1, 0)
    product = by_fold.reshape(len(moving), -1)[:, : len(stationary)]
    return product.T if job.mapping.dataflow == "is" else product
