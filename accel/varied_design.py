"""A design with some of its fields changed: the plain document anew, validated and hashed as a file would be.

A sweep makes tens of thousands of them, so that only what changes is copied and written again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field, ValidationError, create_model

from ..configs.errors import ConfigError
from ..configs.library import content_hash
from ..configs.provenance import Provenance, Status
from ..configs.schema import Loaded, validate
from ..configs.strict_yaml import Document, Place
from .design_fields import Target, split, value_at
from .specification import PARTS, Hardware

_SUFFIX = 8
"""Hexadecimal digits of a varied design's name; of 100,000 designs two share them once in a sweep or so, which harms
nothing: designs are told apart by their whole hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A field's new value.

    Attributes:
        path: of the field, without ``hardware``.
        value: plain data.
        status: how well it is known.
        source: what set it.
        place: where that stands.
        part: the file that the value is the content of, for a section that may be named as one.
    """

    path: tuple[str, ...]
    value: Any
    status: Status
    source: str
    place: Place
    part: Loaded[Any] | None = field(default=None, compare=False)


class Family:
    """The designs that differ from one file in some fields."""

    def __init__(self, base: Loaded[Hardware]) -> None:
        """Around a base design."""
        self.base = base
        self._texts = {key: _canonical(value) for key, value in base.document.data.items()}
        self._present: dict[tuple[str, ...], Any] = {}

    def varied(self, changes: Sequence[Change], *, name: str | None = None) -> Loaded[Hardware]:
        """The base with fields changed.

        What a change leaves as it was keeps its provenance, and a design in which nothing changes is the base itself,
        so that a point that happens to be the base design has its hash.

        Args:
            changes: outer sections before fields inside them.
            name: of the design, where something changes; the base's with a number when None.

        Raises:
            ConfigError: the fields do not go together, or a value is out of range; the line is that of the change.
        """
        base, real = self.base, self._real(changes)
        if not real:
            return base
        data: dict[str, Any] = dict(base.document.data)
        for change in real:
            _put(data, base.document.data, change)
        own = {key: _canonical(data[key]) for key in {change.path[0] for change in real}}
        texts = self._texts | own
        data["name"] = name or f"{base.model.name}-{content_hash(_joined(texts))[:_SUFFIX]}"
        text = _joined(texts | {"name": _canonical(data["name"])})
        places, provenance = dict(base.document.places), dict(base.provenance)
        for change in real:
            _tell(change, places, provenance)
        document = Document(file=base.document.file, data=data, places=places)
        return Loaded(
            model=self._validated(own, document),
            provenance=provenance,
            sources=(*base.sources, *(source for change in real if change.part for source in change.part.sources)),
            sha256=content_hash(text),
            document=document,
        )

    def _real(self, changes: Sequence[Change]) -> list[Change]:
        """The changes that change something."""
        real: list[Change] = []
        inside = False
        for change in changes:
            if change.path not in self._present:
                self._present[change.path] = _present(self.base, change.path)
            if inside or change.value != self._present[change.path]:
                real.append(change)
                # What is said of fields inside a part is laid over the new part.
                inside = inside or change.part is not None
        return real

    def _validated(self, changed: Mapping[str, str], document: Document) -> Hardware:
        """The model: sections that are the base's own are not read again."""
        sections: dict[str, Any] = {}
        try:
            for key, value in document.data.items():
                section = getattr(self.base.model, key)
                if key not in changed and key != "name":
                    sections[key] = section
                else:
                    sections[key] = (
                        type(section).model_validate_json(changed[key], strict=True)
                        if isinstance(section, BaseModel)
                        else value
                    )
            return Hardware.model_validate(sections, strict=True)
        except (ValidationError, ConfigError):
            # As the whole, for the words.
            return validate(document, Hardware)


def typed_value(target: Target, written: Any, place: Place) -> Any:
    """What is written for a field, in the field's own unit.

    Args:
        target: of the field.
        written: plain data, as a file would have it; a list may be one text, joined by commas.
        place: where it is written.

    Raises:
        ConfigError: it is none of the field's.
    """
    read = split(written) if target.listed else written
    document = Document(file=place.file, data={target.name: read}, places={(target.name,): place})
    model = create_model("One", value=(target.of_one, Field(alias=target.name)))
    return validate(document, model).model_dump()["value"]


def _present(base: Loaded[Hardware], path: tuple[str, ...]) -> Any:
    """What the base has in the place of a change, in the same form."""
    if path in PARTS:
        return value_at(base.document.data, path)
    found = value_at(base.model, path)
    return list(found) if isinstance(found, tuple) else found


def _put(data: dict[str, Any], original: Any, change: Change) -> None:
    """Set a value in data whose mappings are the base's own until one is written to."""
    *above, last = change.path
    for step in above:
        original = original.get(step) if isinstance(original, dict) else None
        if not isinstance(data.get(step), dict):
            data[step] = {}
        elif data[step] is original:
            data[step] = dict(original)
        data = data[step]
    # A part's content is shared between designs; who changes a field inside it needs a copy.
    data[last] = dict(change.value) if isinstance(change.value, dict) else change.value


def _tell(change: Change, places: dict[Any, Place], provenance: dict[str, Provenance]) -> None:
    """Say where the value stands and what is known of it."""
    path, name = change.path, ".".join(change.path)
    places[path] = change.place
    own = Provenance(value=change.value, status=change.status, source=change.source)
    if change.part is None:
        provenance[name] = own
        return
    for known in [known for known in provenance if known == name or known.startswith(f"{name}.")]:
        del provenance[known]
    for inner in [known for known in places if known[: len(path)] == path and known != path]:
        del places[inner]
    provenance[f"{name}.name"] = Provenance(value=change.part.model.name, status=own.status, source=own.source)
    provenance |= {f"{name}.{inner}": of for inner, of in change.part.provenance.items()}
    places |= {(*path, *inner): at for inner, at in change.part.document.places.items() if inner}


def _canonical(value: Any) -> str:
    """As ``content_hash`` has it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _joined(texts: Mapping[str, str]) -> str:
    """A mapping whose keys are names of fields, as ``content_hash`` has it."""
    return "{" + ",".join([f'"{key}":{texts[key]}' for key in sorted(texts)]) + "}"
