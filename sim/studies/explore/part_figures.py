"""Figures of a design as silicon: what it takes of an FPGA part, and as a chip of its own.

Of a part each resource, and of the scarcest one of the fullest region which share; of a chip square millimetres. They
follow from the hardware alone, so that a constraint on them rules a design out before anything is simulated. A
study's table has a column for those that its sweep speaks of and for no other: counting takes as long as some steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from ....accel.area import Area, Prices, area, load_area_table, total
from ....accel.resources.amounts import ENDS, RESOURCES, TITLES, End
from ....accel.resources.components import components
from ....accel.resources.operators import load_operators
from ....accel.resources.parts import Part, load_part
from ....accel.resources.placement import Placement, place
from ....accel.specification import Hardware
from ....configs.library import names
from .figures import ACCURACY, ACCURACY_FIGURE, FIGURES, Figure


def _of_silicon(name: str, title: str, of_hardware: Callable[[Hardware], float], **more: Any) -> tuple[str, Figure]:
    return name, Figure(**{"unit": "", "title": title, "of_hardware": of_hardware, "combine": "same", **more})


def _suffix(end: End) -> str:
    return "" if end == "value" else f"_{end}"


def _part_figures() -> Iterator[tuple[str, Figure]]:
    for part in names("parts"):
        for end in ENDS:
            words = "" if end == "value" else f", operators at their {end} end"
            title = f"largest share of a resource in a region of {part}{words}; 1 or less fits"
            yield _of_silicon(f"fit.{part}.share{_suffix(end)}", title, _share(part, end))
        for number, resource in enumerate(RESOURCES):
            title = f"{TITLES[resource]} taken of {part}"
            yield _of_silicon(f"fit.{part}.{resource}", title, _count(part, number), whole=True)


def _areas() -> Iterator[tuple[str, Figure]]:
    for node in names("area"):
        for end in ENDS:
            words = "" if end == "value" else f", at its {end} end"
            title = f"area as a chip of {node}{words}"
            yield _of_silicon(f"area.mm2_{node}{_suffix(end)}", title, _square_millimetres(node, end), unit="mm2")


def _square_millimetres(node: str, end: End) -> Callable[[Hardware], float]:
    return lambda hardware: float(getattr(_area(hardware, node), end))


def _area(hardware: Hardware, node: str) -> Area:
    return total(area(hardware, _area_table(node)))


@cache
def _area_table(node: str) -> Prices:
    return load_area_table(node)


def _share(part: str, end: End) -> Callable[[Hardware], float]:
    return lambda hardware: _placed(hardware, part, end).share


def _count(part: str, number: int) -> Callable[[Hardware], int]:
    return lambda hardware: math.ceil(_placed(hardware, part, "value").total[number])


def _placed(hardware: Hardware, part: str, end: End) -> Placement:
    """A design in a part; of designs that differ in nothing that is counted, once."""
    key = (
        hardware.tensor_engine,
        hardware.buffers,
        hardware.reduction_engine,
        hardware.update_engine,
        hardware.vector_engine.lanes,
        hardware.vector_engine.load_lanes,
    )
    return _remembered(_Counted(key, hardware), part, end)


class _Counted:
    """A design that is equal to another where what is counted is."""

    __slots__ = ("hardware", "key")

    def __init__(self, key: tuple[object, ...], hardware: Hardware) -> None:
        self.key, self.hardware = key, hardware

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Counted) and self.key == other.key


@lru_cache(maxsize=1024)
def _remembered(design: _Counted, part: str, end: End) -> Placement:
    model = _part(part)
    return place(components(design.hardware, load_operators(model.operators)), model, end)


@cache
def _part(name: str) -> Part:
    return load_part(name).model


PART_FIGURES: dict[str, Figure] = {**dict(_part_figures()), **dict(_areas())}
"""Every figure of a design in a shipped part, or as a chip: ``fit.PART.share``, ``area.mm2_TABLE`` and so on."""


def about(figure: str) -> Figure:
    """What a figure is, of a step, of the hardware, of a part or of a training run."""
    if figure == ACCURACY:
        return ACCURACY_FIGURE
    return FIGURES.get(figure) or PART_FIGURES[figure]
