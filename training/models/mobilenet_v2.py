"""MobileNetV2 at width 1.0 (Sandler et al., CVPR 2018) for 224x224 images: depthwise convolutions between 1x1 ones."""

from __future__ import annotations

from torch import Tensor, nn

_STAGES = (
    # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _unit(in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise convolution, 1x1 projection; a shortcut where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inner = in_channels * expansion
        body: list[nn.Module] = [] if expansion == 1 else [_unit(in_channels, inner, 1)]
        body += [
            _unit(inner, inner, 3, stride=stride, groups=inner),
            nn.Conv2d(inner, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.body = nn.Sequential(*body)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """[B, Cin, H, W] to [B, Cout, H/stride, W/stride]."""
        output: Tensor = self.body(features)
        return features + output if self.has_shortcut else output


class MobileNetV2(nn.Module):
    """Stem, seventeen inverted residuals, a 1x1 convolution to 1280 channels, and a classifier with dropout 0.2."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        features: list[nn.Module] = [_unit(3, 32, 3, stride=2)]
        channels = 32
        for expansion, width, blocks, first_stride in _STAGES:
            for position in range(blocks):
                stride = first_stride if position == 0 else 1
                features.append(InvertedResidual(channels, width, stride=stride, expansion=expansion))
                channels = width
        features.append(_unit(channels, 1280, 1))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] to logits [B, classes]."""
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def mobilenet_v2() -> MobileNetV2:
    """MobileNetV2 for ImageNet."""
    return MobileNetV2()
