"""What the time of a product depends on of a design: of one design for all candidates, or of a design a candidate.

With one design every count is a number. With many, a count that differs between them is an array over candidates [K],
shaped to meet the arrays that it is used with: [K, 1, 1, 1] on the array, [K, 1, 1] in memory, [K] beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..accel.dram import DramTiming
from ..accel.specification import BYTES_OF, SHARED_PORT, SIDES, Hardware
from ..accel.tensor_engine import ArrayTiming, Count
from .holding import Room

View = TypeVar("View")
Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignView:
    """A design, or many, as mapping and cost see it.

    Attributes:
        array: timing of the tensor engine.
        west_port_bytes: a cycle, between the west buffer and the array.
        north_port_bytes: the same in the north.
        operand_port_bytes: the same of both operands together; None where they share no port.
        output_port_bytes: the same of partial sums and results.
        memory: timing of DRAM.
        reduction_lanes: of the reduction engine.
        vector_lanes: of the vector engine.
        value_bytes: of an operand value.
        patch_expansion: line buffers expand convolution patches on chip.
        room: in the buffers.
    """

    array: ArrayTiming
    west_port_bytes: Count
    north_port_bytes: Count
    operand_port_bytes: Count | None
    output_port_bytes: Count
    memory: DramTiming
    reduction_lanes: Count
    vector_lanes: Count
    value_bytes: int
    patch_expansion: bool
    room: Room

    @classmethod
    def of(cls, hardware: Hardware) -> DesignView:
        """The view of one design."""
        buffers = hardware.buffers
        return cls(
            array=hardware.tensor_engine.timing,
            west_port_bytes=buffers.west.port_bytes_per_cycle,
            north_port_bytes=buffers.north.port_bytes_per_cycle,
            operand_port_bytes=buffers.shared_port_bytes_per_cycle,
            output_port_bytes=buffers.output.port_bytes_per_cycle,
            memory=DramTiming.of(hardware),
            reduction_lanes=hardware.reduction_engine.lanes,
            vector_lanes=hardware.vector_engine.lanes,
            value_bytes=BYTES_OF[hardware.tensor_engine.precision],
            patch_expansion=buffers.patch_expansion,
            room=Room(
                tiles_held=buffers.tiles_held,
                west_bytes=buffers.west.capacity_bytes,
                north_bytes=buffers.north.capacity_bytes,
                output_bytes=buffers.output.capacity_bytes,
            ),
        )

    @property
    def ports(self) -> tuple[str, ...]:
        """Names of what holds a tile up: the array's ports, and what both operands share where they do."""
        return SIDES if self.operand_port_bytes is None else (*SIDES, SHARED_PORT)

    def with_memory(self, memory: DramTiming) -> DesignView:
        """The same with another memory."""
        return dataclasses.replace(self, memory=memory)

    def pick(self, chosen: npt.NDArray[Any]) -> DesignView:
        """The view of some candidates."""
        return _picked(self, chosen) if isinstance(self.array.rows, np.ndarray) else self


def per_candidate(count: Count) -> Count:
    """A count of a view, flat: a number, or [K]."""
    return count.reshape(-1) if isinstance(count, np.ndarray) else count


def _picked(view: View, chosen: npt.NDArray[Any]) -> View:
    """A dataclass or tuple of names with every array in it, at any depth, narrowed to chosen rows."""
    if isinstance(view, ArrayTiming):
        narrowed: list[Any] = [value[chosen] if isinstance(value, np.ndarray) else value for value in view]
        return cast(View, ArrayTiming(*narrowed))
    changed: dict[str, Any] = {}
    for each in dataclasses.fields(view):  # type: ignore[arg-type]
        value = getattr(view, each.name)
        if isinstance(value, np.ndarray):
            changed[each.name] = value[chosen]
        elif isinstance(value, ArrayTiming | DramTiming | Room):
            changed[each.name] = _picked(value, chosen)
    return dataclasses.replace(view, **changed) if changed else view  # type: ignore[type-var]


def joined_views(views: Sequence[View]) -> View:
    """Views of candidates one after another, a design of one table each: what is no array is alike.

    Any dataclass or tuple of names with arrays in it, at any depth.
    """
    first, changed = views[0], dict[str, Any]()
    fields = () if isinstance(first, ArrayTiming) else dataclasses.fields(first)  # type: ignore[arg-type]
    for name in ArrayTiming._fields if isinstance(first, ArrayTiming) else [each.name for each in fields]:
        values = [getattr(view, name) for view in views]
        if isinstance(values[0], np.ndarray):
            changed[name] = np.concatenate(values)
        elif isinstance(values[0], ArrayTiming | DramTiming | Room):
            changed[name] = joined_views(values)
    if isinstance(first, ArrayTiming):
        return cast(View, first._replace(**changed))
    return dataclasses.replace(first, **changed)  # type: ignore[type-var]


def gathered(parts: Sequence[tuple[npt.NDArray[Any], Figures]], designs: int) -> Figures:
    """Figures of designs that were found in parts, put in their places: what ``of_design`` takes apart.

    Numbers that are alike on all designs of a part become arrays where there are several parts.

    Args:
        parts: which designs, and their figures, [s] each; all parts have the same names.
        designs: how many there are.

    >>> gathered([(np.array([1]), {"cycles": np.array([7])}), (np.array([0]), {"cycles": 5})], 2)
    {'cycles': array([5, 7])}
    """
    first: Any = parts[0][1]
    if len(parts) == 1:
        return parts[0][1]
    found: Any
    if isinstance(first, dict):
        found = {name: gathered([(own, each[name]) for own, each in parts], designs) for name in first}  # type: ignore[index]
    elif isinstance(first, tuple):
        found = tuple(gathered([(own, each[at]) for own, each in parts], designs) for at in range(len(first)))  # type: ignore[index]
    elif dataclasses.is_dataclass(first) and not isinstance(first, type):
        names = [each.name for each in dataclasses.fields(first)]
        values = {name: gathered([(own, getattr(each, name)) for own, each in parts], designs) for name in names}
        found = dataclasses.replace(first, **values)
    else:
        found = np.empty(designs, dtype=np.result_type(*(np.asarray(each) for _, each in parts)))
        for own, each in parts:
            found[own] = each
    return cast(Figures, found)


def of_design(figures: Figures, design: int | slice) -> Figures:
    """What figures of many designs are on one, or on some that follow each other, at any depth of dataclasses.

    On one there are numbers in place of arrays.

    >>> of_design({"cycles": np.array([5, 7]), "shares": (np.array([0.5, 1.0]), 3)}, 1)
    {'cycles': 7, 'shares': (1.0, 3)}
    """
    found: Any = figures
    if isinstance(figures, np.ndarray):
        found = figures[design]
        found = found.item() if isinstance(found, np.generic) else found
    elif isinstance(figures, dict):
        parts = {name: of_design(each, design) for name, each in figures.items()}
        found = parts if any(parts[name] is not each for name, each in figures.items()) else figures
    elif isinstance(figures, tuple):
        items = tuple(of_design(each, design) for each in figures)
        found = items if any(one is not each for one, each in zip(items, figures, strict=True)) else figures
    elif not isinstance(figures, _PLAIN) and dataclasses.is_dataclass(figures) and not isinstance(figures, type):
        values = {name: getattr(figures, name) for name in _names_of(type(figures))}
        changed = {name: picked for name, each in values.items() if (picked := of_design(each, design)) is not each}
        found = dataclasses.replace(figures, **changed) if changed else figures
    return cast(Figures, found)


_PLAIN = (str, int, float, Enum, type(None))
"""What has no parts, and comes most often."""


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))
