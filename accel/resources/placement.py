"""Where the pieces of a design lie in a part: the fullest region as empty as a simple rule makes it.

The largest pieces come first, each into the region that it leaves least full. A placement that fits is a proof that the
design does; that none was found is no proof that there is none, but its total may be one. Nothing is routed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .amounts import RESOURCES, Amounts, End, Resource, share
from .components import Component
from .parts import Part, Region

_PIECES_APART = 8
"""Lanes and banks are placed in so many lots of a component: which region takes one lane more decides nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What lies in one region.

    Attributes:
        region: of the part.
        used: what the pieces there take.
        rows: rows of the array there.
    """

    region: Region
    used: Amounts
    rows: int

    @property
    def share(self) -> float:
        """Of the resource that it is shortest of; more than 1 does not fit."""
        return self.used.share_of(self.region.amounts)

    @property
    def shortest(self) -> Resource:
        """That resource."""
        shares = [share(used, there) for used, there in zip(self.used, self.region.amounts, strict=True)]
        return RESOURCES[shares.index(max(shares))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A design in a part.

    Attributes:
        total: what the design takes in all.
        uses: of each region.
        memories: of each buffer, what its banks are: ``bram36`` or ``urams``.
    """

    total: Amounts
    uses: tuple[Use, ...]
    memories: dict[str, Resource]

    @property
    def share(self) -> float:
        """Of the resource and region that it is shortest of; 1 or less fits."""
        return self.fullest.share

    @property
    def fullest(self) -> Use:
        """The region that it is shortest in."""
        return max(self.uses, key=lambda use: use.share)


def place(parts: Sequence[Component], part: Part, end: End = "value") -> Placement:
    """Lay a design out in a part.

    Args:
        parts: components of the design.
        part: what it is to fit.
        end: of the intervals that are known of them.
    """
    room = part.room
    there = _sum([region.amounts for region in room])
    memories = _kinds(parts, there, end)
    lots = [*_lots(parts, memories, end)]
    lots.sort(key=lambda lot: -lot[0].share_of(there))
    used, rows = [Amounts() for _ in room], [0] * len(room)
    limits = [region.amounts for region in room]
    for taken, row in lots:
        after = [mine.plus(taken) for mine in used]
        shares = [mine.share_of(limit) for mine, limit in zip(after, limits, strict=True)]
        best = shares.index(min(shares))
        used[best] = after[best]
        rows[best] += row
    return Placement(
        total=_sum(used),
        uses=tuple(Use(region=region, used=mine, rows=row) for region, mine, row in zip(room, used, rows, strict=True)),
        memories=memories,
    )


def _kinds(parts: Sequence[Component], there: Amounts, end: End) -> dict[str, Resource]:
    """What each buffer is made of: whatever leaves the part least full, block RAMs where that does not matter."""
    buffers = [each for each in parts if each.memory is not None]
    kinds: tuple[Resource, Resource] = ("bram36", "urams")
    choices = itertools.product(kinds, repeat=len(buffers))
    chosen = min(
        choices,
        key=lambda choice: _sum(
            _piece(each, kind, end).times(each.count) for each, kind in zip(buffers, choice, strict=True)
        ).share_of(there),
    )
    return {each.name: kind for each, kind in zip(buffers, chosen, strict=True)}


def _piece(component: Component, kind: Resource | None, end: End) -> Amounts:
    piece: Amounts = getattr(component.piece, end)
    if component.memory is None:
        return piece
    if kind == "urams":
        return piece.plus(Amounts(urams=component.memory.urams_a_bank))
    return piece.plus(Amounts(bram36=component.memory.bram36_a_bank))


def _lots(parts: Sequence[Component], memories: dict[str, Resource], end: End) -> Iterator[tuple[Amounts, int]]:
    """What is placed at once, and how many rows of the array that is."""
    grouped = [each for each in parts if each.group]
    if grouped:
        row = _sum(_piece(each, None, end) for each in grouped)
        for _ in range(grouped[0].count):
            yield row, 1
    for each in parts:
        if each.group:
            continue
        piece = _piece(each, memories.get(each.name), end)
        lot = -(-each.count // _PIECES_APART)
        for start in range(0, each.count, lot):
            yield piece.times(min(lot, each.count - start)), 0


def _sum(amounts: Iterator[Amounts] | Sequence[Amounts]) -> Amounts:
    found = Amounts()
    for each in amounts:
        found = found.plus(each)
    return found
