"""A multi-layer perceptron: three hidden layers, by default of 256 units, with ReLU between."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


class MLP(nn.Sequential):
    """Flattens its input, then three hidden layers and a classifier."""

    def __init__(self, *, inputs: int, classes: int, width: int = 256) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for in_features, out_features in pairwise((inputs, width, width, width)):
            layers += [nn.Linear(in_features, out_features), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Linear(width, classes))
