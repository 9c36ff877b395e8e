"""VGG-19 with batch normalisation for 32x32 images (Simonyan and Zisserman, ICLR 2015; the usual CIFAR form of it).

Sixteen 3x3 convolutions with biases, five maximum poolings, and one linear classifier on the 512 features that are
left.
"""

from __future__ import annotations

from torch import nn

_POOL = 0
_PLAN = (64, 64, _POOL, 128, 128, _POOL, *(256,) * 4, _POOL, *(512,) * 4, _POOL, *(512,) * 4, _POOL)


def vgg19_cifar100() -> nn.Sequential:
    """VGG-19 with batch normalisation: [B, 3, 32, 32] to logits [B, 100]."""
    features: list[nn.Module] = []
    channels = 3
    for width in _PLAN:
        if width == _POOL:
            features.append(nn.MaxPool2d(2))
            continue
        features += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(*features))
    network.add_module("flatten", nn.Flatten())
    network.add_module("classifier", nn.Linear(512, 100))
    return network
