"""One choice for each item, at the least total cost within a limit of total loss: the multiple-choice knapsack.

Item by item, all partial choices are kept that no other beats in both cost and loss. A Lagrangian bound leaves out the
hopeless ones: with the best multiplier, each choice has an excess over its item's best, and partial choices whose
excesses sum to more than the gap between a known solution and the bound are part of no better one. What is left is few;
where it is not, it is thinned, and the bound says how far from the best the result can be. Source: Kellerer, Pferschy,
Pisinger, Knapsack Problems, 2004, chapter 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from ....configs.sums import sum_in_order

LARGEST_FRONT = 20_000
"""Partial choices kept at most."""

_HALVINGS = 200
_ROUNDING = 1e-12
"""Of a limit: what sums in another order may differ by."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """What a choice of one item costs and loses."""

    cost: float
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A choice for each item.

    Attributes:
        chosen: position of the choice, an item each.
        cost: their sum.
        loss: their sum.
        bound: no choice within the limit costs less.
        runners_up: other choices within the limit, the cheapest first; of what a better one beats in both cost and
            loss, none.
    """

    chosen: tuple[int, ...]
    cost: float
    loss: float
    bound: float
    runners_up: tuple[tuple[int, ...], ...] = ()


def solve(items: Sequence[Sequence[Alternative]], limit: float, *, runners_up: int = 0) -> Solution | None:
    """The cheapest choices whose losses sum to at most the limit.

    Args:
        items: choices of each, at least one.
        limit: of the sum of losses, itself allowed.
        runners_up: how many to give at most.

    Returns:
        The solution, or None when even the least losses pass the limit.
    """
    costs = [np.array([choice.cost for choice in item], dtype=np.float64) for item in items]
    losses = [np.array([choice.loss for choice in item], dtype=np.float64) for item in items]
    limit += _ROUNDING * max(abs(limit), sum_in_order(float(abs(each).max()) for each in losses))
    if sum_in_order(float(each.min()) for each in losses) > limit:
        return None
    price, bound, chosen = _relaxed(costs, losses, limit)
    known = _sum(costs, chosen)
    front = _front(costs, losses, limit, price=price, room=known - bound, most=runners_up + 1)
    others: list[list[int]] = []
    if front is not None:
        (found, *others), exact = front
        if _sum(costs, found) <= known:
            chosen, known = found, _sum(costs, found)
        bound = known if exact else min(bound, known)
    return Solution(
        chosen=tuple(map(int, chosen)),
        cost=known,
        loss=_sum(losses, chosen),
        bound=bound,
        runners_up=tuple(tuple(each) for each in others),
    )


def _sum(values: list[FloatArray], chosen: Sequence[int]) -> float:
    return float(sum_in_order(float(each[at]) for each, at in zip(values, chosen, strict=True)))


# The Lagrangian bound ------------------------------------------------------------------------------------------------


def _relaxed(costs: list[FloatArray], losses: list[FloatArray], limit: float) -> tuple[float, float, list[int]]:
    """The price of loss with the highest bound, that bound, and the best choices within the limit seen on the way."""

    def at(price: float) -> tuple[float, list[int]]:
        # Of choices equal at this price the one that loses least.
        chosen = [int(np.lexsort((loss, cost + price * loss))[0]) for cost, loss in zip(costs, losses, strict=True)]
        return _sum(costs, chosen) + price * (_sum(losses, chosen) - limit), chosen

    least = [int(np.lexsort((cost, loss))[0]) for cost, loss in zip(costs, losses, strict=True)]
    best = (_sum(costs, least), least)
    bounds = [(at(0.0)[0], 0.0)]
    low, high = 0.0, 1.0
    while _sum(losses, at(high)[1]) > limit and high < 1e30:
        high *= 4.0
    for _ in range(_HALVINGS):
        bound, chosen = at(high)
        bounds.append((bound, high))
        if _sum(losses, chosen) <= limit:
            best = min(best, (_sum(costs, chosen), chosen))
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _sum(losses, at(middle)[1]) > limit:
            low = middle
        else:
            high = middle
    bound, price = max(bounds)
    return price, bound, best[1]


# The front -----------------------------------------------------------------------------------------------------------


def _front(
    costs: list[FloatArray], losses: list[FloatArray], limit: float, *, price: float, room: float, most: int
) -> tuple[list[list[int]], bool] | None:
    """The cheapest choices within the limit among those kept, and whether none that could be cheapest was left out.

    None when thinning left out all of them.
    """
    exact = True
    rest = [float(each.min()) for each in losses]
    # Cost, loss and excess of each partial choice; and of each item, what it chose and what it goes on from.
    state = np.zeros((3, 1))
    links: list[tuple[IntArray, IntArray]] = []
    slack = room + 1e-9 * max(1.0, abs(room))
    for item, (cost, loss) in enumerate(zip(costs, losses, strict=True)):
        excess = cost + price * loss
        excess = excess - excess.min()
        grown = state[:, :, None] + np.stack([cost, loss, excess])[:, None, :]
        size = len(cost)
        grown = grown.reshape(3, -1)
        kept = np.flatnonzero((grown[1] + sum_in_order(rest[item + 1 :]) <= limit) & (grown[2] <= slack))
        # By loss, and of equal ones the cheapest first; then only what is cheaper than all before it.
        kept = kept[np.lexsort((grown[0, kept], grown[1, kept]))]
        cheapest = np.minimum.accumulate(grown[0, kept])
        kept = kept[np.r_[True, grown[0, kept[1:]] < cheapest[:-1]]] if len(kept) else kept
        if len(kept) > LARGEST_FRONT:
            exact = False
            kept = kept[_thinned(grown[1, kept])]
        if not len(kept):
            return None
        links.append((kept // size, kept % size))
        state = grown[:, kept]
    return [_traced(links, int(at)) for at in np.argsort(state[0], kind="stable")[:most]], exact


def _traced(links: list[tuple[IntArray, IntArray]], at: int) -> list[int]:
    """What each item chose on the way to a partial choice."""
    chosen = []
    for before, own in reversed(links):
        chosen.append(int(own[at]))
        at = int(before[at])
    return chosen[::-1]


def _thinned(losses: FloatArray) -> IntArray:
    """Of ascending losses the first and the last of each of equal stretches."""
    whole = max(float(losses[-1] - losses[0]), 1e-300)
    stretch = np.floor((losses - losses[0]) / whole * (LARGEST_FRONT // 2 - 1))
    first = np.r_[True, stretch[1:] != stretch[:-1]]
    last = np.r_[first[1:], True]
    return np.flatnonzero(first | last)
