"""Walks through a loop nest of tiles, at the few positions that differ from one another.

Along a loop only the first position, the last, and the one before the last differ from those between, so a loop of four
stands for every longer one. Of each such nest, in every loop order, stands here what each position's tile, the next and
the one before are: which kinds, and which blocks are new. Repetitions of the product form one more, outermost loop.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ..configs.arrays import IntArray
from .mapping import LOOP_ORDERS

Numbers = npt.NDArray[np.intp]

LONGEST = 4
"""Positions that stand for a loop of any length: the second one for all between the first and the last two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNest:
    """Every walk [W] (loop order, trips along m, n and k up to ``LONGEST``) at its positions [P].

    Kinds of tiles count flat over the axes that matter, see ``tile_grid``; the number after the last kind stands for
    nothing.

    Attributes:
        group: which loops' second positions this is, bits 0, 1, 2 for m, n, k; 8 where the walk has no such position.
        middle_repeat: [P] whether it is the second repetition.
        tile: kind of the tile, over [2, 2, 3].
        load_a: kind of the next tile's block of A, over [2, 3], if it is a new one.
        load_b: the same of B, over [3, 2].
        load_sums: the same of partial sums to be read back, over [2, 2].
        store: kind of what the tile before left: results over [2, 2], then partial sums.
        finished: the same of results alone.
    """

    group: Numbers
    middle_repeat: npt.NDArray[np.bool_]
    tile: Numbers
    load_a: Numbers
    load_b: Numbers
    load_sums: Numbers
    store: Numbers
    finished: Numbers


def walk_number(orders: IntArray, m: IntArray, n: IntArray, k: IntArray) -> IntArray:
    """[K] the walk of candidates with these loop orders (numbers in ``LOOP_ORDERS``) and trips."""
    number = orders
    for trips in (m, n, k):
        number = number * LONGEST + np.minimum(trips, LONGEST) - 1
    return number


@cache
def loop_nest(repeats: int) -> LoopNest:
    """All walks of a product that repeats so often, ``LONGEST`` standing for that and more."""
    walks = [
        _walk(order, dict(zip("mnk", trips, strict=True)), repeats)
        for order in LOOP_ORDERS
        for trips in itertools.product(range(1, LONGEST + 1), repeat=3)
    ]
    places = np.arange(repeats * LONGEST**3) // LONGEST**3
    tables = np.array(walks, dtype=np.intp).transpose(2, 0, 1)
    names = ("group", "tile", "load_a", "load_b", "load_sums", "store", "finished")
    return LoopNest(
        middle_repeat=(places == 1) & (repeats == LONGEST),
        **dict(zip(names, map(np.ascontiguousarray, tables), strict=True)),
    )


_ABSENT = (8, 0, 6, 6, 4, 8, 4)
"""What stands where a walk has no such position."""


def _walk(order: str, trips: dict[str, int], repeats: int) -> list[tuple[int, ...]]:
    """A row a position: see ``LoopNest``. Positions of shorter walks leave gaps, so that all walks have as many."""
    steps = [
        dict(zip("r" + order, index, strict=True))
        for index in itertools.product(range(repeats), *(range(trips[axis]) for axis in order))
    ]
    found: list[tuple[int, ...]] = [_ABSENT] * (repeats * LONGEST**3)
    for number, here in enumerate(steps):
        before = steps[number - 1] if number else None
        following = steps[number + 1] if number + 1 < len(steps) else None
        place = here["r"]
        for axis in order:
            place = place * LONGEST + here[axis]
        group = sum(1 << bit for bit, axis in enumerate("mnk") if trips[axis] == LONGEST and here[axis] == 1)
        found[place] = (group, _tile(here, trips), *_loads(here, following, trips), *_stores(here, before, trips))
    return found


def _last(step: dict[str, int], trips: dict[str, int], axis: str) -> int:
    return int(step[axis] == trips[axis] - 1)


def _depth(step: dict[str, int], trips: dict[str, int]) -> int:
    """Kind along k: the first tile, those between, the last."""
    return 0 if step["k"] == 0 else 1 + _last(step, trips, "k")


def _tile(step: dict[str, int], trips: dict[str, int]) -> int:
    return (_last(step, trips, "m") * 2 + _last(step, trips, "n")) * 3 + _depth(step, trips)


def _differ(one: dict[str, int], other: dict[str, int], axes: str) -> bool:
    return any(one[axis] != other[axis] for axis in ("r", *axes))


def _loads(here: dict[str, int], following: dict[str, int] | None, trips: dict[str, int]) -> tuple[int, int, int]:
    if following is None:
        return 6, 6, 4
    m, n, k = _last(following, trips, "m"), _last(following, trips, "n"), _depth(following, trips)
    return (
        m * 3 + k if _differ(here, following, "mk") else 6,
        k * 2 + n if _differ(here, following, "kn") else 6,
        m * 2 + n if _differ(here, following, "mn") and following["k"] else 4,
    )


def _stores(here: dict[str, int], before: dict[str, int] | None, trips: dict[str, int]) -> tuple[int, int]:
    if before is None or not _differ(here, before, "mn"):
        return 8, 4
    kind = _last(before, trips, "m") * 2 + _last(before, trips, "n")
    done = _last(before, trips, "k")
    return (kind, kind) if done else (4 + kind, 4)
