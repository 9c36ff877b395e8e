"""Recurrent layers one above the other, in one direction or both, as torch stacks them.

Projected states (``proj_size``) and packed sequences are not computed here: whoever asks for them keeps torch's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from .....configs.errors import ConfigError
from .cells import Kind, adds_up


class Multiplied(Protocol):
    """The two products of one direction of one layer, however their weights are pruned."""

    def input_product(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """Products of the input of every step with their bias."""

    def recurrence(
        self, from_input: Tensor, hidden: Tensor, cell: Tensor | None, bias: Tensor | None, *, axis: int, reverse: bool
    ) -> tuple[Tensor, ...]:
        """As ``Recurrence`` returns it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """One direction of one layer.

    Attributes:
        products: with its two weights.
        bias_ih: of the input's product; None where it has none.
        bias_hh: of the state's product; None where it has none.
    """

    products: Multiplied
    bias_ih: Tensor | None
    bias_hh: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """All layers of one network.

    Attributes:
        kind: of the cell.
        directions: layer by layer, forward before backward.
        bidirectional: whether each layer has two.
        dropout: after each layer but the last, where it trains.
        training: whether it does.
        batch_first: [B, T, ..] instead of [T, B, ..].
    """

    kind: Kind
    directions: Sequence[Direction]
    bidirectional: bool
    dropout: float
    training: bool
    batch_first: bool

    def run(self, values: Tensor, hidden: Tensor, cell: Tensor | None) -> tuple[Tensor, ...]:
        """Outputs of the last layer at every step, the last states of all [layers * directions, B, H], and cells.

        Args:
            values: the input, a batch of sequences.
            hidden: states before the first step [layers * directions, B, H].
            cell: likewise, of an LSTM.

        Raises:
            ConfigError: the sequences have no step.
        """
        if not values.shape[1 if self.batch_first else 0]:
            raise ConfigError(f"{self.kind}: got sequences without a step, need one or more; try another input shape")
        last: list[tuple[Tensor, ...]] = []
        ways = 2 if self.bidirectional else 1
        for first in range(0, len(self.directions), ways):
            if first and self.dropout and self.training:
                values = functional.dropout(values, self.dropout)
            ran = [
                self._run(at, values, hidden[at], None if cell is None else cell[at])
                for at in range(first, first + ways)
            ]
            values = torch.cat([outputs for outputs, *_ in ran], -1) if ways == 2 else ran[0][0]
            last.extend(tuple(states) for _, *states in ran)
        return (values, *(torch.stack(each) for each in zip(*last, strict=True)))

    def _run(self, at: int, values: Tensor, hidden: Tensor, cell: Tensor | None) -> tuple[Tensor, ...]:
        direction = self.directions[at]
        bias, own = direction.bias_ih, direction.bias_hh
        if adds_up(self.kind) and bias is not None and own is not None:
            # Both are added to the same sum.
            bias, own = bias + own, None
        return direction.products.recurrence(
            direction.products.input_product(values, bias),
            hidden,
            cell,
            own,
            axis=1 if self.batch_first else 0,
            reverse=self.bidirectional and at % 2 == 1,
        )
