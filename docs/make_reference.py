"""Write the reference pages that are made of the program itself: files field by field, the command line.

python docs/make_reference.py             write them
python docs/make_reference.py --check     say whether they are as the program has it; exit code 1 where not
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bisparse.accel.dram_energy import DramCurrents, load_dram_currents
from bisparse.accel.dram_timings import DramTimings, load_dram_timings
from bisparse.accel.energy_table import EnergyTable, load_energy_table
from bisparse.accel.specification import Hardware, load_hardware
from bisparse.configs.schema import Loaded
from bisparse.sim.studies.consistency.claims import Claims
from bisparse.sim.studies.explore.sweep import Sweep
from bisparse.training.recipes.declaration import Recipe
from pydantic import BaseModel
from typer.main import get_command

from bisparse.command_line import app

FOLDER = Path(__file__).parent / "reference"

UNITS = {
    "_bytes_per_second": "bytes/s, or `19.2 GB/s`",
    "_bytes_per_cycle": "bytes a cycle",
    "_pj_per_bit": "pJ a bit",
    "_bytes": "bytes, or `2 MiB`",
    "_hz": "Hz, or `200 MHz`",
    "_seconds": "s, or `100 ns`",
    "_latency": "cycles",
    "_cycles": "cycles",
    "_clocks": "clocks",
    "_pj": "pJ",
    "_mw": "mW",
    "_watts": "W",
    "_nm": "nm",
    "cycles_per_element": "cycles",
    "_share": "of the run's steps",
}
"""By the end of a field's name; the first that fits."""

EXIT_CODES = (
    (0, "done"),
    (1, "a check failed: `validate`; or whoever read the output closed it"),
    (2, "a mistake in the input; one line on standard error says where and what to change"),
    (130, "interrupted (Ctrl-C)"),
)


# Files ---------------------------------------------------------------------------------------------------------------


def files_page() -> str:
    """Every field of every kind of file."""
    parts = [
        "# Files, field by field",
        "Made by `python docs/make_reference.py` of the models that read the files; [Files](../files.md) tells them in "
        "words. A value may be annotated, `{value: 32, status: assumed, source: why}`: *published*, *derived* from "
        "what is published, or *assumed*. A field without a default must be said, by the file or one that it extends.",
        *_kind("Hardware", Hardware, load_hardware("sat-vcu1525"), "`configs/hardware/`, `bisparse init mine.yaml`"),
        *_kind("Recipes", Recipe, None, "`configs/recipes/`, `bisparse init mine.yaml --kind recipe`"),
        *_kind("Sweeps", Sweep, None, "`configs/sweeps/`, `bisparse init mine.yaml --kind sweep`"),
        *_kind(
            "Claims", Claims, None, "`configs/claims/`; [what nobody published](../unknowns.md) tells them in words"
        ),
        *_kind("Energy tables", EnergyTable, load_energy_table("16nm-fpga"), "`configs/energy/`"),
        *_kind("DRAM timings", DramTimings, load_dram_timings("ddr4-2400"), "`configs/dram/`"),
        *_kind("DRAM currents", DramCurrents, load_dram_currents("ddr4-2400"), "`configs/currents/`"),
    ]
    return "\n\n".join(parts) + "\n"


def _kind(title: str, model: type[BaseModel], shipped: Loaded[Any] | None, where: str) -> Iterator[str]:
    yield f"## {title}"
    beside = f" Beside each field its value in `{shipped.model.name}`, and how well it is known." if shipped else ""
    yield f"{where}.{beside}"
    schema = model.model_json_schema()
    rows = list(_fields(schema, schema, "", shipped))
    last = (f"in `{shipped.model.name}`", "status") if shipped else ()
    yield _table(("field", "what", "type", "unit", "default", *last), rows)


def _fields(part: Any, schema: Any, before: str, shipped: Loaded[Any] | None) -> Iterator[tuple[str, ...]]:
    for name, field in part["properties"].items():
        path = f"{before}{name}"
        required = name in part.get("required", ())
        default = "" if required or "default" not in field else f"`{json.dumps(field['default'], ensure_ascii=False)}`"
        default = "" if default in ("`null`", "`{}`", "`[]`") else default
        inner = _section(field, schema)
        row = (f"`{path}`", field.get("description", ""), _type(field, schema), "" if inner else _unit(name), default)
        yield (*row, *(_known(path, shipped) if shipped else ()))
        if inner and inner["title"] not in _ELSEWHERE:
            yield from _fields(inner, schema, f"{path}.", shipped)
        for kind, reference in field.get("items", {}).get("discriminator", {}).get("mapping", {}).items():
            entry = schema["$defs"][reference.rpartition("/")[2]]
            own = {each: said for each, said in entry["properties"].items() if each != "kind"}
            yield from _fields({**entry, "properties": own}, schema, f"{path}[{kind}].", shipped)


