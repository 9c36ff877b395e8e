"""Which dataflows a specification may name: whoever knows them gives the check, for this room computes with none.

The package's front door gives it (``bisparse/__init__.py``), so that it holds wherever a file, a sweep or an option
names a dataflow.
"""

from __future__ import annotations

from collections.abc import Callable

_checks: list[Callable[[str], object]] = []


def check_dataflow_names_with(check: Callable[[str], object]) -> None:
    """Check names from now on.

    Args:
        check: raises ConfigError of a name that it does not know.
    """
    _checks.append(check)


def checked_dataflow_name(name: str) -> str:
    """The name, when every check lets it pass."""
    for check in _checks:
        check(name)
    return name
