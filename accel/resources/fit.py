"""Whether a design fits a part: by which resource it does not, in which region, by how much, and which array would.

Three answers, for what the operators and lanes take is an interval: with the least, the likeliest and the most of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..specification import Hardware
from .amounts import ENDS, RESOURCES, Amounts, End, Resource, share
from .components import NOT_COUNTED, Component, components
from .operators import Operators, load_operators
from .parts import Part
from .placement import Placement, Use, place

GUIDELINE = Amounts(luts=0.7, flip_flops=0.5, dsps=0.8, bram36=0.8, urams=0.8)
"""Shares of a region above which placing takes long and clocks suffer: AMD UG1393, Timing Closure Considerations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What a region lacks."""

    region: str
    resource: Resource
    needed: float
    there: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A design beside a part.

    Attributes:
        design: its name.
        rows: of its array.
        cols: of its array.
        part: what it is laid out in.
        parts: its components.
        placements: by end of the intervals.
        largest: rows and columns of the largest array of the same proportions that fits, all else as it is; None when
            none does.
    """

    design: str
    rows: int
    cols: int
    part: Part
    parts: tuple[Component, ...]
    placements: dict[End, Placement]
    largest: tuple[int, int] | None

    @property
    def fits(self) -> bool:
        """With the likeliest of each."""
        return self.placements["value"].share <= 1

    @property
    def verdict(self) -> str:
        """In a few words."""
        low, value, high = (self.placements[end].share for end in ENDS)
        if low > 1:
            return "does not fit"
        if value > 1:
            return "does not fit, unless its operators take the least"
        if high > 1:
            return "fits, unless its operators take the most"
        return "fits, whatever its operators take"

    @property
    def above_guideline(self) -> bool:
        """Whether some region is fuller than a tool likes, see ``GUIDELINE``."""
        uses = self.placements["value"].uses
        return any(used > limit * there for use in uses for used, limit, there in _against(use))

    @property
    def shortages(self) -> list[Shortage]:
        """What regions lack, with the likeliest of each, the largest lack first."""
        found = [
            Shortage(region=use.region.name, resource=resource, needed=getattr(use.used, resource), there=there)
            for use in self.placements["value"].uses
            for resource, there in zip(RESOURCES, use.region.amounts, strict=True)
            if getattr(use.used, resource) > there
        ]
        return sorted(found, key=lambda each: -share(each.needed, each.there))

    def document(self) -> dict[str, Any]:
        """The whole as plain data."""
        return {
            "design": self.design,
            "array": [self.rows, self.cols],
            "part": self.part.name,
            "device": self.part.device,
            "verdict": self.verdict,
            "fits": self.fits,
            "above_guideline": self.above_guideline,
            "share": {end: _finite(self.placements[end].share) for end in ENDS},
            "largest_array": list(self.largest) if self.largest else None,
            "components": {each.name: {end: _plain(getattr(each.whole, end)) for end in ENDS} for each in self.parts},
            "memories": self.placements["value"].memories,
            "total": {end: _plain(self.placements[end].total) for end in ENDS},
            "regions": {
                use.region.name: {
                    "rows": use.rows,
                    "used": _plain(use.used),
                    "there": _plain(use.region.amounts),
                    "share": _finite(use.share),
                    "shortest": use.shortest,
                }
                for use in self.placements["value"].uses
            },
            "not_counted": list(NOT_COUNTED),
        }


def fit(hardware: Hardware, part: Part) -> Fit:
    """Lay a design out in a part.

    Raises:
        ConfigError: the part's operators have none of the design's format, or there is no such table.
    """
    operators = load_operators(part.operators)
    found = components(hardware, operators)
    return Fit(
        design=hardware.name,
        rows=hardware.tensor_engine.rows,
        cols=hardware.tensor_engine.cols,
        part=part,
        parts=found,
        placements={end: place(found, part, end) for end in ENDS},
        largest=_largest(hardware, part, operators),
    )


def part_share(hardware: Hardware, part: Part, end: End = "value") -> float:
    """Of the resource and region that a design is shortest of; 1 or less fits."""
    return place(components(hardware, load_operators(part.operators)), part, end).share


def _largest(hardware: Hardware, part: Part, operators: Operators) -> tuple[int, int] | None:
    engine = hardware.tensor_engine
    common = math.gcd(engine.rows, engine.cols)
    rows, cols = engine.rows // common, engine.cols // common

    def holds(scale: int) -> bool:
        sides = {"rows": scale * rows, "cols": scale * cols}
        array = engine.model_copy(update=sides)
        scaled = hardware.model_copy(update={"tensor_engine": array})
        return place(components(scaled, operators), part).share <= 1

    if not holds(1):
        return None
    # No part has a PE without a LUT.
    fewest, most = 1, math.isqrt(part.luts // (rows * cols)) + 1
    while most - fewest > 1:
        middle = (fewest + most) // 2
        fewest, most = (middle, most) if holds(middle) else (fewest, middle)
    return fewest * rows, fewest * cols


def _against(use: Use) -> list[tuple[float, float, float]]:
    return list(zip(use.used, GUIDELINE, use.region.amounts, strict=True))


def _plain(amounts: Amounts) -> dict[str, int]:
    return {resource: math.ceil(each) for resource, each in zip(RESOURCES, amounts, strict=True)}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
