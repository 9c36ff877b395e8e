"""What the document of a step must satisfy beyond the types of its fields, see ``configs.plain_fields``."""

from __future__ import annotations

from typing import Any

from ...configs.complaints import shown
from ...configs.errors import ConfigError
from ...dataflow.cycle_causes import STAGES


def check_step(document: dict[str, Any]) -> None:
    """Refuse a document that does not say what went in, or whose clock stands.

    Raises:
        ConfigError: it is so.
    """
    for role in ("hardware", "workload", "recipe"):
        if role not in document["inputs"]:
            raise ConfigError(f"inputs.{role}: got nothing, need this field")
    if document["clock_hz"] <= 0:
        raise ConfigError(f"clock_hz: got {document['clock_hz']}, need a number > 0")


def check_stages(document: dict[str, Any]) -> None:
    """Refuse rows of stages that no step has.

    Raises:
        ConfigError: there is such a row.
    """
    for name in ("operators", "breakdown"):
        for number, row in enumerate(document[name]):
            if row["stage"] not in STAGES:
                got, need = shown(row["stage"]), ", ".join(STAGES)
                raise ConfigError(f"{name}.{number}.stage: got {got}, need one of {need}")
