"""``bisparse hardware``: the shipped designs, one design with the source of its numbers, a check of a file, its fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import area, dram, fit, options
from .shipped import as_path
from .terminal import print_json, print_table, width_of_terminal

if TYPE_CHECKING:
    from ..accel.specification import Hardware
    from ..configs.schema import Loaded

DEFAULT = "default"
"""Status of a parameter that no file mentions."""

app = typer.Typer(
    help="Designs: list the shipped ones, show one, check a file, fit one to an FPGA part.", no_args_is_help=True
)
app.command("fit")(fit.fit)
app.command("parts")(fit.list_parts)
app.command("area")(area.area)
app.command("dram")(dram.dram)


@app.command("list")
def list_designs(as_json: options.Json = False) -> None:
    """List the shipped designs."""
    from ..accel.specification import load_hardware
    from ..configs.library import names

    designs = [load_hardware(name).model for name in names("hardware")]
    if as_json:
        print_json({"hardware": [_key_figures(design) for design in designs]})
        return
    rows = [("name", "array", "clock", "precision", "dataflows", "sparsity", "DRAM", "title")]
    for design in designs:
        engine = design.tensor_engine
        rows.append(
            (
                design.name,
                ("" if engine.units == 1 else f"{engine.units} x ") + f"{engine.rows}x{engine.cols}",
                f"{design.clock_hz / 1e6:g} MHz",
                engine.precision,
                ",".join(engine.dataflows),
                ",".join(engine.patterns) or "dense",
                f"{design.dram.bytes_per_second / 1e9:g} GB/s",
                design.title,
            )
        )
    print_table(rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Shipped design, YAML or SCALE-Sim .cfg file.")],
    set_fields: options.SetFields = None,
    as_json: options.Json = False,
) -> None:
    """Show every parameter of a design with its status and source."""
    loaded = options.load_design(name, set_fields)
    design = loaded.model
    known = _parameters(loaded)
    if as_json:
        print_json(
            {
                "name": design.name,
                "title": design.title,
                "sha256": loaded.sha256,
                "files": [str(file) for file in loaded.sources],
                "values": design.model_dump(mode="json"),
                "provenance": {
                    path: {"value": each.value, "status": each.status, "source": each.source} | _open(each)
                    for path, each in known.items()
                },
            }
        )
        return
    from ..reports.shared.plain_text import wrapped

    width, heading = width_of_terminal(), f"{design.name}: {design.title}"
    print("\n".join([heading] if width is None else wrapped(heading, width)))
    print(f"files: {', '.join(map(str, loaded.sources))}\nsha256: {loaded.sha256}\n")
    said = {path: each for path, each in known.items() if each.status != DEFAULT}
    rows = [("parameter", "value", "range", "status", "source")]
    scaled_with = {name: path for path, each in said.items() for name in each.scales}
    rows += [
        (path, _shown(each.value), _range(each, scaled_with.get(path, "")), each.status, each.source)
        for path, each in said.items()
    ]
    print_table(rows)
    print(f"\nand {len(known) - len(said)} defaults, which --json shows")


@app.command()
def check(file: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file.")]) -> None:
    """Check a design's file; prints 'ok' or a line for each fault."""
    from ..accel.energy_table import energy_table_of
    from ..accel.specification import load_hardware

    loaded = load_hardware(as_path(file))
    energy_table_of(loaded)
    print(f"ok: {loaded.model.name}")


def _key_figures(design: Hardware) -> dict[str, Any]:
    engine = design.tensor_engine
    return {
        "name": design.name,
        "title": design.title,
        "rows": engine.rows,
        "cols": engine.cols,
        **({"units": engine.units} if engine.units > 1 else {}),
        "clock_hz": design.clock_hz,
        "precision": engine.precision,
        "dataflows": list(engine.dataflows),
        "patterns": list(engine.patterns),
        "dram_bytes_per_second": design.dram.bytes_per_second,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a parameter; attributes as in ``Provenance``, and a status of what no file mentions."""

    value: Any
    status: str
    source: str = ""
    range: tuple[Any, ...] = ()
    scales: tuple[str, ...] = ()
    fixed: str = ""


def _parameters(loaded: Loaded[Hardware]) -> dict[str, _Known]:
    """What is known of every parameter, in the specification's order; what no file says is a default."""
    from ..configs.provenance import LABELS

    said = loaded.provenance
    parameters: dict[str, _Known] = {}

    def walk(value: Any, path: str) -> None:
        if path in said:
            known = said[path]
            parameters[path] = _Known(
                value=known.value,
                status=known.status,
                source=known.source,
                range=known.range,
                scales=known.scales,
                fixed=known.fixed,
            )
        elif isinstance(value, dict):
            for key, each in value.items():
                walk(each, f"{path}.{key}" if path else key)
        elif path not in LABELS:
            parameters[path] = _Known(value=value, status=DEFAULT)

    walk(loaded.model.model_dump(mode="json"), "")
    return parameters


def _open(known: _Known) -> dict[str, Any]:
    """What a parameter leaves open, for a document: nothing where it leaves nothing."""
    every = {"range": list(known.range), "scales": list(known.scales), "fixed": known.fixed}
    return {name: value for name, value in every.items() if value}


def _range(known: _Known, scaled_with: str) -> str:
    """What ``--range`` varies a parameter within, with which other it grows and shrinks, or why it stays."""
    number = not isinstance(known.value, bool | list) and len(known.range) == 2
    within = (" to " if number else " or ").join(map(_shown, known.range))
    stays = known.fixed and f"fixed: {known.fixed}"
    return "; ".join(filter(None, (within, scaled_with and f"as {scaled_with}", stays)))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
