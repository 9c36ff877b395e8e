"""How layers share what is kept of a network, when one number is given for all: PreCrop's allocation. Free of torch.

Cai et al. (arXiv 2203.02549) find the densities of layers that are best for an expectation of the signal that passes a
network drawn at random: the sum of log p over the layers is the largest for a given number of weights. So every layer
keeps as many weights as any other, or all where it has fewer. A layer of density p has sqrt(p) of its channels on
either side. That coupled layers take the density of all their weights together is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def kept_weights(sizes: Sequence[int], density: float) -> list[float]:
    """Weights that each layer keeps: as many as any other, or all of fewer.

    Args:
        sizes: weights of each layer.
        density: kept of all of them together, above 0, at most 1.

    >>> kept_weights([100, 1000, 3000], 0.5)
    [100, 975.0, 975.0]
    >>> kept_weights([5, 7], 1.0)
    [5, 7]
    """
    wanted = density * sum(sizes)
    left, level = len(sizes), math.inf
    for size in sorted(sizes):
        if size * left >= wanted:
            level = wanted / left
            break
        wanted -= size
        left -= 1
    return [min(size, level) for size in sizes]


def expected_ratios(groups: Mapping[str, Sequence[int]], density: float) -> dict[str, float]:
    """Ratio of channels of each group of coupled layers.

    Args:
        groups: by name, the weights of each layer that makes its channels.
        density: kept of all weights of them.

    >>> expected_ratios({"stem": [64], "body": [1000, 1000]}, 0.25)
    {'stem': 1.0, 'body': 0.475395}
    """
    sizes = [size for layers in groups.values() for size in layers]
    kept = iter(kept_weights(sizes, density))
    ratios = {}
    for name, layers in groups.items():
        total = sum(next(kept) for _ in layers)
        ratios[name] = round(math.sqrt(total / sum(layers)), 6)
    return ratios
