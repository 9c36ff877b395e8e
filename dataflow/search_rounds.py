"""The rounds of the mapping search: products of one batch at once, each as if it were alone.

First the tiles of the lowest floors, then those that may still be better. Of a round's candidates the lowest bounds are
timed first: mostly no other can win.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..configs.arrays import FloatArray, IntArray
from .candidate_groups import place_in
from .objective import slowest_alike
from .search_sides import Lot, Side
from .search_timed import Timed

_FIRST_TILES, _MOST_FIRST, _MORE_TILES = 8, 16, 128
"""Tiles of a product that are looked at in the first round, at least and at most, and in each after that."""

_FIRST_BATCH, _BATCH = 16, 256
"""Candidates of a product's round that are timed exactly at once: the lowest bounds first."""


def best_of_each(sides: Sequence[Side]) -> tuple[Timed, IntArray]:
    """Of each product that has any the best candidate, and how many [L] were timed exactly."""
    products = len(sides[0].cycles)
    best, timed, lots = _least_value(sides, products)
    if not sides[0].objective.needs_energy:
        best, more = _least_energy(sides, best, lots)
        timed += more
    return best, timed


def _least_value(sides: Sequence[Side], products: int) -> tuple[Timed, IntArray, list[Lot]]:
    """The candidates of the least value, how many were timed exactly, and the tiles that were looked at."""
    floors = np.concatenate([side.floors.ravel() for side in sides])
    lots = [Lot(sides=sides, places=_promising(floors.reshape(len(sides), products, -1)))]
    timed = np.zeros(products, dtype=np.int64)
    best = _faster(lots[0], None, timed)
    limit = best.of_each(best.value, products, -np.inf)
    within = np.flatnonzero(floors <= _on_tiles(sides, limit))
    within = np.setdiff1d(within, lots[0].places, assume_unique=True)
    for chosen in _rounds(floors[within], Lot(sides=sides, places=within).product, limit, _MORE_TILES, _MORE_TILES):
        lots.append(Lot(sides=sides, places=within[chosen]))
        best = _faster(lots[-1], best, timed)
        limit[best.product] = best.value
    return best, timed, lots


def _on_tiles(sides: Sequence[Side], of_products: FloatArray) -> FloatArray:
    """A figure of each product on all tiles of the sides."""
    shape = (len(sides), *sides[0].cycles.shape)
    return np.asarray(np.broadcast_to(of_products[None, :, None], shape)).ravel()


def _promising(floors: FloatArray) -> IntArray:
    """Places of the tiles of each product that may be alike if the lowest floor is reached; [sides, products, tiles].

    Mostly no other is looked at, for time or energy.
    """
    _, products, tiles = floors.shape
    of_products = floors.transpose(1, 0, 2).reshape(products, -1)
    most = min(_MOST_FIRST, of_products.shape[1])
    lowest = np.argpartition(of_products, most - 1, axis=1)[:, :most]
    values = np.take_along_axis(of_products, lowest, axis=1)
    ranked = np.argsort(values, axis=1, kind="stable")
    lowest, values = np.take_along_axis(lowest, ranked, axis=1), np.take_along_axis(values, ranked, axis=1)
    alike = np.where(np.isfinite(values[:, 0]), values[:, 0], 0.0)
    wanted = (values <= slowest_alike(alike)[:, None]) | (np.arange(most) < _FIRST_TILES)
    product, at = np.nonzero(wanted & np.isfinite(values))
    side, tile = np.divmod(lowest[product, at], tiles)
    return np.sort((side * products + product) * tiles + tile)


def _rounds(bounds: FloatArray, owners: IntArray, limit: FloatArray, first: int, more: int) -> Iterator[IntArray]:
    """What is looked at together, round after round: of each product the lowest bounds, while any is in its limit.

    Args:
        bounds: of each.
        owners: its product.
        limit: [L] of each product; lowered between rounds by whoever looks.
        first: so many of a product in the first round.
        more: in each round after it.
    """
    ranked = np.flatnonzero(bounds <= limit[owners])
    ranked = ranked[np.lexsort((bounds[ranked], owners[ranked]))]
    step = first
    while len(ranked):
        now = place_in(owners[ranked]) < step
        yield np.sort(ranked[now])
        ranked, step = ranked[~now], more
        ranked = ranked[bounds[ranked] <= limit[owners[ranked]]]


def _faster(lot: Lot, best: Timed | None, timed: IntArray) -> Timed:
    """The least value of each product, of the best so far and of the candidates of a lot.

    Args:
        lot: the tiles.
        best: so far.
        timed: [L] how many were timed; raised.
    """
    values, owners = lot.values, lot.owners
    limit = np.full(len(timed), np.finfo(np.float64).max)
    if best is not None:
        limit[best.product] = best.value
    for chosen in _rounds(values, owners, limit, _FIRST_BATCH, _BATCH):
        found = lot.timed(chosen)
        timed += np.bincount(found.product, minlength=len(timed))
        best = (found if best is None else Timed.joined([best, found])).fastest
        limit[best.product] = best.value
    assert best is not None, "a tile has a mapping that no other repeats"
    return best


def _least_energy(sides: Sequence[Side], fastest: Timed, lots: Sequence[Lot]) -> tuple[Timed, IntArray]:
    """Of the candidates that are as fast as the fastest, or nearly, those of the least energy; how many were timed.

    Args:
        sides: all of them.
        fastest: the fastest candidate of each product.
        lots: tiles that were looked at for it.
    """
    products, tiles = sides[0].cycles.shape
    timed = np.zeros(products, dtype=np.int64)
    limit = fastest.of_each(slowest_alike(fastest.cycles), products, -1)
    within = np.flatnonzero(np.concatenate([side.cycles.ravel() for side in sides]) <= _on_tiles(sides, limit))
    # A floor above its own limit is of counts that 64 bits do not hold, which whoever adds them up refuses.
    beyond = np.bincount(within // tiles % products, minlength=products) == 0
    limit[beyond] = -1
    best = fastest
    for lot in lots:
        best = _thriftier(lot, limit, best, timed)
    within = np.setdiff1d(within, np.concatenate([lot.places for lot in lots]), assume_unique=True)
    if not len(within):
        return best, timed
    possible = Lot(sides=sides, places=within)
    own = limit[possible.product]
    least = np.where(possible.least_cycles <= own, possible.least_joules(own), np.inf)
    spent = best.of_each(best.joules, products, -np.inf)
    for chosen in _rounds(least, possible.product, spent, _MORE_TILES, _MORE_TILES):
        best = _thriftier(possible.pick(chosen), limit, best, timed)
        spent[best.product] = best.joules
    return best, timed


def _thriftier(lot: Lot, limit: IntArray, best: Timed, timed: IntArray) -> Timed:
    """The least energy of each product, of the best so far and of candidates that take no more than some cycles.

    Args:
        lot: their tiles.
        limit: [L] the cycles.
        best: so far.
        timed: [L] how many were timed; raised.
    """
    bounds = np.where(lot.values <= limit[lot.owners], lot.joules, np.inf)
    spent = best.of_each(best.joules, len(limit), -np.inf)
    for chosen in _rounds(bounds, lot.owners, spent, _FIRST_BATCH, _BATCH):
        found = lot.timed(chosen)
        timed += np.bincount(found.product, minlength=len(limit))
        alike = found.take(np.flatnonzero(found.cycles <= limit[found.product]))
        best = Timed.joined([best, alike]).thriftiest
        spent[best.product] = best.joules
    return best
