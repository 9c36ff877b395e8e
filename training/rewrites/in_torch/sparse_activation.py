"""An activation function with a cut and a penalty behind it, as a module: what ``Activation`` says, at work.

Until a training run tells it how far it is (``at``) it is the function alone. Values are [..., channels], or [batch,
channels, *space] in front of a convolution. A cut keeps, of |a| unless said otherwise:

    threshold            |a| >= t: t the mean over batches of the magnitude that a share p lies below
    channel-threshold    |a| f >= t, f the channel's factor: t likewise of |a| f
    value                |a| >= v
    top-k                a among the K - p K largest of its token; equal ones too
    core                 of tokens behind the first ones: neurons that are among the largest of most of these

The share p lies below the p n-th of n sorted values. A channel's factor is the mean magnitude of what it is multiplied
by; where that is nothing, the norm of the weights that read it. Gradients of what is set to zero are zero.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from ..activation import Activation
from ..activation_terms import ActivationPenalty, Cut


class SparseActivation(nn.Module):
    """A function, what is cut behind it, and what it adds to the loss.

    Attributes:
        function: itself.
        cut: values that are set to zero; None of none.
        penalty: what is added to the loss; None of nothing.
        share: of zeros that a cut is set to.
        path: of the module.
        along: the axis of channels.
    """

    threshold: Tensor
    batches: Tensor
    factors: Tensor
    factor_batches: Tensor

    def __init__(self, function: nn.Module, entry: Activation, *, path: str, channels: int, along: int) -> None:
        """One activation of a network.

        Args:
            function: itself.
            entry: of the recipe.
            path: of the module, for messages.
            channels: that it has.
            along: the axis of channels.
        """
        super().__init__()
        self.function, self.cut, self.penalty = function, entry.cut, entry.penalty
        self.share, self.path, self.along = entry.zeros, path, along
        self._step = 0
        self._steps: int | None = None
        self._terms: list[Tensor] = []
        if self.cut is not None and self.cut.finds:
            self.register_buffer("threshold", torch.zeros(()))
            self.register_buffer("batches", torch.zeros((), dtype=torch.long))
            if self.cut.by == "channel-threshold":
                self.register_buffer("factors", torch.ones(channels))
                self.register_buffer("factor_batches", torch.zeros((), dtype=torch.long))

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, or of one that is saved: without what the last pass left for the loss."""
        return self.__dict__ | {"_terms": []}

    def at(self, step: int, steps: int) -> None:
        """Tell it the updates done, of so many."""
        self._step, self._steps = step, steps
        self._terms.clear()

    @property
    def finding(self) -> bool:
        """Whether the batches of now are those that its thresholds are found in."""
        return self.training and self._before(1)

    @property
    def finding_factors(self) -> bool:
        """Whether they are those that the factors of its channels are found in."""
        return self.training and self.cut is not None and self.cut.by == "channel-threshold" and self._before(2)

    def _before(self, windows: int) -> bool:
        """Whether the cut is in force after so many windows of ``found_over`` updates, this one counted."""
        if self.cut is None or not self.cut.finds or self._steps is None:
            return False
        left = self.cut.begins(self._steps) - self._step
        return (windows - 1) * self.cut.found_over < left <= windows * self.cut.found_over

    def forward(self, values: Tensor) -> Tensor:
        """Of any shape."""
        made: Tensor = self.function(values)
        if self._steps is None:
            return made
        if self.cut is not None:
            if self.finding:
                self._find(made.detach(), self.cut)
            elif self._step >= self.cut.begins(self._steps):
                made = torch.where(self.kept(made.detach()), made, torch.zeros_like(made))
        if self.penalty is not None and self.training and torch.is_grad_enabled():
            if self.penalty.norm == "differences":
                self._need_tokens(
                    made, "penalty.norm: got differences", "each token's value differs from that before it"
                )
            self._terms.append(term(made, self.penalty))
        return made

    def take_penalty(self) -> Tensor | None:
        """What it adds to the loss for what passed it since it was last asked; None of nothing."""
        if self.penalty is None or not self._terms:
            return None
        assert self._steps is not None, "it has no terms before"
        total = torch.stack(self._terms).sum() * self.penalty.strength_at(self._step / self._steps)
        self._terms.clear()
        return total

    # The cut --------------------------------------------------------------------------------------------------------

    def kept(self, values: Tensor) -> Tensor:
        """Which values stay."""
        assert self.cut is not None, "who cuts has one"
        match self.cut.by:
            case "threshold":
                return values.abs() >= self.threshold
            case "channel-threshold":
                return self._scored(values) >= self.threshold
            case "value":
                return values.abs() >= float(self.cut.value or 0)
            case "top-k":
                return largest(values, self.share, self.along)
            case "core":
                return self._core(values, self.cut)

    def _find(self, values: Tensor, cut: Cut) -> None:
        """One batch more that the threshold is the mean of; counted once where several parts make one."""
        scores = self._scored(values) if cut.by == "channel-threshold" else values.abs()
        seen = int(self.batches)
        found = quantile(scores, self.share)
        self.threshold.copy_((self.threshold * seen + found) / (seen + 1))
        self.batches += 1

    def _scored(self, values: Tensor) -> Tensor:
        shape = [1] * values.dim()
        shape[self.along] = -1
        return values.abs() * self.factors.view(shape)

    def _core(self, values: Tensor, cut: Cut) -> Tensor:
        self._need_tokens(values, "cut.by: got core", "the first tokens of a sentence choose")
        first = math.ceil(cut.prefill_share * values.shape[1])
        assert cut.token_percent is not None, "core has it"
        core = core_neurons(values[:, :first], cut.token_percent / 100, self.share)
        kept = torch.ones_like(values, dtype=torch.bool)
        kept[:, first:] = core[:, None]
        return kept

    def _need_tokens(self, values: Tensor, got: str, why: str) -> None:
        if values.dim() != 3 or self.along != -1:
            raise ConfigError(
                f"{got} of {self.path}, whose values are {tuple(values.shape)}, need [batch, tokens, neurons]: {why}; "
                "try layers that are in feed-forward layers of tokens",
                field="rewrites",
            )


