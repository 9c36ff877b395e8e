"""The N largest of every M: N:M masks along one axis of a tensor.

Of equal magnitudes the one with the lowest index in its group is kept first: the rule of the online reduction engine,
whose model (``sim.witness.machines.sorter``) selects the same elements, bit for bit. A last group shorter than M keeps
``min(N, length)``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ....configs.pattern import Pattern

_LARGEST_RANKED_GROUP = 16
"""Up to this group, comparing every pair is faster than sorting."""


def top_n_mask(magnitudes: Tensor, pattern: Pattern, axis: int) -> Tensor:
    """Which elements are among the N largest of their group of M consecutive ones along an axis.

    Args:
        magnitudes: what is compared, of any shape; must hold no NaN.
        pattern: N:M.
        axis: along which groups run.

    Returns:
        A boolean mask of the same shape.

    >>> top_n_mask(torch.tensor([1.0, 3.0, 3.0, 3.0]), Pattern(2, 4), 0).tolist()
    [False, True, True, False]
    """
    length = magnitudes.shape[axis]
    if pattern.is_dense or magnitudes.numel() == 0:
        return torch.ones_like(magnitudes, dtype=torch.bool)
    last = magnitudes.movedim(axis, -1)
    missing = -length % pattern.group
    if missing:
        # Below every magnitude, so that what is missing is kept last.
        last = functional.pad(last, (0, missing), value=-1.0)
    # A slice for each place in a group, contiguous: compared whole against each other.
    places = last.reshape(*last.shape[:-1], -1, pattern.group).movedim(-1, 0).contiguous()
    kept = _ranks(places) < pattern.kept if pattern.group <= _LARGEST_RANKED_GROUP else _sorted(places, pattern.kept)
    mask = kept.movedim(0, -1).flatten(-2)
    return mask[..., :length].movedim(-1, axis)


def _ranks(places: Tensor) -> Tensor:
    """How many of its group come before each element: larger, or as large with a lower index."""
    if places.device.type != "cpu":
        return _ranks_at_once(places)
    ranks = torch.zeros(places.shape, dtype=torch.int8, device=places.device)
    for later in range(1, len(places)):
        loses = places[:later] >= places[later]
        ranks[later] += loses.sum(0, dtype=torch.int8)
        ranks[:later] += ~loses
    return ranks


def _ranks_at_once(places: Tensor) -> Tensor:
    """The same in a few large operations: where starting one takes longer than doing it."""
    earlier = torch.ones(len(places), len(places), dtype=torch.bool, device=places.device).triu(1)
    earlier = earlier.reshape(*earlier.shape, *[1] * (places.dim() - 1))
    before, after = places.unsqueeze(1), places.unsqueeze(0)
    return torch.where(earlier, before >= after, before > after).sum(0, dtype=torch.int8)


def _sorted(places: Tensor, kept: int) -> Tensor:
    order = places.sort(dim=0, descending=True, stable=True).indices[:kept]
    return torch.zeros(places.shape, dtype=torch.bool, device=places.device).scatter_(0, order, True)
