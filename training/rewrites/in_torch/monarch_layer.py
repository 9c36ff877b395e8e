"""A Monarch layer, and the one nearest to a dense weight (``rewrites.monarch``)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .layer_parts import like


class MonarchLayer(nn.Module):
    """Two block-diagonal products with a permutation between them and one behind (``rewrites.monarch``)."""

    def __init__(self, layer: nn.Linear, blocks: int, *, nearest: bool = False) -> None:
        super().__init__()
        inputs, outputs = layer.in_features // blocks, layer.out_features // blocks
        inner = min(inputs, outputs)
        self.blocks_1 = Blocks(blocks, inner, inputs, **like(layer))
        self.blocks_2 = Blocks(blocks, outputs, inner, **like(layer))
        self.bias = layer.bias
        if nearest:
            with torch.no_grad():
                for block, values in zip(
                    (self.blocks_1, self.blocks_2), nearest_blocks(layer.weight, blocks), strict=True
                ):
                    block.weight.copy_(values)

    def forward(self, x: Tensor) -> Tensor:
        """[..., K] to [..., N]."""
        blocks, inner, width = self.blocks_1.weight.shape
        hidden = self.blocks_1(x.reshape(-1, blocks, width).transpose(0, 1)).transpose(0, 1)
        dealt = hidden.reshape(-1, inner, blocks).transpose(1, 2).transpose(0, 1)
        made: Tensor = self.blocks_2(dealt).permute(1, 2, 0).reshape(*x.shape[:-1], -1)
        return made if self.bias is None else made + self.bias


class Blocks(nn.Module):
    """The blocks of a block-diagonal matrix, drawn as torch draws those of a linear layer of a block's inputs."""

    def __init__(self, blocks: int, outputs: int, inputs: int, **like: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(blocks, outputs, inputs, **like))
        nn.init.uniform_(self.weight, -(inputs**-0.5), inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[blocks, rows, inputs] to [blocks, rows, outputs]."""
        return torch.bmm(x, self.weight.transpose(1, 2))


def nearest_blocks(weight: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
    """The two block-diagonal factors whose product is nearest to a weight, in the sum of squares.

    Channel f of those between the factors is made by block f // p of the first, of p channels, and read by block f % q
    of the second. So the part of the weight from the inputs of one block to the outputs of another is the product of
    the few channels that join these two, and no other: each part has its own best low rank, a truncated singular value
    decomposition, whose values are split between the factors. Dao et al. (2022), section 3.3, for any sizes.

    Args:
        weight: [N, K]; the blocks divide both.
        blocks: q.

    Returns:
        [q, p, K/q] and [q, N/q, p], with p = min(K, N)/q.
    """
    outputs, inputs = weight.shape[0] // blocks, weight.shape[1] // blocks
    inner = min(inputs, outputs)
    first, second = weight.new_empty(blocks, inner, inputs), weight.new_empty(blocks, outputs, inner)
    # Output n q + c is the n-th of block c.
    parts = weight.detach().view(outputs, blocks, blocks, inputs)
    for source in range(blocks):
        for target in range(blocks):
            joint = [each for each in range(inner) if (source * inner + each) % blocks == target]
            u, sizes, v = torch.linalg.svd(parts[:, target, source], full_matrices=False)
            root = sizes[: len(joint)].sqrt()
            first[source, joint] = root.unsqueeze(1) * v[: len(joint)]
            places = [(source * inner + each) // blocks for each in joint]
            second[target][:, places] = u[:, : len(joint)] * root
    return first, second
