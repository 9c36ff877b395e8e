"""The zeros of a checkpoint, weight by weight: what they keep to, and what the design makes of them."""

from __future__ import annotations

from ...sim.results.own_weights import OwnZeros, WeightZeros
from ..shared.quantities import count, percent
from ..shared.section import Part, Section
from ..shared.table import Cell, Table, figure
from .own_weights import weights_sentence
from .run_view import RunView

_HEADING = "The checkpoint's zeros"


def weights_section(view: RunView) -> Section | None:
    """The table, where there is a checkpoint."""
    own = view.result.own_zeros
    if own is None:
        return None
    words, table = weights_sentence(view.result), _table(own)
    return Section(
        heading=_HEADING,
        lede=f"{words} Beside each weight the tightest format that its zeros keep to along each axis, and what each "
        "stage was simulated with; a forward pass groups inputs, a backward pass outputs.",
        table=table,
        markdown=(Part(heading=_HEADING, words=words, table=table),),
    )


def _table(own: OwnZeros) -> Table:
    stages = tuple(dict.fromkeys(stage for each in own.weights for stage in each.simulated))
    rows = tuple(
        (
            Cell(each.parameter),
            figure(each.elements, count),
            Cell(percent(each.share), f"{each.zeros:,} of {each.elements:,}"),
            Cell(each.found),
            Cell(each.along_inputs or "–"),
            Cell(each.along_outputs or "–"),
            Cell(f"{each.zero_outputs}, {each.zero_inputs}"),
            *(Cell(each.simulated.get(stage, "–")) for stage in stages),
            Cell(_unskipped(each)),
        )
        for each in own.weights
    )
    headings = (
        *("weight", "elements", "zeros", "what they are", "along inputs", "along outputs", "zero outputs, inputs"),
        *(f"{stage} simulated as" for stage in stages),
        "zeros that take time",
    )
    return Table(headings=headings, rows=rows, words=frozenset({0, *range(3, len(headings))}))


def _unskipped(weight: WeightZeros) -> str:
    """Why zeros take time, by stage unless for both alike."""
    if not weight.along_inputs:
        return "–"
    why = set(weight.unskipped.values())
    if len(why) == 1 and len(weight.unskipped) == len(weight.simulated):
        return why.pop()
    return "; ".join(f"{stage}: {reason}" for stage, reason in weight.unskipped.items()) or "none"
