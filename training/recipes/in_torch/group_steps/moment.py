"""What a rule sees of groups in one update, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The groups of one number of channels or neurons, in one update.

    Attributes:
        before: weights before the optimizer's update, [groups, elements].
        trial: the same after it.
        gains: which elements are gains of normalisations, [elements].
        chosen: which groups are to become zero, [groups]; those that are zero already among them.
        kept: how many are kept.
        rate: learning rate.
        strength: of the penalty.
        left: updates of this period that are still to come, this one included.
        passed: share of the time of driving that has passed.
        projects_from: share of it after which a half-space projects.
    """

    before: Tensor
    trial: Tensor
    gains: Tensor
    chosen: Tensor
    kept: int
    rate: float
    strength: float
    left: int
    passed: float
    projects_from: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStep:
    """A rule that drives groups to zero.

    Attributes:
        saliency: of each group, from its weights, their gradients and which of them are gains; the least are chosen.
            None of a rule that chooses at its end alone, by what is left of each.
        after: what an update makes of the weights; None where it stays as the optimizer made it.
        penalty: added to the gradient of the chosen groups, from weights, gains and strength; None where nothing is.
    """

    saliency: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    after: Callable[[Moment], Tensor] | None = None
    penalty: Callable[[Tensor, Tensor, float], Tensor] | None = None
