"""Patterns of names with commas between them, as freezing and recomputation take them."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from fnmatch import fnmatchcase

from ...configs.errors import ConfigError


def patterns_in(option: str, text: str) -> tuple[str, ...]:
    """The patterns that stand between commas.

    Args:
        option: that they were given for.
        text: with ``*`` and ``?``.

    Raises:
        ConfigError: there is nothing on a side of a comma.
    """
    found = tuple(each.strip() for each in text.split(","))
    if not all(found):
        raise ConfigError(f"{option}: got {text!r}, need a name on both sides of a comma")
    return found


def named(pattern: str, path: str) -> bool:
    """Whether a pattern names a path, or what it stands in.

    >>> [named(pattern, "encoder.3.weight") for pattern in ("encoder.3", "*.weight", "encoder.?.*", "coder")]
    [True, True, True, False]
    """
    parts = path.split(".")
    return any(fnmatchcase(".".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def refuse_unknown(
    option: str, pattern: str, known: Collection[str], *, what: str, of: str, field: str | None = None
) -> None:
    """Refuse a pattern that names nothing: a misspelt one would look like one that was followed.

    Args:
        option: that it was given for.
        pattern: with ``*`` and ``?``.
        known: paths that it may name.
        what: they are.
        of: the network's name.
        field: of a file that it stands in, if it does.

    Raises:
        ConfigError: it names none of them.
    """
    if any(named(pattern, each) for each in known):
        return
    near = difflib.get_close_matches(pattern, sorted(known), n=1, cutoff=0.0)
    remedy = f"; try {near[0]}" if near else ""
    raise ConfigError(f"{option}: got {pattern!r}, need {what} of {of}, with * and ?{remedy}", field=field)
