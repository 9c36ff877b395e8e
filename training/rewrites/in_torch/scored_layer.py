"""A linear layer with a low-rank update of its weight, and scores of its elements that learn (``learned_scores``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ..learned_scores import COLUMNS, ROWS, SCORE, UPDATE, LearnedScores
from .layer_parts import like
from .rebuilt import Weight

_NAMES = (*UPDATE, *SCORE, ROWS, COLUMNS)


class ScoredLayer(nn.Linear):
    """y = (mask * W) x + b, W = W0 + U V. A recipe at work on it says the mask; all is kept where there is none.

    U and A are drawn from a standard normal distribution, all else begins at zero, as published.
    """

    def __init__(self, layer: nn.Linear, entry: LearnedScores) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False, **like(layer))
        self.weight, self.bias = layer.weight, layer.bias
        self.mask_now: Callable[[], Tensor | None] | None = None
        for (first, second), rank in ((UPDATE, entry.rank), (SCORE, entry.score_rank)):
            self.add_module(first, Weight(torch.randn(rank, layer.in_features, **like(layer))))
            self.add_module(second, Weight(torch.zeros(layer.out_features, rank, **like(layer))))
        self.add_module(ROWS, Weight(torch.zeros(layer.out_features, 1, **like(layer))))
        self.add_module(COLUMNS, Weight(torch.zeros(layer.in_features, **like(layer))))

    def whole(self) -> Tensor:
        """W, before it is masked."""
        return self.weight + self._low(UPDATE)

    def scores(self, whole: Tensor) -> Tensor:
        """Of the elements of W."""
        magnitudes = whole.detach().abs() + self._low(SCORE)
        return magnitudes + self._own(ROWS) + self._own(COLUMNS)

    def forward(self, input: Tensor) -> Tensor:
        """The product by the masked weight."""
        whole = self.whole()
        mask = None if self.mask_now is None else self.mask_now()
        masked: Tensor = _Masked.apply(whole, self.scores(whole), mask)  # type: ignore[no-untyped-call]
        return functional.linear(input, masked, self.bias)

    def _low(self, names: tuple[str, str]) -> Tensor:
        return self._own(names[1]) @ self._own(names[0])

    def _own(self, name: str) -> Tensor:
        return self.get_submodule(name).get_parameter("weight")


class _Masked(torch.autograd.Function):
    """mask * W: its gradient goes to W where the mask is, and times W to the scores."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return the masked weight; without a mask every score is above the threshold."""
        kept = scores > -torch.inf if mask is None else mask
        ctx.save_for_backward(whole, kept)
        return whole * kept

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return dW and dS."""
        whole, kept = ctx.saved_tensors
        return gradient * kept, gradient * whole, None


def make_single(layer: nn.Module) -> None:
    """Let a layer be a plain one, whose weight is what is in its place already; one that is stays as it is."""
    if isinstance(layer, ScoredLayer):
        for name in (*_NAMES, "mask_now"):
            delattr(layer, name)
        layer.__class__ = nn.Linear  # type: ignore[assignment]
