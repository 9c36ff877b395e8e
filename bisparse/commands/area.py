"""``bisparse hardware area``: a design as a chip of its own, in square millimetres by component."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options
from .terminal import print_json, print_table


def area(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Shipped design, YAML or SCALE-Sim .cfg file.")],
    table: Annotated[
        str, typer.Option("--table", metavar="NAME|FILE", help="Area table: 45nm, 22nm, 7nm, or a YAML file.")
    ] = "22nm",
    set_fields: options.SetFields = None,
    as_json: options.Json = False,
) -> None:
    """Estimate the area of a design as a chip of its own, by component."""
    from ..accel.area import area as area_of
    from ..accel.area import document, load_area_table, total

    prices, design = load_area_table(table), options.load_design(name, set_fields).model
    if as_json:
        print_json(document(design, prices))
        return
    parts = area_of(design, prices)
    rows = [("component", "mm2", "from", "to")]
    for component, each in (*parts.items(), ("total", total(parts))):
        rows.append((component, f"{each.value:.3f}", f"{each.low:.3f}", f"{each.high:.3f}"))
    print(f"{design.name} at {prices.loaded.model.title}")
    print_table(rows, right=(1, 2, 3))
    print("not counted: wires, clock trees, pads, sequencers, memory controllers")
