"""Attention to chosen keys, in torch: in blocks that a rule or a gate keeps, or to some keys of each query.

All scores are computed, and those that were not chosen are left out of the softmax: what a design skips of it is the
simulation's matter, as it is of masked weights. What chooses learns along by distillation: the cross entropy between
its softmax and what attention makes of all keys, of each block the largest in shares of its row. That loss is added to
whatever the network learns, and has no gradient to queries and keys. It has weight 1 beside an unscaled loss; where a
loss is scaled (FP16), its gradient is not.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....configs.errors import ConfigError
from ...block_masks import kept_blocks
from ..block_attention import BlockAttention
from ..sampled_attention import SampledAttention


class Comparison(nn.Module):
    """Queries and keys compared in a few channels, by a projection of each that all heads share."""

    def __init__(self, of_query: int, of_key: int, channels: int) -> None:
        super().__init__()
        self.query = nn.Linear(of_query, channels, bias=False)
        self.key = nn.Linear(of_key, channels, bias=False)

    def forward(self, query: Tensor, key: Tensor, whole: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        """Compare.

        Args:
            query: [..., q, of_query].
            key: [..., k, of_key].
            whole: all queries and keys, where their scores are asked for too.

        Returns:
            [..., q, k], and the scores of ``whole``.
        """
        of_query, of_key = (
            project(each.flatten(0, -2)).view(*each.shape[:-1], -1)
            for project, each in ((self.query, query), (self.key, key))
        )
        compared = of_query @ of_key.transpose(-2, -1)
        if whole is None:
            return (compared,)
        return compared, whole[0] @ whole[1].transpose(-2, -1)


class FewTokens(nn.Module):
    """Queries compared with a few mixtures of keys, and shares of these brought back to all keys."""

    def __init__(self, keys: int, few: int) -> None:
        super().__init__()
        self.down = nn.Linear(keys, few, bias=False)
        self.up = nn.Linear(few, keys, bias=False)

    def forward(self, query: Tensor, key: Tensor) -> tuple[Tensor]:
        """Queries [..., q, E] and keys [..., k, E] to what each makes of each [..., q, k].

        Raises:
            ConfigError: there are more keys or fewer than it was made for.
        """
        if key.shape[-2] != self.down.in_features:
            raise ConfigError(
                f"across: got {key.shape[-2]} keys, need {self.down.in_features}, which the predictor brings to few; "
                "try across: channels",
                field="across",
            )
        across = key.transpose(-2, -1)
        down = self.down(across.flatten(0, -2)).view(*across.shape[:-1], -1)
        shares = (query @ down).softmax(-1)
        return (self.up(shares.flatten(0, -2)).view(*query.shape[:-1], -1),)


def attend_to_blocks(
    module: nn.Module, entry: BlockAttention, query: Tensor, key: Tensor, value: Tensor, *, causal: bool, dropout: float
) -> Tensor:
    """Attention in kept blocks."""
    queries, keys, block = query.shape[-2], key.shape[-2], entry.block
    rows, columns = -(-queries // block), -(-keys // block)
    by_rule = _bits(kept_blocks(entry.rule, rows, columns, causal=causal), columns, query.device)
    distilled = None
    if entry.gate is None:
        chosen = by_rule
    else:
        # The gate sees operands as they are, and is no part of what they learn.
        seen = (query.detach(), key.detach())
        learns = _learns(module)
        pooled = (_averages(seen[0], block), torch.cat([_averages(seen[1], block), *_extremes(seen[1], block)], -1))
        compared, *whole = module.get_submodule("gate")(*pooled, whole=seen if learns else None)
        may = _before(rows, columns, query.device) if causal else torch.ones_like(by_rule)
        always = _bits(
            kept_blocks(replace(entry.rule, density=Fraction(0)), rows, columns, causal=causal), columns, query.device
        )
        chosen = _most(compared, by_rule.sum(-1, keepdim=True), may, always)
        if learns:
            attended = _softmax(whole[0], _before(queries, keys, query.device) if causal else None)
            distilled = _distilled(compared, largest_of_blocks(attended, block), may)
    of_scores = chosen.repeat_interleave(block, -2)[..., :queries, :].repeat_interleave(block, -1)[..., :keys]
    return _attention(query, key, value, of_scores, causal=causal, dropout=dropout, distilled=distilled)


def attend_to_sampled(
    module: nn.Module,
    entry: SampledAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    causal: bool,
    dropout: float,
) -> Tensor:
    """Attention to a share of the keys of each query."""
    queries, keys = query.shape[-2], key.shape[-2]
    (compared,) = module.get_submodule("predictor")(query.detach(), key.detach())
    may = torch.ones(queries, keys, dtype=torch.bool, device=query.device)
    may = _before(queries, keys, query.device) if causal else may
    share = Fraction(repr(entry.density))
    counts = [math.ceil(share * (min(number + 1, keys) if causal else keys)) for number in range(queries)]
    wanted = torch.tensor(counts, device=query.device).unsqueeze(-1)
    chosen = _most(compared, wanted, may, torch.zeros_like(may))
    scores = query @ key.transpose(-2, -1)
    distilled = _distilled(compared, _softmax(scores.detach(), may), may) if _learns(module) else None
    return _mixed(scores, value, chosen & may, dropout=dropout, distilled=distilled)


def _learns(module: nn.Module) -> bool:
    return module.training and torch.is_grad_enabled()


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    of_scores: Tensor,
    *,
    causal: bool,
    dropout: float,
    distilled: Tensor | None,
) -> Tensor:
    scores = query @ key.transpose(-2, -1)
    if causal:
        of_scores = of_scores & _before(scores.shape[-2], scores.shape[-1], scores.device)
    return _mixed(scores, value, of_scores, dropout=dropout, distilled=distilled)


def _mixed(scores: Tensor, value: Tensor, of_scores: Tensor, *, dropout: float, distilled: Tensor | None) -> Tensor:
    weights = _softmax(scores, of_scores)
    if dropout:
        weights = functional.dropout(weights, dropout)
    mixed: Tensor = weights @ value
    return mixed if distilled is None else with_loss(mixed, distilled)


def _softmax(scores: Tensor, of: Tensor | None) -> Tensor:
    return (scores if of is None else scores.masked_fill(~of, -math.inf)).softmax(-1)


# Choosing ------------------------------------------------------------------------------------------------------------


def _most(compared: Tensor, wanted: Tensor, may: Tensor, always: Tensor) -> Tensor:
    """The best of each row that may be, so many as are wanted, those among them that always are; first of equals."""
    worth = compared.detach().masked_fill(always, math.inf).masked_fill(~may, -math.inf)
    rank = worth.argsort(dim=-1, descending=True, stable=True).argsort(-1)
    return rank < wanted


def _distilled(compared: Tensor, taught: Tensor, may: Tensor) -> Tensor:
    """The cross entropy of a row's softmax against what it is to be, the mean over rows."""
    likely = compared.masked_fill(~may, -math.inf).log_softmax(-1).masked_fill(~may, 0)
    return -(taught * likely).sum(-1).mean()