class Factors:
    """A hook behind a layer: what a channel of an activation is multiplied by, as ``channel-threshold`` asks."""

    def __init__(self, activation: SparseActivation, *, reads: bool) -> None:
        """What the layer has to do with the activation.

        Args:
            activation: whose channels have factors.
            reads: whether it reads the activation, so that its weights count; else the activation is multiplied by
                what it makes.
        """
        self._activation, self._reads = activation, reads

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Take in one batch: the mean of all so far."""
        own = self._activation
        if not own.finding_factors:
            return
        if self._reads:
            weight = layer.weight
            assert isinstance(weight, Tensor), "a layer that multiplies has one"
            # Kernel positions of a channel are its own, and so are positions that a linear layer reads one by one.
            by_channel = weight.detach().reshape(weight.shape[0], len(own.factors), -1)
            found = torch.linalg.vector_norm(by_channel, dim=(0, 2))
        else:
            found = output.detach().abs().movedim(own.along, -1).flatten(0, -2).mean(0)
        seen = int(own.factor_batches)
        own.factors.copy_((own.factors * seen + found) / (seen + 1))
        own.factor_batches += 1


def quantile(values: Tensor, share: float) -> Tensor:
    """The value that a share of n lies below: the (share n)-th of them in order, counted from 0."""
    flat = values.flatten()
    return flat.sort().values[min(int(share * flat.numel()), flat.numel() - 1)]


def largest(values: Tensor, share: float, along: int) -> Tensor:
    """All but a share of the values along an axis, the smallest; those equal to the least that stays stay too."""
    count = values.shape[along]
    kept = max(1, count - round(share * count))
    least = values.topk(kept, dim=along).values.min(along, keepdim=True).values
    return values >= least


def core_neurons(values: Tensor, token_share: float, sentence_share: float) -> Tensor:
    """Neurons [batch, neurons] that are among the largest of most tokens of [batch, tokens, neurons].

    Args:
        values: activations.
        token_share: zeros of a token: the rest are its largest.
        sentence_share: neurons that do not stay; of those that equally many tokens have, the first ones stay.
    """
    counts = largest(values, token_share, -1).sum(1)
    neurons = counts.shape[-1]
    kept = max(1, neurons - round(sentence_share * neurons))
    order = counts.argsort(dim=-1, descending=True, stable=True)[:, :kept]
    return torch.zeros_like(counts, dtype=torch.bool).scatter_(-1, order, value=True)


def term(values: Tensor, penalty: ActivationPenalty) -> Tensor:
    """The mean over a layer's elements that a penalty is a multiple of."""
    if penalty.norm == "differences":
        values = values[:, 1:] - values[:, :-1]
    magnitudes = values.abs()
    return (torch.tanh(penalty.scale * magnitudes) if penalty.norm == "tanh" else magnitudes).mean()
