"""What the work of a step is and moves: operators, traffic, memory, energy, mappings; and its settings."""

from __future__ import annotations

from ...dataflow.cycle_causes import STAGES
from ..shared.html import script_json
from ..shared.plotly_data import DENSE, SPARSE, Figure, stacked_bars
from ..shared.section import Part, Section
from . import operator_list, tables
from .answer import is_dense
from .density_figure import density_figure
from .effectual import NAME, effectual_words
from .hardware_picture import hardware_drawing, hardware_table
from .mapping_picture import MOST, SHOWN, drawn_mappings
from .memory import memory_sentence, memory_table, on_chip_sentence, was_wider
from .memory_figure import memory_figure
from .roofline import undrawn
from .roofline_figure import roofline_figure
from .run_view import RunView


def operator_section(view: RunView) -> Section:
    """The operators that changed most, those that take most time, and all of them."""
    saved, cost = (
        operator_list.saved_most(view.result, _drawn(view)),
        operator_list.cost_most(view.result, _drawn(view)),
    )
    changed = (Part(heading="Operators that changed most", table=saved),) if saved else ()
    return Section(
        heading="The operators that matter",
        table=cost,
        template="run/operators.html.jinja",
        values={
            "saved_most": saved,
            "operators": len(view.result.rows),
            "operators_json": script_json(operator_list.all_operators(view.result)),
        },
        markdown=(*changed, Part(heading="Operators that take most time", table=cost)),
    )


def _drawn(view: RunView) -> int:
    """Mappings that are drawn: of several runs, fewer each."""
    return MOST if len(view.results) == 1 else SHOWN


def roofline_section(view: RunView) -> Section | None:
    """Multiply-accumulates a byte against those a cycle; None where nothing multiplies."""
    if not view.result.useful_macs:
        return None
    return Section(
        heading="Roofline",
        figures={"roofline": roofline_figure(view.result, view.baseline)},
        template="run/roofline.html.jinja",
        values={"undrawn": undrawn(view.result), "has_dense_points": view.baseline is not None},
    )


def traffic_section(view: RunView) -> Section:
    """Bytes of DRAM and of the array's ports."""
    result, table = view.result, tables.traffic_table(view.result)
    on_chip = on_chip_sentence(result) if result.on_chip else ""
    return Section(
        heading="Traffic",
        figures={"traffic": _traffic_figure(view)},
        table=table,
        template="run/traffic.html.jinja",
        values={"ports": tables.port_table(result), "on_chip": on_chip},
        markdown=(Part(heading="DRAM traffic", table=table), Part(words=on_chip)),
    )


def _traffic_figure(view: RunView) -> Figure:
    read = dict.fromkeys(STAGES, 0)
    written = dict.fromkeys(STAGES, 0)
    for row in view.result.rows:
        # A row of vector work names the stage it serves; the page counts it with the vector work.
        stage = "vector" if row.engine == "vector" else row.stage
        read[stage] += row.dram_read_bytes
        written[stage] += row.dram_write_bytes
    seen = [stage for stage in read if read[stage] or written[stage]]
    parts = {
        "read": {STAGES[stage]: read[stage] for stage in seen},
        "written": {STAGES[stage]: written[stage] for stage in seen},
    }
    own = DENSE if is_dense(view.result) else SPARSE
    return stacked_bars(parts, quantity="DRAM traffic", unit="B", colours=(own, "@pale"))


def memory_section(view: RunView) -> Section | None:
    """The card's memory over the step."""
    memory, table = view.result.memory, memory_table(view.result)
    if memory is None or table is None:
        return None
    words, longest = memory_sentence(memory, narrowed=was_wider(view.result)), ""
    if not view.result.inference:
        longest = "; gradients of weights lie there to the end of the step, which is the most that they can"
    return Section(
        heading="Memory over the step",
        figures={"memory": memory_figure(memory)},
        table=table,
        template="run/memory.html.jinja",
        values={"words": words, "longest": longest},
        markdown=(Part(heading="Memory over the step", words=words, table=table),),
    )


def density_section(view: RunView) -> Section | None:
    """Which products have two non-zero operands, where that was measured."""
    drawn = density_figure(view.result)
    if drawn is None:
        return None
    return Section(
        heading="Non-zero products by layer",
        lede=f"{NAME[0].upper()}{NAME[1:]}: {effectual_words(view.result)}.",
        chart=("densities", "Share of issued products whose two operands are non-zero, by layer and stage"),
        figures={"densities": drawn},
    )


def energy_section(view: RunView) -> Section:
    """Energy by component, the largest of the dense step first."""
    own, table = view.result.energy_by_component, tables.energy_table(view.result)
    dense = view.result.dense.energy_by_component
    parts = sorted(dense, key=lambda part: -dense[part])
    parts += [part for part in own if part not in parts]
    drawn = view.beside_dense({part: part for part in parts}, dense, own, "energy", "J")
    return Section(
        heading="Energy by component",
        chart=("energy", "Energy by component"),
        figures={"energy": drawn},
        table=table,
        markdown=(Part(heading="Energy by component", table=table),),
    )


def mapping_section(view: RunView) -> Section:
    """What the search chose."""
    return Section(
        heading="Mappings",
        table=tables.mapping_table(view.result),
        template="run/mappings.html.jinja",
        values={
            "candidates": view.result.candidates,
            "drawn": drawn_mappings(view.result, _drawn(view)),
            "shown": SHOWN,
        },
    )


def hardware_section(view: RunView) -> Section | None:
    """What lies where, and how wide the ways are."""
    drawn = hardware_drawing(view.result)
    if drawn is None:
        return None
    return Section(
        heading="The hardware",
        table=hardware_table(view.result),
        template="run/hardware.html.jinja",
        values={"drawn": drawn},
    )


def settings_section(view: RunView) -> Section:
    """How the run was asked for; the Markdown opens with it."""
    return Section(heading="Settings", table=tables.settings_table(view.result), template="run/settings.html.jinja")
