"""``bisparse hardware fit``: a design beside an FPGA part: what it takes, where it lies, what is short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .. import defaults
from . import options
from .terminal import print_json, print_table

if TYPE_CHECKING:
    from ..accel.resources.amounts import Amounts
    from ..accel.resources.fit import Fit


def fit(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Shipped design, YAML or SCALE-Sim .cfg file.")],
    part: Annotated[
        str, typer.Option("--part", metavar="NAME|FILE", help="Shipped part or YAML file; see hardware parts.")
    ] = defaults.PART,
    set_fields: options.SetFields = None,
    as_json: options.Json = False,
) -> None:
    """Count what a design takes of an FPGA part, and say whether it fits."""
    from ..accel.resources.fit import fit as fit_of
    from ..accel.resources.parts import load_part

    found = fit_of(options.load_design(name, set_fields).model, load_part(part).model)
    if as_json:
        print_json(found.document())
        return
    _print(found)


def list_parts(as_json: options.Json = False) -> None:
    """List the shipped FPGA parts."""
    from ..accel.resources.amounts import RESOURCES, TITLES
    from ..accel.resources.parts import load_part
    from ..configs.library import names

    parts = [load_part(name).model for name in names("parts")]
    if as_json:
        print_json({"parts": [part.model_dump(mode="json") for part in parts]})
        return
    rows = [("name", "regions", *TITLES.values(), "title")]
    for part in parts:
        has = (f"{getattr(part, resource):,}" for resource in RESOURCES)
        rows.append((part.name, str(len(part.room)), *has, part.title))
    print_table(rows, right=range(1, 2 + len(RESOURCES)))


def _print(found: Fit) -> None:
    from ..accel.resources.amounts import ENDS, RESOURCES, TITLES
    from ..accel.resources.components import NOT_COUNTED

    shares = " and ".join(f"{100 * found.placements[end].share:.0f}%" for end in (ENDS[0], ENDS[-1]))
    print(f"{found.design} ({found.rows}x{found.cols}) on {found.part.title}: {found.verdict}")
    fullest = found.placements["value"].fullest
    print(
        f"fullest: {TITLES[fullest.shortest]} of {fullest.region.name}, {100 * fullest.share:.0f}% "
        f"(between {shares} by what its operators take)"
    )
    for each in found.shortages:
        lack = each.needed - each.there
        print(f"short: {each.region}: {lack:,.0f} {TITLES[each.resource]} ({each.needed:,.0f} of {each.there:,})")
    if found.above_guideline:
        print("above AMD's guideline for timing (70% of LUTs, 50% of flip-flops, 80% of others in a region; UG1393)")
    largest = "none" if found.largest is None else "{}x{}".format(*found.largest)
    print(f"largest array of these proportions, all else as it is: {largest}\n")
    rows = [("component", *TITLES.values(), "LUTs from", "to")]
    for component in found.parts:
        rows.append(_row(component.name, component.whole.value, component.whole.low, component.whole.high))
    total = found.placements
    rows.append(_row("total", total["value"].total, total["low"].total, total["high"].total))
    print_table(rows, right=range(1, 3 + len(RESOURCES)))
    print()
    regions = [("region", "rows", *TITLES.values())]
    for use in found.placements["value"].uses:
        of = zip(use.used, use.region.amounts, strict=True)
        regions.append((use.region.name, str(use.rows), *(f"{used:,.0f} of {there:,}" for used, there in of)))
    print_table(regions, right=range(1, 2 + len(RESOURCES)))
    kinds = ", ".join(f"{name} of {TITLES[kind]}" for name, kind in found.placements["value"].memories.items())
    print(
        f"\nmemories: {kinds}\nnot counted: {'; '.join(NOT_COUNTED)}\nno clock is claimed: nothing is placed or routed"
    )


def _row(name: str, value: Amounts, low: Amounts, high: Amounts) -> tuple[str, ...]:
    return (name, *(f"{each:,.0f}" for each in value), f"{low.luts:,.0f}", f"{high.luts:,.0f}")
