"""Where numbers come from: annotated values in data files.

Any leaf of a file may be written as a mapping that says how well its value is known::

    rows: {value: 32, status: assumed, source: "not published; fills the DSPs"}

A single value may also say between which it lies, or what else it may be, and what grows with it::

    rows: {value: 32, status: assumed, source: "not published", range: [16, 64], scales: [tensor_engine.cols]}
    drain: {value: shift, status: assumed, source: "not published", range: [shift, wire]}

or, where nothing is gained by varying it, why: ``fixed``. A list's other contents are texts, items joined by commas.

Stripping gives the plain tree (``rows: 32``) that a model validates, and beside it what was said of each
leaf. A leaf is a single value or a list that holds neither mappings nor lists. What is said of a mapping goes
for every leaf in it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from .complaints import shown
from .errors import ConfigError
from .strict_yaml import Document, KeyPath, Place, dotted

Status = Literal["published", "derived", "fitted", "assumed", "given"]
"""How well a value is known. ``published``: it stands in the source. ``derived``: computed from what stands
there. ``fitted``: what agrees best with measurements, which the source names. ``assumed``: chosen by the authors.
``given``: written by the user."""

SOURCED: tuple[Status, ...] = ("published", "derived", "fitted")
"""Those that say nothing without a source."""

_FEWEST = 2
"""Values that a range lists."""

LABELS = ("name", "title", "description")
"""Keys whose texts claim nothing about the world, and so have no provenance."""

_ANNOTATION = ("value", "status", "source", "range", "scales", "fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """One leaf's value, how well it is known, and why.

    Attributes:
        value: as the file has it.
        status: how well it is known.
        source: why.
        range: the lowest and the highest that it may be, of numbers; else what it may be, itself among them. Empty
            where nothing is said.
        scales: dotted names of fields that are larger and smaller with it, in proportion.
        fixed: why it is not varied, of one without a range; empty where nothing is said.
    """

    value: Any
    status: Status
    source: str
    range: tuple[Any, ...] = ()
    scales: tuple[str, ...] = ()
    fixed: str = ""


def strip_provenance(
    document: Document, *, plain_status: Status = "given", plain_source: str = ""
) -> tuple[Document, dict[str, Provenance]]:
    """Separate the values of a document from what is said of them.

    Args:
        document: as parsed.
        plain_status: status of a leaf without annotation.
        plain_source: source of a leaf without annotation.

    Returns:
        The document with every annotation replaced by its value, at the place of the annotated field, and the
        provenance of every leaf by its dotted path (``sram.0.capacity_bytes``).

    Raises:
        ConfigError: an annotation is incomplete or says something else.
    """
    stripper = _Stripper(document)
    data = stripper.strip(document.data, (), (), plain_status, plain_source)
    return Document(file=document.file, data=data, places=stripper.places), stripper.provenance


def is_leaf(value: Any) -> bool:
    """Whether the value is a single one, or a list of single ones."""
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not isinstance(value, dict)


class _Stripper:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.places: dict[KeyPath, Place] = {}
        self.provenance: dict[str, Provenance] = {}

    def strip(self, value: Any, path: KeyPath, origin: KeyPath, status: Status, source: str) -> Any:
        """The plain form of ``value``, at ``origin`` in the document and at ``path`` once stripped."""
        # An annotated value is found at its own field, not a line below at ``value``.
        self.places.setdefault(path, self.document.place_of(origin))
        if _is_annotation(value):
            status, source = self._annotation(value, path, origin)
            plain = self.strip(value["value"], path, (*origin, "value"), status, source)
            self._note_range(value, path, origin)
            self._note_fixed(value, path, origin)
            return plain
        if is_leaf(value):
            if not (path and path[-1] in LABELS):
                self.provenance[dotted(path)] = Provenance(value=value, status=status, source=source)
            for index in range(len(value) if isinstance(value, list) else 0):
                self.places[(*path, index)] = self.document.place_of((*origin, index))
            return value
        if isinstance(value, list):
            return [
                self.strip(item, (*path, index), (*origin, index), status, source) for index, item in enumerate(value)
            ]
        return {key: self.strip(item, (*path, key), (*origin, key), status, source) for key, item in value.items()}

    def _annotation(self, annotation: dict[str, Any], path: KeyPath, origin: KeyPath) -> tuple[Status, str]:
        for key in annotation:
            if key not in _ANNOTATION:
                near = difflib.get_close_matches(key, _ANNOTATION, n=1)[0]
                raise self._refusal(path, (*origin, key), f"{key}, no such part of a value; try {near}")
        status: Any = annotation.get("status")
        source = annotation.get("source")
        statuses = get_args(Status)
        if status not in statuses:
            got = "no status" if status is None else f"status {shown(status)}"
            raise self._refusal(path, (*origin, "status"), f"{got}, need one of {', '.join(statuses)}")
        if source is not None and not isinstance(source, str):
            raise self._refusal(path, (*origin, "source"), f"source {shown(source)}, need a text")
        if not source and status in SOURCED:
            got = f"status {status} without a source, need the source; try status: assumed"
            raise self._refusal(path, origin, got)
        return status, source or ""

    def _note_range(self, annotation: dict[str, Any], path: KeyPath, origin: KeyPath) -> None:
        """Keep what else a single value may be."""
        if "range" not in annotation and "scales" not in annotation:
            return
        found, scales = annotation.get("range"), annotation.get("scales", [])
        known = self.provenance.get(dotted(path))
        if known is None:
            raise self._refusal(path, origin, "a range of more than one value, need it at a single one")
        if not isinstance(found, list) or len(found) < _FEWEST or not is_leaf(found) or None in found:
            need = "need a list: the lowest and the highest, or all that it may be"
            raise self._refusal(path, (*origin, "range"), f"range {shown(found)}, {need}")
        if isinstance(annotation["value"], list) and not all(isinstance(each, str) for each in found):
            need = "need texts, the items of each list joined by commas"
            raise self._refusal(path, (*origin, "range"), f"range {shown(found)} of a list, {need}")
        if not isinstance(scales, list) or not all(isinstance(name, str) for name in scales):
            got = f"scales {shown(scales)}, need a list of fields; try [tensor_engine.cols]"
            raise self._refusal(path, (*origin, "scales"), got)
        self.provenance[dotted(path)] = replace(known, range=tuple(found), scales=tuple(scales))

    def _note_fixed(self, annotation: dict[str, Any], path: KeyPath, origin: KeyPath) -> None:
        """Keep why a single value is not varied."""
        if "fixed" not in annotation:
            return
        why, known = annotation["fixed"], self.provenance.get(dotted(path))
        if known is None:
            raise self._refusal(path, origin, "fixed of more than one value, need it at a single one")
        if not isinstance(why, str) or not why:
            raise self._refusal(path, (*origin, "fixed"), f"fixed {shown(why)}, need why it is not varied, in words")
        if known.range:
            raise self._refusal(path, origin, "fixed beside a range, need one of them")
        self.provenance[dotted(path)] = replace(known, fixed=why)

    def _refusal(self, path: KeyPath, origin: KeyPath, got: str) -> ConfigError:
        return ConfigError(f"{self.document.place_of(origin)}: {dotted(path)}: got {got}")


def _is_annotation(value: Any) -> bool:
    # A near miss ("statis") is still an annotation, so that the complaint can name the word; a mapping that
    # merely has a field called value is not.
    return (
        isinstance(value, dict)
        and "value" in value
        and all(key in _ANNOTATION or difflib.get_close_matches(key, _ANNOTATION[1:], n=1) for key in value)
    )
