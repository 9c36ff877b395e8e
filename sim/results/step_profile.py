"""The step over time, as a result keeps it: plain data, small enough for ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...configs.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OperatorSpan:
    """When an operator ran.

    Attributes:
        name: the operator.
        stage: FF, BP, WU or ``vector``.
        start_cycle: first cycle.
        end_cycle: the cycle after the last.
    """

    name: str
    stage: str
    start_cycle: int
    end_cycle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The step over time, as the event engine played it: equal parts, and what everybody did in each.

    Attributes:
        parts: how many.
        dram_channels: that requests are spread over.
        tensor: share of each part that the tensor engine spent on each cause; they sum to 1.
        engines: share of each part that each other engine, and DRAM, was busy.
        moved_bytes: between chip and DRAM in each part.
        held_bytes: most that each buffer of the tensor engine held in each part.
        operators: in order.
    """

    parts: int
    dram_channels: int
    tensor: dict[str, tuple[float, ...]]
    engines: dict[str, tuple[float, ...]]
    moved_bytes: tuple[int, ...]
    held_bytes: dict[str, tuple[int, ...]]
    operators: tuple[OperatorSpan, ...]

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Profile:
        """The profile that a document was made of.

        Raises:
            ConfigError: it has another number of values than parts.
        """
        rows = {name: _rows(document[name]) for name in ("tensor", "engines", "held_bytes")}
        whole = {"moved_bytes": document["moved_bytes"]}
        whole |= {f"{name}.{each}": row for name in rows for each, row in rows[name].items()}
        for name, row in whole.items():
            if not row or len(row) != document["parts"]:
                raise ConfigError(f"profile.{name}: got {len(row)} values, need one for each of {document['parts']}")
        return cls(
            parts=document["parts"],
            dram_channels=document["dram_channels"],
            moved_bytes=tuple(document["moved_bytes"]),
            operators=tuple(OperatorSpan(**span) for span in document["operators"]),
            **rows,
        )


def _rows(document: dict[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(row) for name, row in document.items()}
