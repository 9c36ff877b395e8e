"""GPT-2 small (Radford et al., 2019): 12 blocks of width 768, 1024 positions, the head tied to the token embedding.

Dropout 0.1 after the embeddings, on the attention weights and on each half of a block, as published.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import Activation, PreNormBlock


class Gpt2(nn.Module):
    """A causal language model."""

    def __init__(
        self,
        *,
        vocabulary: int = 50257,
        longest: int = 1024,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.1,
        activation: Activation = "gelu-tanh",
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.position_embedding = nn.Embedding(longest, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(
                PreNormBlock(width, heads, dropout=dropout, causal=True, activation=activation, epsilon=1e-5)
                for _ in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T] token indices to logits [B, T, vocabulary]."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        features = self.token_embedding(tokens) + self.position_embedding(positions)
        features = self.norm(self.blocks(self.dropout(features)))
        return functional.linear(features, self.token_embedding.weight)


def start_small(gpt: Gpt2, width: int) -> Gpt2:
    """The same with new initial weights: GPT-2's deviation, 0.02 at width 768, scaled so that products keep their size.

    Args:
        gpt: of that width.
        width: of the residual stream.
    """
    for module in gpt.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02 * (768 / width) ** 0.5)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return gpt


def gpt2_small() -> Gpt2:
    """GPT-2 small."""
    return Gpt2()


def gpt2_small_squared_relu() -> Gpt2:
    """GPT-2 small with squared ReLUs in place of its GELUs."""
    return Gpt2(activation="squared-relu")


def gpt2_small_8k() -> Gpt2:
    """GPT-2 small with positions for 8192 tokens, eight times as many as published."""
    return Gpt2(longest=8192)
