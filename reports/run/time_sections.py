"""Where the time of a step goes: by stage, by engine, against the FLOP bound, by cause, and over the step."""

from __future__ import annotations

from ...accel.engines import ENGINES
from ...dataflow.cycle_causes import CYCLE_CAUSES, STAGES
from ...sim.results.simulation_result import SimulationResult
from ..shared.section import Part, Section
from . import tables
from .chrome_trace import timeline_file
from .figures import ladder_figure
from .run_view import RunView
from .timeline_figure import timeline_figure
from .whole_training import event_table, phase_table, training_notes, training_sentence

_STAGE_NOTE = "{stages} include{s} waits for vector work that rides on {their} products."


def stage_note(result: SimulationResult) -> str:
    """What the stages of the array include."""
    if result.inference:
        return _STAGE_NOTE.format(stages="FF", s="s", their="its")
    return _STAGE_NOTE.format(stages="FF, BP and WU", s="", their="their")


def training_section(view: RunView) -> Section | None:
    """The whole training run, where it was simulated."""
    training, phases = view.result.training, phase_table(view.result)
    if training is None or phases is None:
        return None
    events = event_table(training)
    words = " ".join([training_sentence(training), *training_notes(training)])
    return Section(
        heading="The whole training run",
        table=phases,
        template="run/training.html.jinja",
        values={"words": words, "events": events},
        markdown=(
            Part(heading="The whole training run", words=words, table=phases),
            *(() if events is None else (Part(table=events),)),
        ),
    )


def stage_section(view: RunView) -> Section:
    """Exposed cycles by stage."""
    result, table = view.result, tables.stage_table(view.result)
    drawn = view.beside_dense(STAGES, result.dense.by_stage, result.by_stage, "exposed time", "cycles")
    return Section(
        heading="Time by stage",
        lede="Exposed cycles: what the step would be shorter by, had the stage taken no time. They sum to the step. "
        f"{stage_note(result)}",
        chart=("stages", "Exposed cycles by stage"),
        figures={"stages": drawn},
        table=table,
        markdown=(Part(heading="Time by stage", words=stage_note(result), table=table),),
    )


def engine_section(view: RunView) -> Section:
    """Busy cycles by engine."""
    result, table = view.result, tables.engine_table(view.result)
    drawn = view.beside_dense(ENGINES, result.dense.by_engine, result.by_engine, "busy time", "cycles")
    return Section(
        heading="Time by engine",
        figures={"engines": drawn},
        table=table,
        template="run/engines.html.jinja",
        values={"breakdown": tables.breakdown_table(result)},
        markdown=(Part(heading="Time by engine", table=table),),
    )


def ladder_section(view: RunView) -> Section | None:
    """What stands between the FLOP bound and the prediction."""
    if not view.rungs:
        return None
    heading, table = "From the FLOP bound to the prediction", tables.ladder_table(view.rungs)
    return Section(
        heading=heading,
        figures={"ladder": ladder_figure(view.rungs)},
        table=table,
        template="run/ladder.html.jinja",
        markdown=(Part(heading=heading, table=table),),
    )


def cause_section(view: RunView) -> Section:
    """Cycles by cause."""
    result, table = view.result, tables.cause_table(view.result)
    drawn = view.beside_dense(CYCLE_CAUSES, result.dense.stalls, result.stalls, "time of the step", "cycles")
    return Section(
        heading="Where the cycles went",
        lede="Every cycle of the step by what the tensor engine did in it or waited for.",
        chart=("causes", "Cycles by cause"),
        figures={"causes": drawn},
        table=table,
        markdown=(Part(heading="Where the cycles went", table=table),),
    )


def timeline_section(view: RunView) -> Section | None:
    """The step over time, as the event engine played it."""
    result = view.result
    if result.profile is None:
        return None
    return Section(
        heading="The step over time",
        figures={"timeline": timeline_figure(result, result.profile)},
        template="run/timeline.html.jinja",
        values={"file": timeline_file(result, view.results)},
    )
