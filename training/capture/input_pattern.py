"""The N:M pattern that the zeros of a weight follow along its input channels: the groups that a recipe prunes in FF."""

from __future__ import annotations

import torch
from torch.nn import functional

from ...configs.pattern import LARGEST_GROUP, Pattern
from ..graph import Stage
from ..recipes.in_torch.reach import LAYERS
from ..recipes.in_torch.weight_axes import WeightAxes

_FULLEST = 0.95
"""Of what a pattern keeps, the share that is not zero: less is a pattern that happens to hold, and nobody's choice."""


def input_pattern(layer: torch.nn.Module, weight: torch.Tensor) -> Pattern | None:
    """The tightest pattern that a weight keeps to, of the smallest group among such.

    Args:
        layer: that multiplies by the weight; nothing is said of one that recipes do not prune.
        weight: of the layer, or its mask.

    >>> layer = torch.nn.Linear(8, 1)
    >>> print(input_pattern(layer, torch.tensor([[1.0, 1, 0, 0, 0, 1, 1, 0]])))
    2:4
    >>> print(input_pattern(layer, torch.ones(1, 8)))
    None
    """
    if not isinstance(layer, LAYERS) or weight.dim() != layer.weight.dim():
        return None
    axes = WeightAxes.of(layer)
    kept = (axes.by_group(weight) != 0).movedim(axes.axis(Stage.FORWARD), -1)
    found: Pattern | None = None
    size = 2
    while size <= min(LARGEST_GROUP, kept.shape[-1]):
        # Zeros fill up a short last group, and count as pruned in it.
        groups = functional.pad(kept, (0, -kept.shape[-1] % size)).reshape(-1, size).sum(-1)
        most = int(groups.max())
        if 0 < most < size and (found is None or most / size < found.density):
            found = Pattern(most, size)
        size *= 2
    if found is None:
        return None
    full = found.kept_of(kept.shape[-1]) * (kept.numel() // kept.shape[-1])
    return found if int(kept.sum()) >= _FULLEST * full else None
