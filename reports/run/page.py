"""The HTML report: one file that needs no network, the answer first.

``figures`` gives the pictures as data, ``html`` fills in the template and joins the library that draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...sim.results.simulation_result import SCHEMA_VERSION, SimulationResult
from ..shared.html import render, script_json
from ..shared.plotly_data import DENSE, SPARSE, Figure, paired_bars, pooled, stacked_bars
from ..shared.provenance import by_group, inputs_table, parameters, statuses
from ..shared.quantities import byte_count, cycles, joules, percent, seconds, times
from ..shared.step_words import CAUSE_WORDS, ENGINE_WORDS, STAGE_WORDS
from ..shared.subject import workload_name
from . import figures, operator_list, tables
from .answer import answer, comparison, dense_among, fastest, is_dense, labels
from .chrome_trace import timeline_file
from .ladder import ladder
from .memory import memory_sentence, memory_table, memory_warning, on_chip_sentence
from .memory_figure import memory_figure
from .roofline import undrawn
from .roofline_figure import roofline_figure
from .shares import array_share, dynamic_energy_ratio, static_share
from .timeline_figure import timeline_figure
from .whole_training import last_phase_sentence, phase_table, training_comparison, training_notes, training_sentence


def page(results: Sequence[SimulationResult], *, command: str) -> bytes:
    """The report as UTF-8 HTML.

    Args:
        results: one, or several to stand side by side.
        command: what a reader types to repeat the run.
    """
    names, rests_on = labels(results), parameters(results)
    panels = [
        _panel(position, name, result, results)
        for position, (name, result) in enumerate(zip(names, results, strict=True))
    ]
    drawings = {panel["key"]: panel.pop("figures") for panel in panels}
    if len(results) > 1:
        drawings["comparison"] = {
            "speedup": figures.speedup_figure(names, results),
            "energy": figures.energy_ratio_figure(names, results),
        }
    return render(
        "report.html.jinja",
        title=_title(names, results),
        answer=comparison(results) if len(results) > 1 else answer(results[0]),
        panels=panels,
        chosen=fastest(results),
        comparison_table=tables.comparison_table(results) if len(results) > 1 else None,
        training_comparison=training_comparison(results) if len(results) > 1 else None,
        assumptions=by_group(rests_on),
        statuses=statuses(rests_on),
        inputs_table=inputs_table(results),
        command=command,
        schema_version=SCHEMA_VERSION,
        bisparse_version=results[0].bisparse_version,
        figures_json=script_json(drawings),
        columns_json=script_json(operator_list.COLUMNS),
    )


def _title(names: Sequence[str], results: Sequence[SimulationResult]) -> str:
    network = workload_name(results[0])
    return f"{names[0]}: {network}" if len(results) == 1 else f"{network}: {len(results)} runs compared"


def _panel(position: int, name: str, result: SimulationResult, results: Sequence[SimulationResult]) -> dict[str, Any]:
    dense_run = is_dense(result)
    rungs = () if dense_run or result.flop_bound_speedup <= 1 else ladder(result)
    baseline = dense_among(result, results)
    return {
        "key": f"run{position}",
        "name": name,
        "answer": answer(result),
        "dense_run": dense_run,
        "highlights": _highlights(result),
        "unknown": result.unknown_operators,
        "last_phase": last_phase_sentence([result]),
        "training": phase_table(result),
        "training_words": [training_sentence(result.training), *training_notes(result.training)]
        if result.training
        else [],
        "settings": tables.settings_table(result),
        "stages": tables.stage_table(result),
        "engines": tables.engine_table(result),
        "breakdown": tables.breakdown_table(result),
        "ladder": tables.ladder_table(rungs) if rungs else None,
        "causes": tables.cause_table(result),
        "saved_most": operator_list.saved_most(result),
        "cost_most": operator_list.cost_most(result),
        "operators": len(result.rows),
        "operators_json": script_json(operator_list.all_operators(result)),
        "undrawn": undrawn(result),
        "has_dense_points": baseline is not None and baseline is not result,
        "traffic": tables.traffic_table(result),
        "ports": tables.port_table(result),
        "on_chip": on_chip_sentence(result) if result.on_chip else None,
        "memory": memory_table(result),
        "memory_sentence": memory_sentence(result.memory) if result.memory else None,
        "does_not_fit": memory_warning(result.memory) if result.memory else None,
        "energy": tables.energy_table(result),
        "mappings": tables.mapping_table(result),
        "candidates": result.candidates,
        "timeline_file": timeline_file(result, results) if result.profile is not None else "",
        "figures": _figures(result, name, rungs, baseline),
    }


def _figures(
    result: SimulationResult, name: str, rungs: Sequence[Any], baseline: SimulationResult | None
) -> dict[str, Figure]:
    dense_run = is_dense(result)

    def pair(words: dict[str, str], dense: dict[str, Any], own: dict[str, Any], quantity: str, unit: str) -> Figure:
        seen = [key for key in words if dense.get(key) or own.get(key)]
        first, second = pooled(
            {words[key]: dense.get(key, 0) for key in seen}, {words[key]: own.get(key, 0) for key in seen}
        )
        return paired_bars(first, None if dense_run else second, quantity=quantity, unit=unit, names=("dense", name))

    dense = result.dense
    parts = sorted(dense.energy_by_component, key=lambda part: -dense.energy_by_component[part])
    parts += [part for part in result.energy_by_component if part not in parts]
    drawn = {
        "stages": pair(STAGE_WORDS, dense.by_stage, result.by_stage, "exposed time", "cycles"),
        "engines": pair(ENGINE_WORDS, dense.by_engine, result.by_engine, "busy time", "cycles"),
        "causes": pair(CAUSE_WORDS, dense.stalls, result.stalls, "time of the step", "cycles"),
        "energy": pair(
            {part: part for part in parts}, dense.energy_by_component, result.energy_by_component, "energy", "J"
        ),
        "traffic": _traffic_figure(result),
        "roofline": roofline_figure(result, baseline if baseline is not result else None),
    }
    if result.memory is not None:
        drawn["memory"] = memory_figure(result.memory)
    if rungs:
        drawn["ladder"] = figures.ladder_figure(rungs)
    if result.profile is not None:
        drawn["timeline"] = timeline_figure(result, result.profile)
    return drawn


def _traffic_figure(result: SimulationResult) -> Figure:
    read = dict.fromkeys(STAGE_WORDS, 0)
    written = dict.fromkeys(STAGE_WORDS, 0)
    for row in result.rows:
        # A row of vector work names the stage it serves; the page counts it with the vector work.
        stage = "vector" if row.engine == "vector" else row.stage
        read[stage] += row.dram_read_bytes
        written[stage] += row.dram_write_bytes
    seen = [stage for stage in read if read[stage] or written[stage]]
    parts = {
        "read": {STAGE_WORDS[stage]: read[stage] for stage in seen},
        "written": {STAGE_WORDS[stage]: written[stage] for stage in seen},
    }
    own = DENSE if is_dense(result) else SPARSE
    return stacked_bars(parts, quantity="DRAM traffic", unit="B", colours=(own, "@pale"))


def _highlights(result: SimulationResult) -> list[dict[str, str]]:
    """The big numbers: each with what it is and what stands beside it."""
    time = {
        "value": seconds(result.step_seconds),
        "name": "a step",
        "beside": cycles(result.total_cycles),
    }
    energy = {"value": joules(result.energy_joules), "name": "energy of a step", "beside": ""}
    utilisation = {
        "value": percent(result.array_utilisation),
        "name": "array utilisation while it runs",
        "beside": f"of the whole step {percent(array_share(result))}",
    }
    traffic = {
        "value": byte_count(result.dram_read_bytes + result.dram_write_bytes),
        "name": "DRAM traffic",
        "beside": "",
    }
    if is_dense(result):
        return [time, energy, utilisation, traffic]
    time["beside"] = f"dense {seconds(result.dense.step_seconds)}"
    energy["beside"] = f"dense {joules(result.dense.energy_joules)}"
    utilisation["beside"] += (
        f"; dense {percent(result.dense.array_utilisation)} and {percent(array_share(result.dense))}"
    )
    traffic["beside"] = f"dense {byte_count(result.dense.dram_read_bytes + result.dense.dram_write_bytes)}"
    return [*_ratio_highlights(result), time, energy, utilisation, traffic]


def _ratio_highlights(result: SimulationResult) -> list[dict[str, str]]:
    """Against dense, in both scopes."""
    step, gemm = result.by_scope["step"], result.by_scope["gemm"]
    return [
        {
            "value": times(step.speedup_vs_dense),
            "name": "speedup, whole step",
            "beside": f"FLOP bound {times(result.flop_bound_speedup)}",
            "lead": "lead",
        },
        {
            "value": times(step.energy_ratio_vs_dense),
            "name": "energy ratio, whole step",
            "beside": _without_static(result),
            "lead": "lead",
        },
        {
            "value": times(gemm.speedup_vs_dense),
            "name": "speedup, matrix products",
            "beside": f"FLOP bound {times(result.flop_bound_speedup)}",
        },
        {
            "value": times(gemm.energy_ratio_vs_dense),
            "name": "energy ratio, matrix products",
            "beside": "below 1 saves",
        },
    ]


def _without_static(result: SimulationResult) -> str:
    ratio = dynamic_energy_ratio(result)
    if ratio is None or not static_share(result):
        return "below 1 saves"
    return f"{times(ratio)} without static power ({percent(static_share(result))} of it)"
