"""What a layer asks of whoever finds its masks together with those of other layers."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ...graph import Stage


class MaskSource(Protocol):
    """Masks of layers by their path."""

    def masks(self, path: str) -> dict[Stage, Tensor]:
        """Of a layer now, by stage; none where it is dense."""

    def see_inputs(self, path: str, values: Tensor) -> None:
        """The input of a layer in a training step, as its product reads it."""
