"""Which dataflows a specification may name. What a dataflow does is said in a room above, which gives the check.

Nothing in this room computes with a dataflow's name, so by itself it takes any; once the registry of dataflows is
imported (``dataflow.dataflows``), names that it does not know are refused where a file, a sweep or an option says them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from ..configs.quantity import as_field

_checks: list[Callable[[str], object]] = []


def check_names_with(check: Callable[[str], object]) -> None:
    """Check names from now on.

    Args:
        check: raises ConfigError of a name that it does not know.
    """
    _checks.append(check)


def _checked(name: str) -> str:
    for check in _checks:
        check(name)
    return name


DataflowName = Annotated[str, AfterValidator(as_field(_checked))]
"""The name of a dataflow, as pydantic takes it."""
