"""A small convolutional network for images of 28x28 or so: four 3x3 convolutions that halve the image three times.

All channels but the image's own are multiples of 32, so that every convolution after the first can be pruned N:M in
either direction. On a 1x28x28 image its convolutions take 2.0 million MACs forward.
"""

from __future__ import annotations

from torch import nn


class ConvNet(nn.Sequential):
    """Convolutions with batch normalisation and ReLU, average pooling, a classifier."""

    def __init__(self, *, in_channels: int, classes: int) -> None:
        super().__init__(
            _unit(in_channels, 32, stride=2),
            _unit(32, 32, stride=2),
            _unit(32, 64, stride=1),
            _unit(64, 64, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, classes),
        )


def _unit(in_channels: int, out_channels: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