def largest_of_blocks(attended: Tensor, block: int) -> Tensor:
    """Of each block of attention [..., Q, K] the largest, in shares of its row of blocks."""
    short = (0, -attended.shape[-1] % block, 0, -attended.shape[-2] % block)
    whole = functional.pad(attended, short)
    cut = whole.view(*whole.shape[:-2], -1, block, whole.shape[-1] // block, block)
    largest: Tensor = cut.amax((-3, -1))
    return largest / largest.sum(-1, keepdim=True)


def _averages(value: Tensor, block: int) -> Tensor:
    """Of each block of rows [..., T, E] the average; the last one may be short."""
    length = value.shape[-2]
    sums = _cut(value, block, 0).sum(-2)
    sizes = [min(block, length - first) for first in range(0, length, block)]
    averages: Tensor = sums / torch.tensor(sizes, device=value.device, dtype=value.dtype).unsqueeze(-1)
    return averages


def _extremes(value: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Of each block of rows the largest and the smallest of each channel."""
    most, least = (_cut(each, block, -math.inf).amax(-2) for each in (value, -value))
    return most, -least


def _cut(value: Tensor, block: int, filled: float) -> Tensor:
    """Blocks of rows [..., blocks, block, E], the last one filled up."""
    whole = functional.pad(value, (0, 0, 0, -value.shape[-2] % block), value=filled)
    return whole.reshape(*value.shape[:-2], -1, block, value.shape[-1])


def _bits(rows: tuple[int, ...], columns: int, device: torch.device) -> Tensor:
    return torch.tensor([[bool(row >> column & 1) for column in range(columns)] for row in rows], device=device)


def _before(rows: int, columns: int, device: torch.device) -> Tensor:
    """What is not behind the diagonal."""
    return torch.ones(rows, columns, dtype=torch.bool, device=device).tril()


def with_loss(value: Tensor, loss: Tensor) -> Tensor:
    """A value as it is; whatever it is read by, a loss beside it is learnt with weight 1."""
    same: Tensor = _WithLoss.apply(value, loss)  # type: ignore[no-untyped-call]
    return same


class _WithLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, loss: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        # Of the gradient it takes where it lies and its type: a capture sees by it that what follows are gradients.
        return gradients[0], torch.ones_like(gradients[0].flatten()[0])
