"""YAML read strictly, with the line of every value kept.

What differs from PyYAML as it comes (YAML 1.1, permissive):

- a key given twice is an error; PyYAML keeps the last one in silence;
- scalars follow the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema): ``1e-9`` is a
  number, ``no`` and ``on`` are texts, ``2:8`` is a text (128 in YAML 1.1), ``010`` is ten, dates are texts;
- every key is a text, as JSON has it; merge keys (``<<``) and tags outside the core schema are refused;
- every value knows its line, so that a later complaint can name it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError
from .file_reading import decoded, read_file
from .limits import MOST_CHARACTERS, MOST_DIGITS, MOST_LEVELS, MOST_VALUES, TOO_DEEP

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys of mappings and indices of lists, outermost first."""

_CORE = "tag:yaml.org,2002:"

# The pure Python loader gives the same nodes and marks, about ten times slower.
_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CoreSchemaLoader(_BaseLoader):  # type: ignore[misc]
    """PyYAML's safe loader with the scalars of YAML 1.2; it composes nodes and never constructs objects."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_CoreSchemaLoader.add_implicit_resolver(_CORE + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
_CoreSchemaLoader.add_implicit_resolver(
    _CORE + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_CoreSchemaLoader.add_implicit_resolver(
    _CORE + "int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), [*"-+0123456789"]
)
_CoreSchemaLoader.add_implicit_resolver(
    _CORE + "float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    [*"-+.0123456789"],
)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; prints as ``file:line``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says, as plain Python values, and where it says it.

    Attributes:
        file: the file, as it was named by whoever asked for it.
        data: mappings, lists, texts, numbers, booleans and None.
        places: the place of every value; of a mapping's entry it is the line of the key. The places of one
            document may lie in several files, since a file can extend another.
    """

    file: str
    data: Any
    places: Mapping[KeyPath, Place]

    def place_of(self, path: KeyPath) -> Place:
        """Where the value at ``path`` stands or, when it is not there, its nearest parent."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Place(self.file, 1)

    def line_of(self, path: KeyPath) -> int:
        """Line, from 1, of the value at ``path`` or of its nearest parent."""
        return self.place_of(path).line


def parse(path: str | Path) -> Document:
    """Read a YAML (or JSON) file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, repeats a key, or uses what is refused here.
    """
    return parse_text(read_text(path, need="a YAML file"), file=str(path))


def read_text(path: str | Path, *, need: str) -> str:
    """The text of a file.

    Args:
        path: of the file.
        need: what is missing where there is none.

    Raises:
        ConfigError: the file is none, is too large, cannot be read, or is not UTF-8.
    """
    return decoded(read_file(path, need=need), path)


def parse_text(text: str, *, file: str) -> Document:
    r"""Read YAML text; ``file`` is the name that errors give.

    Raises:
        ConfigError: as for :func:`parse`.

    >>> document = parse_text("rows: 32\nclock: 2e8\n", file="small.yaml")
    >>> document.data, document.line_of(("clock",))
    ({'rows': 32, 'clock': 200000000.0}, 2)
    """
    try:
        _check_events(text, file)
        node = _compose(text)
        builder = _Builder(file)
        data = None if node is None else builder.build(node, (), 1)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        if "another document" in str(error.problem):
            raise ConfigError(f"{file}:{line}: got a second document, need one in a file") from None
        if "nesting depth" in str(error.problem):
            # PyYAML 6.0.4 has a limit of its own, and meets it first.
            raise ConfigError(f"{file}:{line}: {TOO_DEEP}") from None
        hint = "; try spaces" if re.search(r"\btab\b|\\t", str(error.problem)) else ""
        raise ConfigError(f"{file}:{line}: got invalid YAML ({error.problem}), need valid YAML{hint}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{file}:{line}: got a control character, need plain text") from None
    except RecursionError:
        raise ConfigError(f"{file}:1: {TOO_DEEP}") from None
    return Document(file=file, data=data, places=builder.places)


_SURELY_SMALL = 1000
"""Opening brackets, and characters of a line, that make no more levels than a C stack holds."""

_SURELY_FEW = 1_000_000
"""Characters that make no more values than may be composed."""


def _check_events(text: str, file: str) -> None:
    """Refuse what is too deep or too large to be composed: libyaml's composer recurses on the C stack, unguarded.

    Its events come one at a time, whatever they nest. They cost a third of reading a file, so that a text that cannot
    nest that deep is not asked: each level opens a bracket or is indented further, by a list within a mapping at most
    once a column.
    """
    opened = text.count("[") + text.count("{")
    if opened <= _SURELY_SMALL and len(text) <= _SURELY_FEW and _longest_line(text) <= _SURELY_SMALL:
        return
    loader = _CoreSchemaLoader(text)
    level = values = 0
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                level += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                level -= 1
                continue
            values += 1
            if level > MOST_LEVELS:
                raise ConfigError(f"{file}:{event.start_mark.line + 1}: {TOO_DEEP}")
            # A key is no value of a document, and is composed like one.
            if values > 2 * MOST_VALUES:
                raise ConfigError(f"{file}:{event.start_mark.line + 1}: got more than {MOST_VALUES} values, need fewer")
    finally:
        loader.dispose()


def _longest_line(text: str) -> int:
    return max(map(len, text.split("\n")))


def _compose(text: str) -> Any:
    loader = _CoreSchemaLoader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


class _Builder:
    """Turns YAML nodes into plain values, noting the place of each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[KeyPath, Place] = {}
        self._open: set[int] = set()
        self._characters = 0

    def build(self, node: Any, path: KeyPath, line: int) -> Any:
        self.places[path] = Place(self.file, line)
        if len(self.places) > MOST_VALUES:
            raise self._refusal(line, path, f"more than {MOST_VALUES} values", "fewer; try fewer aliases")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, line)
        if id(node) in self._open:
            raise self._refusal(line, path, "an alias to a value that holds it", "a finite value")
        if len(path) >= MOST_LEVELS:
            raise ConfigError(f"{self.file}:{line}: {TOO_DEEP}")
        self._open.add(id(node))
        value = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path, line)
        self._open.remove(id(node))
        return value

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        if node.tag != _CORE + "map":
            raise self._refusal(node.start_mark.line + 1, path, _tag(node), "a plain mapping")
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refusal(line, path, "a key that is not a single value", "a text as the key")
            key = key_node.value
            if key in result:
                first = self.places[(*path, key)].line
                raise self._refusal(line, (*path, key), f"a key already given on line {first}", "it once")
            if key == "<<" and not key_node.style:
                raise self._refusal(line, (*path, key), "a merge key", "the values written out; try extends")
            result[key] = self.build(value_node, (*path, key), line)
        return result

    def _sequence(self, node: Any, path: KeyPath, line: int) -> list[Any]:
        if node.tag != _CORE + "seq":
            raise self._refusal(line, path, _tag(node), "a plain list")
        return [self.build(item, (*path, index), item.start_mark.line + 1) for index, item in enumerate(node.value)]

    def _scalar(self, node: Any, path: KeyPath, line: int) -> Any:
        text: str = node.value
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise self._refusal(line, path, f"more than {MOST_CHARACTERS} characters", "fewer; try fewer aliases")
        kind = node.tag.removeprefix(_CORE)
        try:
            match kind:
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    if len(text) > MOST_DIGITS + 2:
                        got = f"an integer of {len(text)} characters"
                        raise self._refusal(line, path, got, f"at most {MOST_DIGITS} digits")
                    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
                case "float":
                    # YAML writes .inf and .nan, Python inf and nan.
                    return float(text.replace(".", "")) if text[-1:].isalpha() else float(text)
        except (ValueError, KeyError):
            got = repr(text if len(text) <= 60 else f"{text[:57]}...")
            raise self._refusal(line, path, got, f"a value of type {kind}") from None
        raise self._refusal(line, path, _tag(node), "a plain value")

    def _refusal(self, line: int, path: KeyPath, got: str, need: str) -> ConfigError:
        field = dotted(path)
        return ConfigError(f"{self.file}:{line}: {field + ': ' if field else ''}got {got}, need {need}")


def _tag(node: Any) -> str:
    tag: str = node.tag
    return f"the tag {tag.replace(_CORE, '!!')}"


def dotted(path: KeyPath) -> str:
    """The path as users write it.

    >>> dotted(("sram", 0, "capacity_bytes"))
    'sram.0.capacity_bytes'
    """
    return ".".join(str(part) for part in path)
