"""N:M by chance: kept elements are scaled so that the mean of all draws is the tensor, with the least variance (MVUE).

An element a_i that is kept with probability p_i becomes a_i / p_i, whose variance is a_i^2 (1 / p_i - 1). Where N of
every M are kept, the sum of these is least for p_i = min(1, |a_i| / s), s such that they add up to N: the largest are
kept for certain, the others by their magnitude. Of 1:2 that is |a| / (|a| + |b|), and the sum 2 |a b|.

Source: Chmiel et al., ICLR 2023 (arXiv 2203.10991), minimum-variance unbiased N:M sparsity. Which elements are kept
together, on which that sum does not depend, is drawn here with one number u a group: element i is kept where u, or a
whole number more, lies between p_1 + ... + p_(i-1) and p_1 + ... + p_i.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....configs.pattern import Pattern


def unbiased(values: Tensor, pattern: Pattern, axis: int, generator: torch.Generator) -> Tensor:
    """At most N of every M consecutive elements along an axis, whose mean over all draws are the values.

    Args:
        values: of any shape.
        pattern: N:M.
        axis: along which groups run; a last one may be short.
        generator: draws one number a group.

    >>> draw = torch.Generator().manual_seed(0)
    >>> unbiased(torch.tensor([4.0, -1.0, 1.0, 0.0]), Pattern(2, 4), 0, draw).tolist()
    [4.0, -2.0, 0.0, 0.0]
    """
    length = values.shape[axis]
    if pattern.is_dense or values.numel() == 0:
        return values
    last = functional.pad(values.movedim(axis, -1), (0, -length % pattern.group))
    grouped = last.reshape(*last.shape[:-1], -1, pattern.group)
    certain, scale = _probabilities(grouped.abs(), pattern.kept)
    # So many are drawn of those that are not certain, each with its magnitude over the scale.
    left = pattern.kept - certain.sum(-1, keepdim=True)
    sums = grouped.abs().masked_fill(certain, 0.0).cumsum(-1)
    whole = sums[..., -1:]
    edges = torch.where(whole > 0, left * sums / whole, 0.0)
    at = torch.rand(grouped.shape[:-1], generator=generator).to(values.device, values.dtype).unsqueeze(-1)
    before = functional.pad(edges[..., :-1], (1, 0))
    drawn = (edges - at).ceil() > (before - at).ceil()
    kept = torch.where(certain, grouped, torch.where(drawn & ~certain, grouped.sign() * scale, 0.0))
    return kept.flatten(-2)[..., :length].movedim(-1, axis)


def _probabilities(magnitudes: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """Which elements of [..., M] are kept for certain, and the s of the others; 0 where there are none."""
    certain = torch.zeros_like(magnitudes, dtype=torch.bool)
    while True:
        rest = magnitudes.masked_fill(certain, 0.0)
        left = kept - certain.sum(-1, keepdim=True)
        whole = rest.sum(-1, keepdim=True)
        more = (rest > 0) & (rest * left >= whole)
        if not more.any():
            return certain, torch.where(left > 0, whole / left.clamp(min=1), 0.0)
        certain = certain | more
