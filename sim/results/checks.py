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
    _check_above_zero(document, "clock_hz")


def check_result(document: dict[str, Any]) -> None:
    """Refuse a document of figures that no step has.

    Raises:
        ConfigError: it is so.
    """
    check_step(document)
    _check_stages(document)
    _check_counts(document)


def _check_stages(document: dict[str, Any]) -> None:
    """Refuse rows of stages that no step has.

    Raises:
        ConfigError: there is such a row.
    """
    for name in ("operators", "breakdown"):
        for number, row in enumerate(document[name]):
            if row["stage"] not in STAGES:
                got, need = shown(row["stage"]), ", ".join(STAGES)
                raise ConfigError(f"{name}.{number}.stage: got {got}, need one of {need}")


def _check_counts(document: dict[str, Any]) -> None:
    """Refuse peaks and a bound that nothing can be held against, and products that nobody multiplied.

    Raises:
        ConfigError: there is such a figure.
    """
    for name in ("peak_macs_per_cycle", "dram_bytes_per_cycle", "flop_bound_speedup"):
        _check_above_zero(document, name)
    multiplying = [(number, row) for number, row in enumerate(document["operators"]) if row.get("useful_macs", 0)]
    if multiplying:
        _check_above_zero(document, "useful_macs")
    for number, row in multiplying:
        if row["engine"] == "tensor":
            _check_above_zero(row, "array_utilisation", within=f"operators.{number}.")


def _check_above_zero(document: dict[str, Any], name: str, *, within: str = "") -> None:
    found = document.get(name, 0)
    if found <= 0:
        raise ConfigError(f"{within}{name}: got {found}, need a number > 0")
