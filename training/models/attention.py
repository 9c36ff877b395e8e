"""The two halves of a transformer block, shared by the vision transformer, BERT and GPT-2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """Multi-head self-attention; query, key and value are one projection (same parameters, one product)."""

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0, causal: bool = False) -> None:
        super().__init__()
        # Fewer heads are as large as they were: so many follow from the projection.
        self.head_size = width // heads
        self.dropout = dropout
        self.causal = causal
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """[B, T, width] to [B, T, width]."""
        batch, tokens, _ = features.shape
        split = self.query_key_value(features).view(batch, tokens, 3, -1, self.head_size)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=self.causal,
        )
        output: Tensor = self.projection(mixed.transpose(1, 2).reshape(batch, tokens, -1))
        return output


class SquaredReLU(nn.Module):
    """max(x, 0) squared (So et al., NeurIPS 2021)."""

    def forward(self, features: Tensor) -> Tensor:
        """Of any shape."""
        positive = functional.relu(features)
        return positive * positive


Activation = Literal["gelu", "gelu-tanh", "squared-relu"]

_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu-tanh": lambda: nn.GELU(approximate="tanh"),
    "squared-relu": SquaredReLU,
}


class FeedForward(nn.Sequential):
    """Two linear layers, four times as wide in between."""

    def __init__(self, width: int, *, activation: Activation = "gelu") -> None:
        super().__init__(nn.Linear(width, 4 * width), _ACTIVATIONS[activation](), nn.Linear(4 * width, width))


class PreNormBlock(nn.Module):
    """A block that normalises before each half: the vision transformer's and GPT-2's."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        dropout: float = 0.0,
        causal: bool = False,
        activation: Activation = "gelu",
        epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=epsilon)
        self.attention = SelfAttention(width, heads, dropout=dropout, causal=causal)
        self.norm2 = nn.LayerNorm(width, eps=epsilon)
        self.feed_forward = FeedForward(width, activation=activation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """[B, T, width] to [B, T, width]."""
        features = features + self.dropout(self.attention(self.norm1(features)))
        output: Tensor = features + self.dropout(self.feed_forward(self.norm2(features)))
        return output


class PostNormBlock(nn.Module):
    """A block that normalises after each half: BERT's."""

    def __init__(self, width: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, dropout=dropout)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.feed_forward = FeedForward(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """[B, T, width] to [B, T, width]."""
        features = self.norm1(features + self.dropout(self.attention(features)))
        output: Tensor = self.norm2(features + self.dropout(self.feed_forward(features)))
        return output
