"""The answer for a terminal: plain text, at most 80 columns wide, fit for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...dataflow.cycle_causes import STAGES
from ...sim.results.simulation_result import SimulationResult
from ..shared.plain_text import aligned, wrapped
from ..shared.provenance import parameters, status_words
from ..shared.quantities import byte_count, count, cycles, joules, percent, seconds, times
from .answer import answer, are_alike, comparison, is_dense, labels, sample_seconds
from .answer_range import range_note, range_sentence
from .effectual import effectual_lines
from .extra_work import extra_work_sentence
from .memory import memory_lines
from .remarks import remarks
from .shares import array_share, dynamic_energy_ratio, static_share
from .splits import split_lines, split_words, splits_of
from .throughput import throughput_row
from .verdict import help_words
from .whole_training import beyond_the_step, training_comparison, training_run_text


def text_summary(results: Sequence[SimulationResult]) -> str:
    """What the run found, in a screen of text.

    Args:
        results: one, or several to stand side by side.

    Returns:
        Lines of at most 80 characters, names permitting.
    """
    lines = _one(results[0]) if len(results) == 1 else _several(results)
    return "\n".join(line.rstrip() for line in lines)


def _one(result: SimulationResult) -> Iterator[str]:
    yield from wrapped(answer(result))
    yield from wrapped(help_words(result))
    yield from _remarks([result])
    yield ""
    yield from aligned(_figures(result))
    yield ""
    yield from aligned(_stages(result))
    yield ""
    if result.extra_work:
        yield from wrapped(extra_work_sentence(result))
        yield ""
    if result.training is not None:
        yield from training_run_text(result.training).splitlines()
        yield ""
    if result.range is not None:
        yield from wrapped(range_note(result.range))
    yield from _footnotes([result])


def _several(results: Sequence[SimulationResult]) -> Iterator[str]:
    yield from wrapped(comparison(results))
    yield from _remarks(results)
    yield ""
    alike = are_alike(results)
    rows = [["", "step", *([] if alike else ["a"]), *_HEADINGS[0]]]
    rows.append(["", "time", *([] if alike else ["sample"]), *_HEADINGS[1]])
    for name, result in zip(labels(results), results, strict=True):
        step, gemm = result.by_scope["step"], result.by_scope["gemm"]
        rows.append(
            [
                name,
                seconds(result.step_seconds),
                *([] if alike else [seconds(sample_seconds(result))]),
                times(step.speedup_vs_dense),
                times(gemm.speedup_vs_dense),
                times(result.flop_bound_speedup),
                joules(result.energy_joules),
                times(step.energy_ratio_vs_dense),
                _ratio(dynamic_energy_ratio(result)),
                percent(array_share(result)),
            ]
        )
    yield from aligned(rows)
    yield ""
    whole = training_comparison(results)
    if whole is not None:
        yield from aligned([list(whole.headings), *([cell.text for cell in row] for row in whole.rows)])
        yield ""
    for number, splits in enumerate(splits_of(results)):
        yield from wrapped(split_words(results)) if number == 0 else ()
        yield from split_lines(splits)
        yield ""
    for name, result in zip(labels(results), results, strict=True):
        told = " ".join(filter(None, (range_sentence(result), help_words(result))))
        if told and not is_dense(result):
            yield from wrapped(f"{name}: {told}")
            if result.range is not None:
                yield from wrapped(range_note(result.range))
            yield ""
    yield from _footnotes(results)


_HEADINGS = (
    ("speedup", "speedup", "FLOP", "energy", "energy", "without", "array,"),
    ("step", "gemm", "bound", "", "ratio", "static", "of step"),
)
"""Of the columns of several runs, in two lines."""


def _remarks(results: Sequence[SimulationResult]) -> Iterator[str]:
    for sentence in remarks(results):
        yield from wrapped(sentence)


def _figures(result: SimulationResult) -> list[list[str]]:
    dense, step, gemm = result.dense, result.by_scope["step"], result.by_scope["gemm"]
    traffic = result.dram_read_bytes + result.dram_write_bytes
    rows = [
        [
            "step time",
            seconds(dense.step_seconds),
            seconds(result.step_seconds),
            f"{times(step.speedup_vs_dense)} speedup",
        ],
        ["step cycles", cycles(dense.total_cycles), cycles(result.total_cycles), ""],
        [
            "  matrix products",
            cycles(round(gemm.total_cycles * gemm.speedup_vs_dense)),
            cycles(gemm.total_cycles),
            f"{times(gemm.speedup_vs_dense)} speedup",
        ],
        ["FLOP bound", "", "", f"{times(result.flop_bound_speedup)} speedup"],
        [
            "energy",
            joules(dense.energy_joules),
            joules(result.energy_joules),
            f"{times(step.energy_ratio_vs_dense)} of dense",
        ],
        [
            "  without static",
            joules(dense.energy_joules * (1 - static_share(dense))),
            joules(result.energy_joules * (1 - static_share(result))),
            f"{_ratio(dynamic_energy_ratio(result))} of dense",
        ],
        [
            "  matrix products",
            joules(gemm.energy_joules / gemm.energy_ratio_vs_dense) if gemm.energy_ratio_vs_dense else "",
            joules(gemm.energy_joules),
            f"{times(gemm.energy_ratio_vs_dense)} of dense",
        ],
        throughput_row(result),
        ["DRAM traffic", byte_count(dense.dram_read_bytes + dense.dram_write_bytes), byte_count(traffic), ""],
        ["array use of the step", percent(array_share(dense)), percent(array_share(result)), ""],
        ["  while it runs", percent(dense.array_utilisation), percent(result.array_utilisation), ""],
    ]
    if is_dense(result):
        return [[row[0], row[2]] for row in rows if row[2]]
    return [["", "dense", "this run", ""], *rows]


def _ratio(value: float | None) -> str:
    return "-" if value is None else times(value)


def _stages(result: SimulationResult) -> list[list[str]]:
    seen = [stage for stage in STAGES if result.by_stage.get(stage) or result.dense.by_stage.get(stage)]
    rows = [["exposed cycles", *seen]]
    if not is_dense(result):
        rows.append(["dense", *(count(result.dense.by_stage.get(stage, 0)) for stage in seen)])
    return [*rows, ["this run", *(count(result.by_stage.get(stage, 0)) for stage in seen)]]


def _footnotes(results: Sequence[SimulationResult]) -> Iterator[str]:
    named = {name for result in results for name in result.uncounted.values()}
    unknown = sorted({name for result in results for name in result.unknown_operators} - named)
    if unknown:
        listed = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        yield from wrapped(f"Warning: priced as a generic pass, for want of a formula: {listed}.")
    beyond = beyond_the_step(results)
    for line in (*([beyond] if beyond else []), *effectual_lines(results), *memory_lines(results)):
        yield from wrapped(line)
    counts = status_words(parameters(results))
    note = f"Rests on {counts} parameters. " if counts else ""
    yield from wrapped(f"{note}gemm: tensor engine with its waits; step: everything. Energy ratio below 1 saves.")
