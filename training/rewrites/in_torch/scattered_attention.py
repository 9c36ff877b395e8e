"""Attention by kernel features, alone or beside buckets of a hash, in torch: ``rewrites.low_rank_attention``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..low_rank_attention import LowRankAttention


def drawn_features(width: int, features: int) -> Tensor:
    """W [width, m] of the features, drawn once."""
    return torch.randn(width, features)


class Hash(nn.Module):
    """Places in the order of buckets: the largest of random rotations, of either sign, is the bucket."""

    def __init__(self, width: int, buckets: int) -> None:
        super().__init__()
        self.rotations: Tensor
        self._buckets = buckets
        self.register_buffer("rotations", torch.randn(width, -(-buckets // 2)))

    def forward(self, value: Tensor) -> Tensor:
        """Rows [..., T, E] to their places [..., T] in the order of their buckets, those of one in their own order."""
        turned = (value.flatten(0, -2) @ self.rotations).view(*value.shape[:-1], -1)
        either = torch.cat([turned, -turned], -1)[..., : self._buckets]
        return either.argmax(-1).argsort(dim=-1, stable=True)


def attend_by_features(module: nn.Module, entry: LowRankAttention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention without scores, but for the pairs of a bucket."""
    drawn = module.get_buffer("features")
    if not entry.buckets:
        mixed, weight = _by_features(_features(query, drawn), _features(key, drawn), value)
        return mixed * weight.reciprocal()
    hashed = module.get_submodule("hash")
    with torch.no_grad():
        of_queries, of_keys = hashed(query), hashed(key)
    query, key, value = _in_order(query, of_queries), _in_order(key, of_keys), _in_order(value, of_keys)
    query_features, key_features = _features(query, drawn), _features(key, drawn)
    mixed, weight = _by_features(query_features, key_features, value)
    # Each operand in chunks of one bucket's size.
    query, key, value, query_features, key_features = (
        each.view(*each.shape[:-2], entry.buckets, -1, each.shape[-1])
        for each in (query, key, value, query_features, key_features)
    )
    pairs = torch.exp(query @ key.transpose(-2, -1)) - query_features @ key_features.transpose(-2, -1)
    mixed = mixed + (pairs @ value).flatten(-3, -2)
    weight = weight + pairs.sum(-1, keepdim=True).flatten(-3, -2)
    return _in_order(mixed * weight.reciprocal(), of_queries.argsort(-1))


def _features(value: Tensor, drawn: Tensor) -> Tensor:
    return torch.exp(value @ drawn - (value * value).sum(-1, keepdim=True) * 0.5)


def _by_features(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """What is divided [..., Q, depth], and by what [..., Q, 1]."""
    return query @ (key.transpose(-2, -1) @ value), query @ key.sum(-2).unsqueeze(-1)


def _in_order(value: Tensor, places: Tensor) -> Tensor:
    """Rows [..., T, E] in the order of places [..., T]."""
    return value.gather(-2, places.unsqueeze(-1).expand(*places.shape, value.shape[-1]))
