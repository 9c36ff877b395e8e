"""What pydantic found wrong, in the user's terms: ``file:line: path: got X, need Y; try Z``, a line each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .strict_yaml import Document, KeyPath, Place, dotted

MOST_LINES = 10
"""Faults told at once; the rest are counted."""

_NEEDS = {
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "greater_than": "a number > {gt}",
    "greater_than_equal": "a number >= {ge}",
    "less_than": "a number < {lt}",
    "less_than_equal": "a number <= {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
_KINDS: dict[Any, str] = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}


def explain(error: ValidationError, document: Document, model: type[BaseModel]) -> str:
    """The faults of one document, a line each in the file's order; past ``MOST_LINES`` they are counted."""
    faults: dict[KeyPath, list[dict[str, Any]]] = {}
    for details in error.errors(include_url=False):
        fault: dict[str, Any] = {**details}
        path = _path_in(document.data, fault["loc"], missing=fault["type"] == "missing")
        if fault["type"].startswith("union_tag"):
            # The fault lies in the field that tells the members of the union apart, not in the whole mapping.
            path = (*path, fault["ctx"]["discriminator"].strip("'"))
            fault["input"] = fault["ctx"].get("tag")
        elif fault["type"] == "value_error" and isinstance(fault["input"], dict):
            # A check across fields names the field it complains of.
            named = re.match(r"([\w.]+): got ", str(fault["ctx"]["error"]))
            parts = named[1].split(".") if named else []
            path = (*path, *(int(part) if part.isdigit() else part for part in parts))
        faults.setdefault(path, []).append(fault)

    misspelt = {
        (*path[:-1], near)
        for path, group in faults.items()
        if group[0]["type"] == "extra_forbidden" and (near := _nearest_field(path, group[0]["loc"], model))
    }
    told = [
        (*_blamed(path, _message(path, group, model), document), path)
        for path, group in faults.items()
        # A misspelt field is missing too; the one cause is told once.
        if not (group[0]["type"] == "missing" and path in misspelt)
    ]
    lines = [
        f"{place}: {dotted(path) or 'file'}: {message}" for place, message, path in sorted(told, key=itemgetter(0))
    ]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"(and {len(lines) - MOST_LINES} more)"]
    return "\n".join(lines)


def _blamed(path: KeyPath, message: str, document: Document) -> tuple[Place, str]:
    """The place to blame, and the message.

    Where a field of a base file contradicts one beside it that the user's own file sets, the user's line is at fault
    and the message says where the other stands.
    """
    place = document.place_of(path)
    if place.file == document.file or not path:
        return place, message
    for known, own in document.places.items():
        beside = known and known[:-1] == path[:-1] and known != path and own.file == document.file
        if beside and re.search(rf"\b{re.escape(str(known[-1]))}\b", message):
            return own, message.replace(", need", f" (of {place}), need", 1)
    return place, message


def _message(path: KeyPath, group: list[dict[str, Any]], model: type[BaseModel]) -> str:
    fault = group[0]
    context = fault.get("ctx", {})
    match fault["type"]:
        case "union_tag_not_found":
            tags = [str(tag) for owner in _models_at(fault["loc"], model) for tag in _tags(owner, path[-1])]
            return f"got nothing, need {' or '.join(dict.fromkeys(tags))}"
        case "extra_forbidden":
            return _unknown_field(path, fault["loc"], model)
        case "missing":
            return f"got nothing, need {_field_meaning(fault['loc'], model)}"
        case "value_error" | "assertion_error":
            return _own_words(str(context.get("error", fault["msg"])), fault["input"])
        case "config_error":
            return _own_words(fault["msg"], fault["input"])
    # The members of a union complain one by one about the same value.
    needs = list(dict.fromkeys(_need(member) for member in group))
    return f"got {shown(fault['input'])}, need {' or '.join(needs)}{_hint(fault)}"


def _need(fault: dict[str, Any]) -> str:
    template = _NEEDS.get(fault["type"])
    if fault["type"].startswith("union_tag"):
        return " or ".join(_accepted(fault))
    if template is None:
        text: str = fault["msg"]
        return re.sub(r"^Input should (?:be|have) (?:a valid )?", "", text)
    return template.format(**fault.get("ctx", {})).replace("'", "")


def _hint(fault: dict[str, Any]) -> str:
    value = fault["input"]
    if not isinstance(value, str):
        return ""
    if fault["type"] in ("int_type", "float_type") and re.fullmatch(r"[-+]?\d+(\.\d+)?", value):
        return f"; try {value} without quotes"
    if fault["type"] in ("literal_error", "enum", "union_tag_invalid") and len(_accepted(fault)) > 1:
        near = difflib.get_close_matches(value.lower(), _accepted(fault), n=1)
        return f"; try {near[0]}" if near else ""
    if fault["type"] == "bool_type" and value.lower() in ("yes", "on", "no", "off"):
        return f"; try {'true' if value.lower() in ('yes', 'on') else 'false'}"
    return ""


def _accepted(fault: dict[str, Any]) -> list[str]:
    context = fault.get("ctx", {})
    return re.findall(r"'([^']*)'", context.get("expected") or context.get("expected_tags") or "")


def _own_words(message: str, value: Any) -> str:
    # A validator's own message stands as it is when it already speaks the house's language.
    start = message.find("got ")
    return message[start:] if start >= 0 else f"got {shown(value)}, need {message}"


def _unknown_field(path: KeyPath, loc: KeyPath, model: type[BaseModel]) -> str:
    near = _nearest_field(path, loc, model)
    need = f"a known field; try {near}" if near else f"one of {', '.join(_accepted_fields(loc, model))}"
    return f"got {path[-1]}, need {need}"


def _nearest_field(path: KeyPath, loc: KeyPath, model: type[BaseModel]) -> str | None:
    return next(iter(difflib.get_close_matches(str(path[-1]), _accepted_fields(loc, model), n=1)), None)


def _accepted_fields(loc: KeyPath, model: type[BaseModel]) -> list[str]:
    return list(dict.fromkeys(name for owner in _models_at(loc[:-1], model) for name in _fields(owner)))


def _field_meaning(loc: KeyPath, model: type[BaseModel]) -> str:
    for owner in _models_at(loc[:-1], model):
        field = _fields(owner).get(str(loc[-1]))
        if field is None:
            continue
        kind = _KINDS.get(field.annotation, "a mapping" if list(_models_in(field.annotation)) else "a value")
        return f"{kind} ({field.description.rstrip('.')})" if field.description else kind
    return "a value"


def shown(value: Any) -> str:
    """A value as an error message shows it, short and on one line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _path_in(data: Any, loc: KeyPath, *, missing: bool) -> KeyPath:
    """Pydantic's location without what only the model knows: tags of unions and names of validators."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            data = data[part]
            path.append(part)
        elif missing and position == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_at(loc: KeyPath, model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that may stand at a location, following fields, items of containers and tags of unions."""
    annotations: list[Any] = [model]
    for part in loc:
        models = [found for annotation in annotations for found in _models_in(annotation)]
        inner = [_fields(owner)[str(part)].annotation for owner in models if str(part) in _fields(owner)]
        if inner:
            annotations = inner
            continue
        tagged = [owner for owner in models if any(part in _tags(owner, name) for name in owner.model_fields)]
        annotations = tagged or models
    return [found for annotation in annotations for found in _models_in(annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if members := get_args(annotation):
        for member in members:
            yield from _models_in(member)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _tags(model: type[BaseModel], field_name: str | int) -> tuple[Any, ...]:
    field = model.model_fields.get(str(field_name))
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
