"""A random graph as the mask of a weight that the state meets."""

from __future__ import annotations

from zlib import crc32

import torch
from torch import Tensor

from ...random_graph import RandomGraph


def graph_mask(graph: RandomGraph, weight: Tensor, density: float, *, seed: int, path: str) -> Tensor:
    """The same graph in every gate.

    Args:
        graph: what joins units.
        weight: [gates * H, H].
        density: of the graph.
        seed: of the run.
        path: of the weight: layers have graphs of their own.
    """
    units = weight.shape[1]
    edges = torch.from_numpy(graph.mask(units, density, seed, crc32(path.encode())))
    return edges.repeat(weight.shape[0] // units, 1).to(weight.device)
