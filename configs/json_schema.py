"""JSON Schemas of the files that users write, for editors: made of the models that read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from .provenance import Status

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""What pydantic writes."""

_SAID = {
    "status": {"enum": list(get_args(Status))},
    "source": {"type": "string"},
}

_OF_A_RANGE = {
    "range": {
        "type": "array",
        "minItems": 2,
        "description": "the lowest and the highest that it may be, or all that it may be",
    },
    "scales": {
        "type": "array",
        "items": {"type": "string"},
        "description": "fields that are larger and smaller with it, in proportion",
    },
}


def file_schema(model: type[BaseModel], *, annotated: bool = False, named: Mapping[str, str] | None = None) -> Any:
    """The schema of a kind of file.

    Args:
        model: what reads it.
        annotated: whether the file may extend another, so that every field may be missing, and any value may say how
            well it is known: ``{value: 32, status: assumed, source: why}``.
        named: fields, by model and name, that may be the name of another file, with what to tell of them.
    """
    schema = model.model_json_schema()
    for name, section in (("", schema), *schema.get("$defs", {}).items()):
        for field, said in (named or {}).items():
            owner, _, key = field.partition(".")
            if owner == name:
                section["properties"][key] = {
                    "anyOf": [section["properties"][key], {"type": "string"}],
                    "description": said,
                }
        if annotated and "properties" in section:
            section.pop("required", None)
            section["properties"] = {key: _annotated(value) for key, value in section["properties"].items()}
    if annotated:
        extends = {"type": "string", "description": "name or path of the file that says what this one does not"}
        schema["properties"] = {"extends": extends, **schema["properties"]}
    return {"$schema": DIALECT, **schema}


def _annotated(field: dict[str, Any]) -> dict[str, Any]:
    """A value, or what it is with its status and source."""
    if "$ref" in field or "properties" in field:
        return field
    told: dict[str, Any] = {key: field[key] for key in ("description", "default", "title") if key in field}
    value = {key: part for key, part in field.items() if key not in told}
    parts = {"value": value, **_SAID}
    said = {"type": "object", "properties": parts | _OF_A_RANGE, "required": list(parts)}
    return {**told, "anyOf": [value, {**said, "additionalProperties": False}]}
