"""Walks through a loop nest of tiles, at the few positions that differ from one another.

Tiles along an axis are full ones, then last ones (see ``tiling``). Of each of these two runs only the first position,
the last, and those between differ, so three of each stand for every longer run. Of each such nest, in every loop order,
stands here what each position's tile, the next and the one before are: which kinds, and which blocks are new, for
operands that are kept across their free loop (see ``holding``) and for those that are not. Repetitions of the product
form one more, outermost loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..configs.arrays import IntArray
from .gemm import AXES, Axis
from .mapping import LOOP_ORDERS
from .tiling import AxisTiles

Kinds = npt.NDArray[np.int8]

LONGEST = 4
"""Repetitions that stand for any number of them: the second for all between the first and the last two."""

RUN = 3
"""Positions that stand for a run of any length: the second for all between the first and the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNest:
    """Every walk [W] (loop order, runs along m, n and k up to ``RUN``) at its positions [P].

    Kinds of tiles count flat over the axes that matter, see ``tile_grid``; the number after the last kind stands for
    nothing. Where there are two of them, [2, W, P], the second is of an operand that is kept.

    Attributes:
        present: [W, P] whether the walk has such a position.
        tile: [W, P] kind of the tile, over [2, 2, 3].
        next_tile: [W, P] kind of the next one.
        load_a: [2, W, P] kind of the next tile's block of A, over [2, 3], if it is a new one.
        load_b: [2, W, P] the same of B, over [3, 2].
        load_sums: [2, W, P] the same of partial sums to be read back, over [2, 2].
        store: [2, W, P] kind of what the tile before left: results over [2, 2], then partial sums.
    """

    present: npt.NDArray[np.bool_]
    tile: Kinds
    next_tile: Kinds
    load_a: Kinds
    load_b: Kinds
    load_sums: Kinds
    store: Kinds


class Shape(NamedTuple):
    """How long a loop nest has to be to stand for some candidates: repetitions; runs of last tiles along m, n and k."""

    repeats: int
    m: int
    n: int
    k: int

    @classmethod
    def of(cls, count: int, axes: dict[Axis, AxisTiles]) -> Shape:
        """The shortest that serves candidates of a product that repeats so often."""
        runs = (RUN if (axes[axis].lasts > 1).any() else 1 for axis in AXES)
        return cls(min(count, LONGEST), *runs)

    def walk(self, orders: IntArray, axes: dict[Axis, AxisTiles]) -> IntArray:
        """[K] the walk of candidates with these loop orders, numbers in ``LOOP_ORDERS``."""
        number = orders
        for axis, runs in zip(AXES, self[1:], strict=True):
            fulls, lasts = (np.minimum(count, RUN) for count in (axes[axis].fulls, axes[axis].lasts))
            number = number * (RUN + 1) * runs + (lasts - 1) * (RUN + 1) + fulls
        return number

    def weights(self, count: int, axes: dict[Axis, AxisTiles]) -> IntArray:
        """[K, P] tiles that each position stands for, where it is present."""
        repeats = np.ones(self.repeats, dtype=np.int64)
        if count > LONGEST:
            repeats[1] = count - LONGEST + 1
        weight = repeats[None, :]
        for axis, runs in zip(AXES, self[1:], strict=True):
            along = np.ones((len(axes[axis]), RUN + runs), dtype=np.int64)
            along[:, 1] = np.maximum(axes[axis].fulls - RUN + 1, 1)
            if runs == RUN:
                along[:, RUN + 1] = np.maximum(axes[axis].lasts - RUN + 1, 1)
            positions = weight.shape[1] * along.shape[1]
            weight = (weight[:, :, None] * along[:, None, :]).reshape(len(along), positions)
        return weight


class _Along(NamedTuple):
    """Positions [P] along an axis, for every pair of runs [C]: full tiles 0 to 3, last ones 1 to so many.

    Where a position is not present, what stands here says nothing.
    """

    present: npt.NDArray[np.bool_]
    first: npt.NDArray[np.bool_]
    last: npt.NDArray[np.bool_]
    following: npt.NDArray[np.intp]
    before: npt.NDArray[np.intp]
    begin: npt.NDArray[np.intp]
    end: npt.NDArray[np.intp]

    @classmethod
    def of(cls, runs: int) -> _Along:
        shape = ((RUN + 1) * runs, RUN + runs)
        found = cls(*(np.zeros(shape, dtype=kind) for kind in (bool, bool, bool, np.intp, np.intp, np.intp, np.intp)))
        for code in range(shape[0]):
            lasts, fulls = divmod(code, RUN + 1)
            places = [*range(fulls), *range(RUN, RUN + lasts + 1)]
            found.present[code, places] = True
            found.first[code, places[0]] = found.last[code, places[-1]] = True
            found.following[code, places[:-1]] = places[1:]
            found.before[code, places[1:]] = places[:-1]
            found.begin[code], found.end[code] = places[0], places[-1]
        return found


