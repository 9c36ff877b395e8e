"""When Adam's second moment has settled: STEP's switch (Lu et al., ICML 2023).

Z_t is the mean of |v_t - v_(t-1)| over the weights. The switch comes when its mean over the last 1 / (1 - beta2) steps
is below a threshold, not before the earliest step nor before there were so many, and at the latest step in any case.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import Tensor

from ....configs.sums import sum_in_order
from ..phases import latest_switch
from ..schedule import VarianceSwitch


class VarianceWatch:
    """Follows an Adam optimizer's second moment.

    Args:
        rule: when to switch.
        steps: of the whole run.
        memory: beta2, which gives the window.
    """

    def __init__(self, rule: VarianceSwitch, steps: int, memory: float) -> None:
        self._rule = rule
        self._earliest, self._latest = round(rule.earliest_share * steps), latest_switch(rule, steps)
        self._changes: deque[float] = deque(maxlen=max(1, round(1 / (1 - memory))))
        self._before: list[Tensor | None] = []

    def before_update(self, optimizer: torch.optim.Optimizer) -> None:
        """Note the second moment."""
        self._before = [None if moment is None else moment.clone() for moment in _second_moments(optimizer)]

    def after_update(self, optimizer: torch.optim.Optimizer) -> None:
        """Note how far it moved."""
        moved = [
            (now - (0 if before is None else before)).abs().flatten()
            for now, before in zip(_second_moments(optimizer), self._before, strict=True)
            if now is not None
        ]
        self._before = []
        if not moved:
            return
        each = torch.cat(moved)
        self._changes.append(float(each.mean() if self._rule.average == "arithmetic" else each.log().mean().exp()))

    def settled(self, step: int) -> bool:
        """Whether training should switch after this many updates."""
        if step >= self._latest:
            return True
        # Before a whole window, early steps of a warm-up would pass for calm: their gradients are small.
        if len(self._changes) < (self._changes.maxlen or 1) or step <= self._earliest:
            return False
        return sum_in_order(self._changes) / len(self._changes) < self._rule.change

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        return {"changes": list(self._changes)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._changes.clear()
        self._changes.extend(state["changes"])


def _second_moments(optimizer: torch.optim.Optimizer) -> list[Tensor | None]:
    return [
        optimizer.state[parameter].get("exp_avg_sq") if parameter in optimizer.state else None
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
