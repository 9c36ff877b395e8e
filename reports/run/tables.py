"""The tables of a run: of one step beside the dense one, and of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...accel.engines import ENGINES
from ...configs.sums import sum_in_order
from ...dataflow.cycle_causes import CYCLE_CAUSES, STAGES
from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import Formatter, byte_count, count, joules, percent, seconds, times
from ..shared.subject import hardware_name, recipe_name, workload_name
from ..shared.table import Cell, Table, change, figure
from . import effectual
from .answer import are_alike, is_dense, labels, sample_seconds
from .ladder import Rung
from .shares import array_share, dynamic_energy_ratio

_NONE = [Cell("–")]


def stage_table(result: SimulationResult) -> Table:
    """Exposed cycles by stage; they sum to the step."""
    return _paired("cycles by stage", STAGES, result.dense.by_stage, result.by_stage, count, result)


def cause_table(result: SimulationResult) -> Table:
    """Cycles of the step by cause; they sum to the step."""
    words = {cause: CYCLE_CAUSES[cause] for cause in CYCLE_CAUSES}
    return _paired("cycles by cause", words, result.dense.stalls, result.stalls, count, result)


def energy_table(result: SimulationResult) -> Table:
    """Energy by component, the largest first."""
    parts = dict.fromkeys((*result.dense.energy_by_component, *result.energy_by_component))
    order = sorted(parts, key=lambda name: -result.dense.energy_by_component.get(name, 0.0))
    words = {name: name for name in order}
    return _paired("component", words, result.dense.energy_by_component, result.energy_by_component, joules, result)


def traffic_table(result: SimulationResult) -> Table:
    """DRAM bytes of the step, read and written."""
    dense, own = ({"read": step.dram_read_bytes, "written": step.dram_write_bytes} for step in (result.dense, result))
    return _paired("DRAM", {"read": "read", "written": "written"}, dense, own, byte_count, result)


def engine_table(result: SimulationResult) -> Table:
    """Busy cycles by engine, what shows of them in the step, and what surely runs beside other work.

    Exposed cycles include waits for DRAM, so busy less exposed is the least that is hidden.
    """
    exposed = {stage: result.by_stage.get(stage, 0) for stage in STAGES}
    shows = {
        "tensor": sum(exposed[stage] for stage in ("FF", "BP", "WU")),
        **{engine: exposed[engine] for engine in ("vector", "update", "reduction")},
    }
    rows = []
    for name, words in ENGINES.items():
        busy, before = result.by_engine.get(name, 0), result.dense.by_engine.get(name, 0)
        if not busy and not before:
            continue
        # DRAM serves every engine: no stage is its own.
        own = [figure(shows[name], count), figure(max(0, busy - shows[name]), count)] if name in shows else _NONE * 2
        rows.append(
            (
                Cell(words),
                *([] if is_dense(result) else [figure(before, count)]),
                figure(busy, count),
                Cell(percent(busy / result.total_cycles) if result.total_cycles else "–"),
                *own,
            )
        )
    first = ("busy",) if is_dense(result) else ("dense busy", "busy")
    return Table(headings=("cycles by engine", *first, "of step", "exposed", "hidden, at least"), rows=tuple(rows))


def breakdown_table(result: SimulationResult) -> Table:
    """Work, traffic and energy by stage and engine, as the rows of ``operators.csv`` sum up."""
    return Table(
        headings=(
            "stage",
            "engine",
            "operators",
            "cycles",
            "hidden cycles",
            "useful MACs",
            "utilisation while it runs",
            "DRAM read",
            "DRAM written",
            "energy",
        ),
        rows=tuple(
            (
                Cell(part.stage),
                Cell(ENGINES[part.engine]),
                Cell(str(part.operators)),
                figure(part.cycles, count),
                figure(part.hidden_cycles, count),
                figure(part.useful_macs, count),
                Cell(percent(part.array_utilisation) if part.engine == "tensor" else "–"),
                figure(part.dram_read_bytes, byte_count),
                figure(part.dram_write_bytes, byte_count),
                figure(part.energy_joules, joules),
            )
            for part in result.breakdown
        ),
        words=frozenset({0, 1}),
    )


def port_table(result: SimulationResult) -> Table:
    """Bytes through the array's ports, and how many of them pass in a cycle of the tensor engine's work."""
    sides: dict[str, int] = {}
    for row in result.rows:
        for side, size in row.buffer_bytes.items():
            sides[side] = sides.get(side, 0) + size
    busy = result.by_engine.get("tensor", 0)
    return Table(
        headings=("port", "bytes", "bytes a tensor-engine cycle"),
        rows=tuple(
            (Cell(side), figure(size, byte_count), Cell(f"{size / busy:.1f} B" if busy else "–"))
            for side, size in sides.items()
        ),
    )


def ladder_table(rungs: Sequence[Rung]) -> Table:
    """The rungs between the dense step, the FLOP bound and the prediction."""
    dense = rungs[0].cycles
    rows = []
    for rung in rungs:
        if rung.kind == "total":
            size = figure(round(rung.cycles), count)
            share = Cell(times(dense / rung.cycles) if rung.cycles else "–")
        else:
            sign = "+" if rung.cycles > 0 else "−"
            size = Cell(f"{sign}{count(abs(rung.cycles))}", f"{round(rung.cycles):+,}")
            share = Cell("")
        rows.append((Cell(rung.name), size, share, Cell(rung.note)))
    return Table(headings=("rung", "cycles", "speedup", "how it is found"), rows=tuple(rows), words=frozenset({0, 3}))


def comparison_table(results: Sequence[SimulationResult]) -> Table:
    """A row for each run: time and energy in both scopes, and the FLOP bound."""
    rows, alike = [], are_alike(results)
    for name, result in zip(labels(results), results, strict=True):
        step, gemm, dynamic = result.by_scope["step"], result.by_scope["gemm"], dynamic_energy_ratio(result)
        rows.append(
            (
                Cell(name),
                figure(result.step_seconds, seconds),
                *([] if alike else [figure(sample_seconds(result), seconds)]),
                Cell(times(step.speedup_vs_dense), f"{step.speedup_vs_dense:.6g}"),
                Cell(times(gemm.speedup_vs_dense), f"{gemm.speedup_vs_dense:.6g}"),
                Cell(times(result.flop_bound_speedup), f"{result.flop_bound_speedup:.6g}"),
                figure(result.energy_joules, joules),
                Cell(times(step.energy_ratio_vs_dense), f"{step.energy_ratio_vs_dense:.6g}"),
                Cell("–") if dynamic is None else Cell(times(dynamic), f"{dynamic:.6g}"),
                Cell(times(gemm.energy_ratio_vs_dense), f"{gemm.energy_ratio_vs_dense:.6g}"),
                Cell(percent(array_share(result)), f"{array_share(result):.6g}"),
                Cell(percent(result.array_utilisation), f"{result.array_utilisation:.6g}"),
                figure(result.dram_read_bytes + result.dram_write_bytes, byte_count),
            )
        )
    return Table(
        headings=(
            "run",
            "step time",
            *([] if alike else ["a sample"]),
            "speedup, step",
            "speedup, gemm",
            "FLOP bound",
            "energy",
            "energy ratio, step",
            "energy ratio, step, without static",
            "energy ratio, gemm",
            "array use of the step",
            "array use while it runs",
            "DRAM traffic",
        ),
        rows=tuple(rows),
    )


def mapping_table(result: SimulationResult) -> Table:
    """The mappings of the tensor engine, those that take most time first: how often each is chosen, what it costs."""
    chosen: dict[str, list[int]] = {}
    for row in result.rows:
        if row.mapping:
            entry = chosen.setdefault(row.mapping, [0, 0])
            entry[0] += 1
            entry[1] += row.cycles
    total = sum(size for _, size in chosen.values())
    return Table(
        headings=("mapping", "operators", "cycles", "share"),
        rows=tuple(
            (Cell(mapping), Cell(str(uses)), figure(size, count), Cell(percent(size / total) if total else "–"))
            for mapping, (uses, size) in sorted(chosen.items(), key=lambda item: -item[1][1])
        ),
    )


def settings_table(result: SimulationResult) -> Table:
    """The settings of a run in words, for a reader who must repeat it."""
    total, fewest = result.candidates.get("total", 0), result.candidates.get("fewest", 0)
    considered = f"{total:,} in all, at least {fewest:,} a product"
    rows = {
        "hardware": f"{hardware_name(result)}: {result.title.get('hardware', '')}".rstrip(": "),
        "network": workload_name(result),
        "recipe": f"{recipe_name(result)}: {result.title.get('recipe', '')}".rstrip(": "),
        "sparsity": result.sparsity,
        "batch": f"{result.batch} samples",
        "optimizer": result.optimizer,
        "engine of the simulation": result.engine,
        "mappings chosen for": f"{result.objective}, product by product",
        "clock": f"{result.clock_hz / 1e6:g} MHz, one for every engine",
        "array peak": f"{result.peak_macs_per_cycle} MACs/cycle",
        "DRAM peak": f"{result.dram_bytes_per_cycle:g} B/cycle",
        "mappings considered": considered,
        "bisparse": result.bisparse_version,
    }
    zeros = effectual.effectual_words(result)
    if zeros is not None:
        rows[effectual.NAME] = zeros
    return Table(
        headings=("setting", "value"),
        rows=tuple((Cell(name), Cell(value)) for name, value in rows.items()),
        words=frozenset({0, 1}),
    )


def _paired(
    subject: str,
    words: Mapping[str, str],
    dense: Mapping[str, float],
    sparse: Mapping[str, float],
    formatter: Formatter,
    result: SimulationResult,
) -> Table:
    """A row for each key of ``words`` that either step has anything under, and their sum."""
    dense_run = is_dense(result)
    total = sum_in_order(sparse.get(key, 0) for key in words)

    def row(name: str, before: float, now: float) -> tuple[Cell, ...]:
        share = Cell(percent(now / total) if total else "–")
        if dense_run:
            return Cell(name), figure(now, formatter), share
        return Cell(name), figure(before, formatter), figure(now, formatter), change(before, now), share

    pairs = {name: (dense.get(key, 0), sparse.get(key, 0)) for key, name in words.items()}
    rows = [row(name, before, now) for name, (before, now) in pairs.items() if before or now]
    rows.append(row("total", sum_in_order(before for before, _ in pairs.values()), total))
    headings = (subject, "dense", "share") if dense_run else (subject, "dense", "this run", "ratio", "share")
    return Table(headings=headings, rows=tuple(rows), total=True)
