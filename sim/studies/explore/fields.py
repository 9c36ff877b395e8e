"""What an axis may set: any field of the hardware, of the options, and what a point has besides.

The type of a value is that of the field it sets, with its range and its units, so that a sweep accepts what a hardware
file accepts and refuses what that refuses, in the same words.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import PositiveInt

from ....accel.design_fields import Target, design_names, design_target, leaf_target, unwrapped
from ....configs.errors import ConfigError
from ....configs.near import near
from ....configs.quantity import FormatText
from ...options import DECLARED, SWEPT
from .axis_values import FREE, SINGLE, is_free

HARDWARE, OPTIONS = "hardware.", "options."
"""What the names of fields begin with."""


def target_of(name: str) -> Target:
    """What a name sets.

    Raises:
        ConfigError: ``got X, need Y; try Z``: there is no such field, or it holds others.
    """
    if name in SINGLE:
        kinds: dict[str, Any] = {"sparsity": FormatText, "batch": PositiveInt}
        return Target(name=name, of_one=kinds.get(name, str), whole=name == "batch", number=name == "batch")
    if name.startswith(HARDWARE):
        return design_target(tuple(name.split("."))[1:], name=name, known=all_names())
    if name.startswith(OPTIONS):
        return _option_target(name)
    if is_free(name):
        return Target(name=name, of_one=FREE, number=True)
    known = f"a field such as hardware.tensor_engine.rows, one of {', '.join(SINGLE)}, or a variable of your own"
    raise ConfigError(f"got {name}, need {known}{near(name, all_names())}")


def _option_target(name: str) -> Target:
    option = name.removeprefix(OPTIONS)
    if option not in SWEPT:
        offered = [f"{OPTIONS}{each}" for each in SWEPT]
        hint = "; try batch" if option == "batch" else near(name, offered)
        raise ConfigError(f"got {name}, need one of {', '.join(offered)}{hint}")
    return leaf_target(name, *unwrapped(DECLARED[option].kind.annotation, []))


@cache
def all_names() -> tuple[str, ...]:
    """Every name that an axis can have, but for free variables and keys of mappings."""
    return (*SINGLE, *(f"{HARDWARE}{name}" for name in design_names()), *(f"{OPTIONS}{name}" for name in SWEPT))
