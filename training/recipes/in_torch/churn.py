"""Mask churn: the share of a mask's elements that changes from one update to the next.

Times the number of elements it is the sparse architecture divergence of Zhou et al., ICLR 2021.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Churn:
    """Compares the masks of consecutive updates."""

    def __init__(self) -> None:
        self._mask: Tensor | None = None
        self._step: int | None = None
        self._changed: Tensor | int = 0
        self._pairs = 0

    def see(self, mask: Tensor, step: int) -> None:
        """A mask, and the updates done before it."""
        if step == self._step:
            return
        if self._mask is not None:
            self._changed = self._changed + torch.count_nonzero(mask ^ self._mask.to(mask.device))
            self._pairs += 1
        self._mask, self._step = mask, step

    def take(self) -> float | None:
        """Share of elements changed an update since last asked; None when no two masks were seen."""
        if not self._pairs or self._mask is None:
            return None
        share = float(self._changed) / self._pairs / self._mask.numel()
        self._changed, self._pairs = 0, 0
        return share

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        return {"mask": self._mask, "step": self._step, "changed": int(self._changed), "pairs": self._pairs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._mask, self._step = state["mask"], state["step"]
        self._changed, self._pairs = state["changed"], state["pairs"]