@cache
def loop_nest(shape: Shape) -> LoopNest:
    """All walks of nests of a shape."""
    parts = [_walks(order, shape) for order in LOOP_ORDERS]
    return LoopNest(**{name: np.concatenate([part[name] for part in parts], axis=-2) for name in parts[0]})


def _walks(order: str, shape: Shape) -> dict[str, npt.NDArray[np.int8] | npt.NDArray[np.bool_]]:
    """The walks of one loop order, as ``LoopNest`` has them: runs along m, n and k; then positions."""
    along = {axis: _Along.of(runs) for axis, runs in zip(AXES, shape[1:], strict=True)}
    sizes = {axis: (each.present.shape[0], each.present.shape[1]) for axis, each in along.items()}
    codes = np.ogrid[tuple(slice(sizes[axis][0]) for axis in AXES) + (slice(1),) * 4]
    steps = np.ogrid[(slice(1),) * 3 + (slice(shape.repeats),) + tuple(slice(sizes[axis][1]) for axis in AXES)]
    code = dict(zip(AXES, codes[:3], strict=True))
    here = dict(zip("rmnk", steps[3:], strict=True))
    all_of = np.broadcast_shapes(*(each.shape for each in (*code.values(), *here.values())))

    def look(name: str, axis: Axis, place: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        found: npt.NDArray[np.intp] = getattr(along[axis], name)[code[axis], place]
        return found

    def neighbour(step: str, edge: str, restart: str) -> tuple[dict[str, npt.NDArray[np.intp]], npt.NDArray[np.bool_]]:
        """The positions one step on (or back), and whether there is such a step."""
        found, carry = {}, np.array(True)
        for axis in reversed(order):
            at_edge = look(edge, axis, here[axis])  # type: ignore[arg-type]
            stepped = np.where(at_edge, look(restart, axis, here[axis]), look(step, axis, here[axis]))  # type: ignore[arg-type]
            found[axis] = np.where(carry, stepped, here[axis])
            carry = carry & at_edge
        found["r"] = here["r"] + np.where(carry, 1 if step == "following" else -1, 0)
        return found, (found["r"] >= 0) & (found["r"] < shape.repeats)

    def last_kind(place: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        return (place >= RUN).astype(np.intp)

    def depth(place: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        return np.where(look("first", "k", place), 0, 1 + last_kind(place))

    def differ(other: dict[str, npt.NDArray[np.intp]], axes: str) -> npt.NDArray[np.bool_]:
        return np.asarray(
            np.logical_or.reduce(np.broadcast_arrays(*(other[axis] != here[axis] for axis in ("r", *axes))))
        )

    after, goes_on = neighbour("following", "last", "begin")
    before, came_from = neighbour("before", "first", "end")
    next_a = last_kind(after["m"]) * 3 + depth(after["k"])
    next_b = depth(after["k"]) * 2 + last_kind(after["n"])
    next_c = last_kind(after["m"]) * 2 + last_kind(after["n"])
    left = last_kind(before["m"]) * 2 + last_kind(before["n"])
    done = look("last", "k", before["k"])
    back = differ(after, "mn") & ~look("first", "k", after["k"])
    next_tile = (last_kind(after["m"]) * 2 + last_kind(after["n"])) * 3 + depth(after["k"])
    tables = {
        "present": np.logical_and.reduce(np.broadcast_arrays(*(look("present", axis, here[axis]) for axis in AXES))),
        "tile": (last_kind(here["m"]) * 2 + last_kind(here["n"])) * 3 + depth(here["k"]),
        "next_tile": np.where(goes_on, next_tile, 12),
    }
    both = {
        "load_a": [np.where(goes_on & new, next_a, 6) for new in (differ(after, "mk"), look("first", "n", after["n"]))],
        "load_b": [np.where(goes_on & new, next_b, 6) for new in (differ(after, "kn"), look("first", "m", after["m"]))],
        "load_sums": [np.where(goes_on & back, next_c, 4), np.array(4)],
        "store": [
            np.where(came_from & differ(before, "mn"), np.where(done, left, 4 + left), 8),
            np.where(came_from & done, left, 8),
        ],
    }

    def flat(table: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        full = np.broadcast_to(table, all_of)
        walks = int(np.prod(all_of[:3]))
        return full.reshape(walks, -1)

    found = {name: flat(table) for name, table in tables.items()}
    found |= {name: np.stack([flat(table) for table in pair]) for name, pair in both.items()}
    return {name: table if name == "present" else table.astype(np.int8) for name, table in found.items()}  # type: ignore[misc]
