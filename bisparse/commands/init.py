"""``bisparse init``: a file to begin with, every field told, and its schema for editors."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from .. import defaults
from ..configs.errors import ConfigError
from ..configs.whole_file import write_all_whole

if TYPE_CHECKING:
    from pydantic import BaseModel

Kind = Literal["hardware", "recipe", "sweep", "claims"]

_MODELINE = "# yaml-language-server: $schema={schema}"


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The file to make; it must not be there yet.")],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="hardware, recipe, sweep or claims.")
    ] = "hardware",
    base: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", help="Shipped file to begin with. [sat-vcu1525, bdwp, sat-quick, sat]"),
    ] = None,
) -> None:
    """Make a file of your own: a design, a recipe, a sweep or claims.

    A design extends a shipped one: every field stands in it as a comment with its meaning and the value it has. Take
    the # off to change one. The others are copies. KIND.schema.json beside the file tells editors the fields.

    Example: bisparse init my-design.yaml
    """
    makers: dict[str, Callable[[Path, str], str]] = {
        "hardware": _hardware,
        "recipe": _recipe,
        "sweep": partial(_copy, "sweeps"),
        "claims": partial(_copy, "claims"),
    }
    if kind not in makers:
        raise ConfigError(f"--kind: got {kind!r}, need one of {', '.join(get_args(Kind))}")
    if file.suffix.lower() not in (".yaml", ".yml"):
        better = f"{file}.yaml" if file.name != ".yaml" else "my.yaml"
        raise ConfigError(f"{file}: got a file of another kind, need one that ends in .yaml; try {better}")
    if file.exists():
        raise ConfigError(f"{file}: got a file that is there, need a new one; try another name")
    text = makers[kind](file, base or _BASES[kind])
    schema, fields = file.with_name(f"{kind}.schema.json"), json.dumps(_schema(kind), indent=1) + "\n"
    if schema.exists() and not _is_ours(schema):
        raise ConfigError(f"{schema}: got a file that is no schema of bisparse's, need its place; try another folder")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        modeline = _MODELINE.format(schema=schema.name)
        write_all_whole(file.parent, {schema.name: fields, file.name: f"{modeline}\n{text}"})
    except OSError as error:
        raise ConfigError(
            f"{file}: got {error.strerror}, need a file that can be written; try another folder"
        ) from error
    print(f"{file}: a {_CALLED[kind]} to begin with; {schema.name} tells editors its fields")
    print(f"try {_NEXT[kind].format(file=shlex.quote(str(file)))}")


_BASES = {"hardware": defaults.HARDWARE, "recipe": defaults.RECIPE, "sweep": "sat-quick", "claims": "sat"}
_CALLED = {"hardware": "design", "recipe": "recipe", "sweep": "sweep", "claims": "claim file"}
_NEXT = {
    "hardware": "bisparse simulate resnet18-tinyimagenet --hardware {file}",
    "recipe": "bisparse simulate resnet18-tinyimagenet --recipe {file}",
    "sweep": "bisparse explore {file} --dry-run",
    "claims": "bisparse consistent {file} --draws 12",
}


def _is_ours(schema: Path) -> bool:
    """Whether a file is a schema as it is written here."""
    from ..configs.json_schema import DIALECT

    return schema.is_file() and schema.read_bytes().startswith(f'{{\n "$schema": "{DIALECT}"'.encode())


def _schema(kind: str) -> Any:
    from ..configs.json_schema import file_schema

    if kind == "hardware":
        from ..accel.specification import Hardware

        timing = {"Dram.timing": "name or path of a timing set"}
        return file_schema(Hardware, annotated=True, named=timing)
    if kind == "recipe":
        from ..training.recipes.declaration import Recipe

        return file_schema(Recipe, annotated=True)
    if kind == "claims":
        from ..sim.studies.consistency.claims import Claims

        return file_schema(Claims, annotated=True)
    from ..sim.studies.explore.sweep import Sweep

    return file_schema(Sweep)


# Texts ---------------------------------------------------------------------------------------------------------------


_OF_THE_BASE = re.compile(r"^(?:method|published):.*\n(?:[ \t-].*\n)*", re.MULTILINE)
"""What a recipe's file says of a published method, which a copy that is going to be changed is not."""


def _recipe(file: Path, base: str) -> str:
    return _OF_THE_BASE.sub("", _copy("recipes", file, base))


def _copy(folder: str, file: Path, base: str) -> str:
    """A shipped file under another name."""
    from ..configs.file_reading import decoded, read_file
    from ..configs.library import find

    found = find(folder, base)
    text = decoded(read_file(found, need="a file to begin with"), found)
    return re.sub(r"^name: .*$", lambda _: f"name: {_text(file.stem)}", text, count=1, flags=re.MULTILINE)


def _hardware(file: Path, base: str) -> str:
    """A design that extends another, what it could say in comments."""
    from ..accel.specification import Hardware, load_hardware
    from ..configs.library import is_path

    loaded = load_hardware(base)
    # A path is from beside the file that names it.
    extended = os.path.relpath(base, file.parent) if is_path(base) else base
    extended = extended if not is_path(base) or is_path(extended) else f"./{extended}"
    fields = "\n".join(_fields(Hardware, loaded.model.model_dump(mode="json"), loaded.document.data, ""))
    return f"""\
# A design. What it does not say is as in {_text(base)}.
# To change a field take the # off it, and off the section above it.
# Sizes may carry units: 512 KiB, 200 MHz, 19.2 GB/s, 100 ns. A value may say how well it is known:
#   rows: {{value: 64, status: assumed, source: "why"}}
name: {_text(file.stem)}
title: {_text(f"What {file.stem} is")}
extends: {_text(extended)}

{fields}
"""


def _fields(model: type[BaseModel], values: dict[str, Any], written: Any, indent: str) -> Iterator[str]:
    """The fields of a section as comments: value, as its file writes it, and meaning."""
    for name, field in model.model_fields.items():
        if not indent and name in ("name", "title"):
            continue
        value, inner = values[name], field.annotation
        as_written = written.get(name) if isinstance(written, dict) else None
        said = f"  # {field.description}" if field.description else ""
        if isinstance(value, dict) and isinstance(inner, type) and hasattr(inner, "model_fields"):
            yield f"# {indent}{name}:{said}"
            yield from _fields(inner, value, as_written, f"{indent}  ")
        else:
            yield f"# {indent}{name}: {_shown(value if as_written is None else as_written)}{said}"


def _text(words: str) -> str:
    """A text in YAML, quoted where it could be read as anything else."""
    plain = re.fullmatch(r"[A-Za-z][\w./-]*", words, re.ASCII) and words.lower() not in _READ_OTHERWISE
    return words if plain else json.dumps(words)


_READ_OTHERWISE = ("true", "false", "null", "yes", "no", "on", "off")


def _shown(value: Any) -> str:
    """A value in one line of YAML."""
    plain = isinstance(value, str) and re.fullmatch(r"\d*[. ]?[A-Za-z][\w. /-]*|[\d.]+ [A-Za-z/]+", value)
    return str(value) if plain and value not in ("true", "false", "null") else json.dumps(value, ensure_ascii=False)
