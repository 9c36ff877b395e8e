"""A design with fields set in words, ``tensor_engine.rows=64``, as a command line says it."""

from __future__ import annotations

from collections.abc import Sequence

from ..configs.errors import ConfigError
from ..configs.schema import Loaded
from ..configs.strict_yaml import KeyPath, Place, dotted, parse_text
from .design_fields import Target, design_names, design_target
from .dram_timings import load_dram_timings
from .specification import Hardware
from .varied_design import Change, Family, typed_value

_SAID = Place("--set", 1)
_PREFIX = "hardware."
"""Sweeps write it before a field of the hardware; here it may stand, too."""

_MOST_NAMED = 3
"""Fields that the name of a design tells; of more it has a number."""


def set_fields(base: Loaded[Hardware], words: Sequence[str]) -> Loaded[Hardware]:
    """A design with fields changed.

    Args:
        base: the design.
        words: ``field=value`` each; a value as a file would have it (``300 MHz``), a list joined by commas, a timing
            set by its name. Of a field that is said twice the last counts.

    Returns:
        The design, named after what was changed; the base itself where nothing changes.

    Raises:
        ConfigError: there is no such field, a value is none of the field's, or the fields do not go together.
    """
    said = dict(_read(word) for word in words)
    try:
        changes = [_change(path, *said[path]) for path in sorted(said, key=len)]
        shown = ", ".join(f"{dotted(path)}={text}" for path, (_, text) in said.items())
        name = f"{base.model.name} with {shown}" if len(said) <= _MOST_NAMED else None
        return Family(base).varied(changes, name=name)
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"{_SAID}: ", f"{_SAID.file} ")) from None


def _read(word: str) -> tuple[KeyPath, tuple[Target, str]]:
    """Of one word the path of its field, what stands there, and the text of its value."""
    name, equals, text = (part.strip() for part in word.partition("="))
    if not equals or not name or not text:
        raise ConfigError(f"--set: got {word!r}, need FIELD=VALUE; try --set tensor_engine.rows=64")
    path = tuple(name.removeprefix(_PREFIX).split("."))
    try:
        return path, (design_target(path, name=".".join(path), known=design_names()), text)
    except ConfigError as error:
        raise ConfigError(f"--set: {error}") from None


def _change(path: KeyPath, target: Target, text: str) -> Change:
    name = dotted(path)
    if target.part:
        value, part = None, load_dram_timings(text)
    else:
        read = text if target.listed else parse_text(text, file=_SAID.file).data
        value, part = typed_value(target, read, _SAID), None
    return Change(
        path=tuple(map(str, path)),
        value=value if part is None else part.document.data,
        status="given",
        source=f"--set {name}={text}",
        place=_SAID,
        part=part,
    )
