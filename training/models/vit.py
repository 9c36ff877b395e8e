"""ViT-Small/4 for 32x32 images: the ViT-Small of Touvron et al. (DeiT, ICML 2021) with patches of 4x4 pixels.

Width 384, 12 blocks, 6 heads, a class token, learned positions, no dropout (DeiT trains without it).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import PreNormBlock


class VisionTransformer(nn.Module):
    """Patches, blocks, and a classifier on the class token."""

    def __init__(
        self, *, image: int, patch: int, width: int, depth: int, heads: int, classes: int, in_channels: int = 3
    ) -> None:
        super().__init__()
        tokens = (image // patch) ** 2 + 1
        self.patches = nn.Conv2d(in_channels, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = nn.Sequential(*(PreNormBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """[B, in_channels, H, W] to logits [B, classes]."""
        patches = self.patches(images).flatten(2).transpose(1, 2)
        class_token = self.class_token.expand(images.shape[0], -1, -1)
        features = torch.cat([class_token, patches], dim=1) + self.positions
        logits: Tensor = self.head(self.norm(self.blocks(features))[:, 0])
        return logits


def vit_small_cifar10() -> VisionTransformer:
    """ViT-Small/4 for CIFAR-10."""
    return VisionTransformer(image=32, patch=4, width=384, depth=12, heads=6, classes=10)
