"""Results as plain data, ready for JSON."""

from __future__ import annotations

import dataclasses
from typing import Any


def plain_data(value: Any) -> Any:
    """Dataclasses as dictionaries and tuples as lists, all the way down: what JSON gives back as it was."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain_data(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: plain_data(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain_data(each) for each in value]
    return value
