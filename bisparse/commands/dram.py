"""``bisparse hardware dram``: picojoules a bit of DDR4 by the currents of its devices, for some ways to use it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

import typer

from . import options
from .completion import shipped
from .terminal import print_json, print_table


def dram(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="Shipped currents (ddr4-2400) or YAML file.", autocompletion=shipped("currents")
        ),
    ],
    reads: Annotated[float, typer.Option("--reads", metavar="SHARE", help="Of the bytes, that are read.")] = 0.5,
    busy: Annotated[float, typer.Option("--busy", metavar="SHARE", help="Of the peak bandwidth.")] = 1.0,
    as_json: options.Json = False,
) -> None:
    """Tell what a bit to or from DRAM takes, by the currents of its devices.

    Of rows that are read or written whole, and of a burst a row: what is in use lies between.

    Example: bisparse hardware dram ddr4-2400 --busy 0.25
    """
    from ..accel.dram_energy import Access, bit_energy, load_dram_currents
    from ..accel.dram_timings import load_dram_timings

    loaded = load_dram_currents(name)
    currents = loaded.model
    timing = load_dram_timings(currents.timing).model
    whole = Access(opened_bytes=timing.row_bytes, reads=reads, busy=busy)
    used = {"whole rows": whole, "a burst a row": replace(whole, opened_bytes=timing.burst_bytes)}
    found = {way: bit_energy(currents, timing, access) for way, access in used.items()}
    if as_json:
        ways = {way: asdict(used[way]) | asdict(each) | {"total": each.total} for way, each in found.items()}
        print_json({"name": currents.name, "title": currents.title, "unit": "pJ/bit", "uses": ways})
        return
    print(f"{currents.title}: pJ a bit, {reads:.0%} read, at {busy:.0%} of {timing.bytes_per_second / 1e9:g} GB/s")
    rows = [("", *found)]
    for part in asdict(found["whole rows"]):
        rows.append((part.replace("_", " "), *(f"{getattr(each, part):.2f}" for each in found.values())))
    rows.append(("total", *(f"{each.total:.2f}" for each in found.values())))
    print_table(rows, right=(1, 2))
    print("not counted: power-down, the controller, boards")
