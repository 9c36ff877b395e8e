"""From the knapsack of the sums to the fastest assignment that was simulated.

The sums are solved exactly (``multiple_choice``). What layers share (room on chip, updates beside the backward pass,
units side by side) is not in them, so the step that they favour need not be the fastest. Local search goes on from
there: the knapsack's runners-up and uniform ratios are simulated, then what changes one layer, or two at once, of the
fastest so far, as long as the budgets are kept. It ends where no such change helps, or after ``SIMULATED_AT_MOST``
steps. Where it ends is no proven optimum of the simulated step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ....configs.pattern import Pattern
from .multiple_choice import Alternative, solve
from .prices import Choices, Pair, Prices, Purse, Ratios

SIMULATED_AT_MOST = 60
"""Assignments, beside uniform ratios."""

RUNNERS_UP = 12
"""Of each knapsack: choices within the limit that are simulated beside the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Favoured:
    """What the sums favour.

    Attributes:
        candidates: ratios within the budgets, the cheapest sum first.
        bound: the cycles of a step that no choice within the budgets sums to fewer than.
    """

    candidates: tuple[dict[Pair, Pattern], ...]
    bound: float


def favoured(choices: Choices, budgets: Sequence[Purse], prices: Prices) -> Favoured | None:
    """The best choice by the sums and its runners-up; None when a budget cannot be kept."""
    best: dict[Pair, Pattern] = {}
    bound = prices.beside
    changes: list[dict[Pair, Pattern]] = []
    for purse in budgets:
        items = [
            [Alternative(prices.of(pair, each), purse.loss(pair, each)) for each in choices[pair]]
            for pair in purse.pairs
        ]
        solution = solve(items, purse.limit, runners_up=RUNNERS_UP)
        if solution is None:
            return None

        def chosen(places: tuple[int, ...], purse: Purse = purse) -> dict[Pair, Pattern]:
            return {pair: choices[pair][at] for pair, at in zip(purse.pairs, places, strict=True)}

        best |= chosen(solution.chosen)
        bound += solution.bound
        changes += map(chosen, solution.runners_up)
    # In the order of the layers, whichever budget they share.
    candidates = [{pair: (best | change)[pair] for pair in choices} for change in ({}, *changes)]
    candidates[1:] = sorted(candidates[1:], key=prices.total)
    return Favoured(candidates=tuple(candidates), bound=bound)


@dataclass(kw_only=True)
class LocalSearch:
    """Assignments simulated one after another.

    Attributes:
        choices: what each pair may have.
        budgets: to be kept.
        prices: that say what to try first.
        cycles: simulates an assignment.
        known: cycles of what was simulated, by the ratios in the order of ``choices``.
        spent: of ``SIMULATED_AT_MOST``.
    """

    choices: Choices
    budgets: Sequence[Purse]
    prices: Prices
    cycles: Callable[[Ratios], int]
    known: dict[tuple[Pattern, ...], int] = field(default_factory=dict)
    spent: int = 0

    def fastest(self, starts: Sequence[Ratios], uniform: Sequence[tuple[Ratios, int]]) -> dict[Pair, Pattern]:
        """The fastest of the starts, of uniform ratios whose cycles are known, and of what is near them.

        Args:
            starts: within the budgets; of equally fast ones the first is taken.
            uniform: ratios within the budgets, and their cycles.
        """
        self.known |= {self._key(ratios): cycles for ratios, cycles in uniform}
        begun: list[Ratios] = [*starts[:SIMULATED_AT_MOST], *(ratios for ratios, _ in uniform)]
        first = min(begun, key=self._simulated)
        best = dict(first)
        least = self._simulated(best)
        better = True
        while better:
            better = False
            for change in self._near(best):
                ratios = best | change
                if self._key(ratios) in self.known:
                    continue
                if self.spent >= SIMULATED_AT_MOST:
                    return best
                if self._simulated(ratios) < least:
                    best, least, better = ratios, self._simulated(ratios), True
                    break
        return best

    def _key(self, ratios: Ratios) -> tuple[Pattern, ...]:
        return tuple(ratios[pair] for pair in self.choices)

    def _simulated(self, ratios: Ratios) -> int:
        key = self._key(ratios)
        if key not in self.known:
            self.known[key] = self.cycles(ratios)
            self.spent += 1
        return self.known[key]

    def _near(self, ratios: Ratios) -> Iterator[dict[Pair, Pattern]]:
        """Changes of one pair or of two that keep the budgets, by what the sums say of them, the cheapest first."""
        moves = [(pair, each) for pair, mine in self.choices.items() for each in mine if each != ratios[pair]]
        pairs = {pair: number for number, pair in enumerate(self.choices)}
        # The last stands for no move, beside which any other stands alone.
        cost = np.array([self.prices.of(pair, each) - self.prices.of(pair, ratios[pair]) for pair, each in moves] + [0])
        owner = np.array([pairs[pair] for pair, _ in moves] + [-1])
        first, second = np.triu_indices(len(cost), k=1)
        allowed = owner[first] != owner[second]
        for purse in self.budgets:
            own = set(purse.pairs)
            loss = [
                purse.loss(pair, each) - purse.loss(pair, ratios[pair]) if pair in own else 0.0 for pair, each in moves
            ]
            change = np.array([*loss, 0.0])
            allowed &= change[first] + change[second] <= purse.room(ratios)
        order = np.flatnonzero(allowed)
        order = order[np.argsort((cost[first] + cost[second])[order], kind="stable")]
        # Each is simulated once at most.
        for at in order[: SIMULATED_AT_MOST + len(self.known)]:
            yield dict(moves[each] for each in (first[at], second[at]) if each < len(moves))
