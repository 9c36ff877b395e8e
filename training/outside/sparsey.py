"""Sparsey: a pattern is learnt in one presentation, as a sparse code with one winner in each competitive module.

A field has Q modules of K binary units, and binary weights from F inputs to all of them. Of a binary pattern x

    V = the share of the pattern's active inputs that a unit has a weight of 1 from
    G = the mean over modules of the largest V: how familiar the pattern is
    eta = 1 + gamma K max(0, (G - G_least) / (1 - G_least))^chi
    psi = 1 + (eta - 1) / (1 + exp(-steepness (V - middle)))

and the winner of each module is drawn with odds psi: nearly always the unit of the largest V where the pattern is
familiar, any unit where it is not. So a similar pattern gets a similar code. Learning sets the weights from active
inputs to winners to 1, once; recall takes the largest V without drawing. Neither looks at what was stored before.

Sources: Rinkus, 2010 and 2014 (the code selection algorithm); Rinkus and Leveille, 2017 (arXiv 1710.07829). The form of
psi is ours after their description, and so are gamma, chi, the least G, steepness and middle (assumed).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...configs.errors import ConfigError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

GAMMA, CHI, LEAST_FAMILIARITY, STEEPNESS, MIDDLE = 100.0, 2.0, 0.0, 20.0, 0.5
"""Assumed: of a familiar pattern the odds are 1 + 100 K to K - 1 in each module."""


class Sparsey:
    """One field."""

    def __init__(self, *, inputs: int, modules: int, units: int, seed: int = 0) -> None:
        """A field that has stored nothing.

        Args:
            inputs: F.
            modules: Q.
            units: K, of a module.
            seed: of the draws of winners.

        Raises:
            ConfigError: one of them is below 1.
        """
        for name, value in (("inputs", inputs), ("modules", modules), ("units", units)):
            if value < 1:
                raise ConfigError(f"{name}: got {value}, need 1 or more")
        self.weights: BoolArray = np.zeros((inputs, modules, units), dtype=bool)
        self._drawn = np.random.default_rng(seed)

    def support(self, pattern: npt.NDArray[Any]) -> FloatArray:
        """V [Q, K]: of each unit the share of active inputs that it has weights from.

        Args:
            pattern: [F], active where it is not 0.

        Raises:
            ConfigError: it has another size, or nothing is active.
        """
        active = self._active(pattern)
        support: FloatArray = self.weights[active].sum(axis=0) / active.sum()
        return support

    def familiarity(self, pattern: npt.NDArray[Any]) -> float:
        """G: 1 of a pattern that was stored, about 0 of one that shares nothing with any."""
        return float(self.support(pattern).max(axis=1).mean())

    def odds(self, pattern: npt.NDArray[Any]) -> FloatArray:
        """The chance [Q, K] of each unit to win its module when the pattern is learnt."""
        support = self.support(pattern)
        familiar = max(0.0, (float(support.max(axis=1).mean()) - LEAST_FAMILIARITY) / (1 - LEAST_FAMILIARITY))
        reach = GAMMA * support.shape[1] * familiar**CHI
        weighed = 1 + reach / (1 + np.exp(-STEEPNESS * (support - MIDDLE)))
        odds: FloatArray = weighed / weighed.sum(axis=1, keepdims=True)
        return odds

    def code(self, pattern: npt.NDArray[Any]) -> IntArray:
        """A code [Q] for a pattern, the winner of each module, drawn; nothing is stored."""
        reached = self.odds(pattern).cumsum(axis=1)
        points = self._drawn.random((len(reached), 1)) * reached[:, -1:]
        winners: IntArray = (reached < points).sum(axis=1)
        return winners

    def learn(self, pattern: npt.NDArray[Any]) -> IntArray:
        """Store a pattern in one presentation; its code [Q]."""
        winners = self.code(pattern)
        self.weights[np.ix_(self._active(pattern), np.arange(len(winners)))] |= winners[:, None] == np.arange(
            self.weights.shape[2]
        )
        return winners

    def recall(self, pattern: npt.NDArray[Any]) -> IntArray:
        """The code [Q] that a pattern retrieves: the unit of the largest V in each module, the first of equals."""
        winners: IntArray = self.support(pattern).argmax(axis=1)
        return winners

    def _active(self, pattern: npt.NDArray[Any]) -> BoolArray:
        active: BoolArray = np.asarray(pattern) != 0
        if active.shape != self.weights.shape[:1] or not active.any():
            raise ConfigError(
                f"pattern: got shape {active.shape} with {int(active.sum())} active, need ({len(self.weights)},) with "
                "one active or more"
            )
        return active