_ELSEWHERE = ("DramTimings",)
"""Sections that have a table of their own."""


def _section(field: Any, schema: Any) -> Any:
    """What a field holds where it holds fields itself: of each entry of a mapping or a list too."""
    for each in (field, *field.get("anyOf", ())):
        held = each.get("items", each)
        held = held.get("additionalProperties", held) if isinstance(held.get("additionalProperties"), dict) else held
        if "$ref" in held:
            found = schema["$defs"][held["$ref"].rpartition("/")[2]]
            if "properties" in found:
                return found
    return None


def _type(field: Any, schema: Any) -> str:
    if "$ref" in field:
        found = schema["$defs"][field["$ref"].rpartition("/")[2]]
        return "section" if "properties" in found else _type(found, schema)
    if "enum" in field or "const" in field:
        return ", ".join(f"`{each}`" for each in field.get("enum", [field.get("const")]))
    for several in ("anyOf", "oneOf"):
        if several in field:
            kinds = [_type(each, schema) for each in field[several] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    match field.get("type"):
        case "array":
            return f"list of {_type(field.get('items', {}), schema)}"
        case "object":
            inner = field.get("additionalProperties")
            return f"mapping to {_type(inner, schema)}" if isinstance(inner, dict) and inner else "mapping"
        case "integer" | "number" as kind:
            return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(field)}"
        case "boolean":
            return "`true`, `false`"
        case "string":
            return "text"
    return "number, or text with a unit"


def _bounds(field: Mapping[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [
        f"{word} {field[key]:{',' if isinstance(field[key], int) else ',g'}}"
        for key, word in words.items()
        if key in field
    ]
    return f" {', '.join(said)}" if said else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def _unit(name: str) -> str:
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


def _known(path: str, loaded: Loaded[Any]) -> tuple[str, str]:
    if path in loaded.provenance:
        told = loaded.provenance[path]
        return f"`{json.dumps(told.value, ensure_ascii=False)}`", told.status
    value = loaded.model.model_dump(mode="json")
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    plain = value is not None and not isinstance(value, dict | list)
    return (f"`{json.dumps(value, ensure_ascii=False)}`", "default") if plain and path not in _NAMES else ("", "")


_NAMES = ("name", "title")


# The command line ----------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with its arguments and options, as ``--help`` has them."""
    top = get_command(app)
    parts = [
        "# Command line",
        "Made by `python docs/make_reference.py` of the commands themselves; `bisparse COMMAND --help` says the same. "
        "How output and completion work: [In the terminal](../terminal.md).",
        "## Exit codes",
        _table(("code", "means"), [(str(code), means) for code, means in EXIT_CODES]),
        *_commands(top, "bisparse"),
    ]
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        called = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, called)
            continue
        yield f"## {called}"
        yield " ".join((command.help or "").split())
        parameters = [_parameter(each) for each in command.params if each.name != "help"]
        yield _table(("argument or option", "what"), parameters)


def _parameter(each: Any) -> tuple[str, str]:
    if each.param_type_name == "argument":
        called = f"`{each.metavar or each.human_readable_name}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
        called = f"{names} `{each.metavar}`" if each.metavar else names
    told = " ".join((getattr(each, "help", "") or "").split())
    default = each.default
    shown = isinstance(default, str | int | float) and not isinstance(default, bool) and "[" not in told
    return called, f"{told} [{default}]" if shown and default != "" else told


# Both ----------------------------------------------------------------------------------------------------------------


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(header)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


PAGES = {"files.md": files_page, "command-line.md": commands_page}


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [name for name, page in PAGES.items() if text_of(FOLDER / name) != page()]
    for name in () if check else stale:
        (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
    for name in stale:
        said = "not as the program has it; run python docs/make_reference.py" if check else "written"
        print(f"docs/reference/{name}: {said}")
    return int(check and bool(stale))


def text_of(file: Path) -> str:
    """A page as it stands; nothing where there is none."""
    return file.read_text(encoding="utf-8") if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
