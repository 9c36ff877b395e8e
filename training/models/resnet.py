"""Residual networks: ResNet-18 for Tiny-ImageNet, ResNet-50, ResNet-9.

ResNet-18 and ResNet-50 after He et al., CVPR 2016, with the stride of a bottleneck on its 3x3 convolution, as
torchvision has it; ResNet-9 is the nine-layer CIFAR network of the DAWNBench entries.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def _convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _convolution(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, features: Tensor) -> Tensor:
        """[B, Cin, H, W] to [B, channels, H/stride, W/stride]."""
        branch = self.relu(self.bn1(self.conv1(features)))
        branch = self.bn2(self.conv2(branch))
        output: Tensor = self.relu(branch + self.downsample(features))
        return output


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the output has four times the inner channels."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _convolution(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _convolution(channels, channels * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels * self.expansion, stride)

    def forward(self, features: Tensor) -> Tensor:
        """[B, Cin, H, W] to [B, 4 channels, H/stride, W/stride]."""
        branch = self.relu(self.bn1(self.conv1(features)))
        branch = self.relu(self.bn2(self.conv2(branch)))
        branch = self.bn3(self.conv3(branch))
        output: Tensor = self.relu(branch + self.downsample(features))
        return output


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        _convolution(in_channels, out_channels, 1, stride),
        nn.BatchNorm2d(out_channels),
    )


class ResNet(nn.Module):
    """A stem, four stages of blocks at 64, 128, 256 and 512 channels, average pooling and a classifier."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        classes: int,
        *,
        small_input: bool = False,
    ) -> None:
        super().__init__()
        if small_input:
            self.conv1 = _convolution(3, 64, 3)
            self.maxpool: nn.Module = nn.Identity()
        else:
            self.conv1 = _convolution(3, 64, 7, 2)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        channels = 64
        for number, depth in enumerate(depths, start=1):
            width = 64 * 2 ** (number - 1)
            blocks = []
            for position in range(depth):
                stride = 2 if number > 1 and position == 0 else 1
                blocks.append(block(channels, width, stride))
                channels = width * block.expansion
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] to logits [B, classes]."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for number in range(1, 5):
            features = self.get_submodule(f"layer{number}")(features)
        logits: Tensor = self.fc(self.avgpool(features).flatten(1))
        return logits


def resnet18_tinyimagenet() -> ResNet:
    """ResNet-18 for 64x64 images in 200 classes: a 3x3 stem of stride 1 and no maximum pooling."""
    return ResNet(BasicBlock, (2, 2, 2, 2), classes=200, small_input=True)


def resnet50() -> ResNet:
    """ResNet-50 for 224x224 images in 1000 classes."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes=1000)


class Residual(nn.Module):
    """Adds its input to what its body makes of it."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, features: Tensor) -> Tensor:
        """Any shape to the same shape."""
        output: Tensor = features + self.body(features)
        return output


def resnet9(
    *, width: int = 64, in_channels: int = 3, classes: int = 10, image: tuple[int, int] = (32, 32)
) -> nn.Sequential:
    """ResNet-9: eight 3x3 convolutions, two residual pairs, one classifier; for 32x32 images in 10 classes unless told.

    Args:
        width: channels of the first convolution; the last ones have eight times as many.
        in_channels: of the images.
        classes: of the classifier.
        image: height and width of the images, each 8 or more.
    """

    def unit(in_channels: int, out_channels: int) -> nn.Sequential:
        return nn.Sequential(
            _convolution(in_channels, out_channels, 3),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    height, breadth = image[0] // 8, image[1] // 8
    return nn.Sequential(
        unit(in_channels, width),
        unit(width, 2 * width),
        nn.MaxPool2d(2),
        Residual(nn.Sequential(unit(2 * width, 2 * width), unit(2 * width, 2 * width))),
        unit(2 * width, 4 * width),
        nn.MaxPool2d(2),
        unit(4 * width, 8 * width),
        nn.MaxPool2d(2),
        Residual(nn.Sequential(unit(8 * width, 8 * width), unit(8 * width, 8 * width))),
        nn.MaxPool2d((height, breadth)),
        nn.Flatten(),
        nn.Linear(8 * width, classes),
    )
