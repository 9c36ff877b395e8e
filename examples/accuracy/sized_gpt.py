"""GPTs of several widths, as factories for ``--model examples/accuracy/sized_gpt.py:width_256`` and the like.

As ``--model gpt``: every weight starts with a deviation of 0.02 * (768 / width)^0.5, GPT-2's, scaled so that a product
keeps its size at each width.
"""

from __future__ import annotations

from functools import partial

import torch
from bisparse.training.models.gpt2 import Gpt2, start_small
from torch import Tensor, nn


def sized(width: int, depth: int, *, classes: int, sample_shape: tuple[int, ...]) -> Gpt2:
    """A GPT with heads of 16 channels at width 64, of 64 from 256 on.

    Args:
        width: of the residual stream.
        depth: blocks.
        classes: symbols of the text.
        sample_shape: of a window, (symbols,).
    """
    gpt = Gpt2(
        vocabulary=classes, longest=sample_shape[0], width=width, depth=depth, heads=max(4, width // 64), dropout=0.0
    )
    return start_small(gpt, width)


class Untied(Gpt2):
    """A GPT whose head is a layer of its own, as slicing its stream needs."""

    def __init__(self, *, vocabulary: int, **sizes: int) -> None:
        super().__init__(vocabulary=vocabulary, dropout=0.0, **sizes)
        self.head = nn.Linear(self.norm.normalized_shape[0], vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T] token indices to logits [B, T, vocabulary]."""
        features = self.token_embedding(tokens) + self.position_embedding(torch.arange(tokens.shape[1]))
        logits: Tensor = self.head(self.norm(self.blocks(features)))
        return logits


def untied_width_32(*, classes: int, sample_shape: tuple[int, ...]) -> Untied:
    """One of two blocks.

    Args:
        classes: symbols of the text.
        sample_shape: of a window, (symbols,).
    """
    made = Untied(vocabulary=classes, longest=sample_shape[0], width=32, depth=2, heads=4)
    start_small(made, 32)
    return made


width_32 = partial(sized, 32, 2)
width_64 = partial(sized, 64, 2)
width_128 = partial(sized, 128, 4)
width_256 = partial(sized, 256, 4)
width_512 = partial(sized, 512, 4)
