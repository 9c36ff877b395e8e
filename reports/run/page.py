"""The HTML report: one file that needs no network, the answer first.

``figures`` gives the pictures as data, ``html`` fills in the template and joins the library that draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...sim.results.simulation_result import SCHEMA_VERSION, SimulationResult
from ..shared.html import figures_json, render, script_json
from ..shared.provenance import by_group, inputs_table, parameters, statuses
from ..shared.quantities import byte_count, cycles, joules, percent, seconds, times
from ..shared.subject import workload_name
from . import figures, operator_list, tables
from .answer import answer, comparison, fastest, is_dense, labels
from .answer_range import interval_words
from .memory import memory_warning
from .pass_words import details, step_name, step_words
from .remarks import remarks
from .run_view import RunView
from .sections import sections_of
from .shares import array_share, dynamic_energy_ratio, static_share
from .split_figure import split_figure
from .splits import split_heading, split_table, split_words, splits_of
from .whole_training import beyond_the_step, training_comparison


def page(results: Sequence[SimulationResult], *, command: str) -> bytes:
    """The report as UTF-8 HTML.

    Args:
        results: one, or several to stand side by side.
        command: what a reader types to repeat the run.
    """
    names, rests_on = labels(results), parameters(results)
    panels = [
        _panel(position, RunView(name=name, result=result, results=results))
        for position, (name, result) in enumerate(zip(names, results, strict=True))
    ]
    drawings = {panel["key"]: panel.pop("figures") for panel in panels}
    compared = splits_of(results) if len(results) > 1 else []
    if len(results) > 1:
        drawings["comparison"] = {
            **{f"split-{splits.of}": split_figure(splits) for splits in compared},
            "speedup": figures.speedup_figure(names, results),
            "energy": figures.energy_ratio_figure(names, results),
            "time": figures.time_figure(names, results),
        }
    return render(
        "report.html.jinja",
        title=_title(names, results),
        answer=comparison(results) if len(results) > 1 else answer(results[0]),
        panels=panels,
        chosen=fastest(results),
        comparison_table=tables.comparison_table(results) if len(results) > 1 else None,
        training_comparison=training_comparison(results) if len(results) > 1 else None,
        splits=[(splits.of, split_heading(splits), split_table(splits)) for splits in compared],
        split_words=split_words(results),
        assumptions=by_group(rests_on),
        statuses=statuses(rests_on),
        inputs_table=inputs_table(results),
        command=command,
        schema_version=SCHEMA_VERSION,
        timelines=any(result.profile is not None for result in results),
        inference=all(result.inference for result in results),
        steps=" or ".join(dict.fromkeys(map(step_name, results))),
        bisparse_version=results[0].bisparse_version,
        figures_json=figures_json(drawings),
        columns_json=script_json(operator_list.COLUMNS),
    )


def _title(names: Sequence[str], results: Sequence[SimulationResult]) -> str:
    alike = len({*map(step_words, results)}) == 1
    network = f"{workload_name(results[0])}{details(results[0]) if alike else ''}"
    return f"{names[0]}: {network}" if len(results) == 1 else f"{network}: {len(results)} runs compared"


def _panel(position: int, view: RunView) -> dict[str, Any]:
    result, sections = view.result, sections_of(view)
    return {
        "key": f"run{position}",
        "name": view.name,
        "answer": answer(result),
        "highlights": _highlights(result),
        "remarks": remarks([result]),
        "unknown": result.unknown_operators,
        "last_phase": beyond_the_step([result]),
        "does_not_fit": memory_warning(result.memory) if result.memory else None,
        "sections": sections,
        "figures": {name: drawn for section in sections for name, drawn in section.figures.items()},
    }


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
            "beside": f"{_within(result, 'speedup')}FLOP bound {times(result.flop_bound_speedup)}",
            "lead": "lead",
        },
        {
            "value": times(step.energy_ratio_vs_dense),
            "name": "energy ratio, whole step",
            "beside": f"{_within(result, 'energy_ratio')}{_without_static(result)}",
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


def _within(result: SimulationResult, figure: str) -> str:
    """Where a figure lies within what the assumptions leave open, where that is known."""
    return "" if result.range is None else f"{interval_words(getattr(result.range, figure))}; "


def _without_static(result: SimulationResult) -> str:
    ratio = dynamic_energy_ratio(result)
    if ratio is None or not static_share(result):
        return "below 1 saves"
    return f"{times(ratio)} without static power ({percent(static_share(result))} of it)"
