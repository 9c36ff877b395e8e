"""What a shell completes: names of shipped files, and the values that an option takes.

Asked for by the shell itself while somebody types: what is slow to import is imported only then.
"""

from __future__ import annotations

from collections.abc import Callable

from ..configs.option_kinds import Kind, OneOf

Completion = Callable[[str], list[str]]
"""Given what was typed, what it may become."""


def shipped(kind: str) -> Completion:
    """Names of the shipped files of a kind, see ``configs.library.KINDS``; the shell itself knows paths."""

    def complete(incomplete: str) -> list[str]:
        from ..configs.library import names

        return _begun(names(kind), incomplete)

    return complete


def choices(kind: Kind) -> Completion | None:
    """The values of an option that takes one of some names; None of any other."""
    if not isinstance(kind, OneOf):
        return None
    return lambda incomplete: _begun(kind.names, incomplete)


def listed(kind: str) -> Completion:
    """Of names with commas between them the last."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in shipped(kind)(last)]

    return complete


def _begun(names: list[str] | tuple[str, ...], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
