"""A character model of recurrent cells: what stands behind one symbol is told by those before it.

An embedding, a layer or several of LSTM, GRU or plain cells, and a linear layer to the symbols: the network of
Karpathy's char-rnn (2015). Widths are multiples of 32, so that every weight but the embedding can be pruned N:M in
either direction, except the head's backward pass where the alphabet is no such multiple.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Cells = Literal["lstm", "gru", "rnn"]

_KINDS: dict[Cells, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class RecurrentText(nn.Module):
    """Token indices [B, T] to scores of the next one [B, T, vocabulary]."""

    def __init__(self, cells: Cells, *, vocabulary: int, width: int, hidden: int, depth: int = 1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.cells = _KINDS[cells](width, hidden, depth, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """Every state predicts the token behind its own."""
        states, _ = self.cells(self.embedding(tokens))
        scores: Tensor = self.head(states)
        return scores


def lstm_text() -> RecurrentText:
    """An LSTM of 512 units over 128 symbols."""
    return RecurrentText("lstm", vocabulary=128, width=128, hidden=512)
