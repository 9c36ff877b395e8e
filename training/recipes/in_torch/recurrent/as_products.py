"""Torch's own recurrent layers run as the products that they are, for whoever looks at the operators that run.

Inside, ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU`` multiply a layer's whole input at once and then step by step, as cuDNN
does (see ``recurrence``); one kernel would hide the products, and torch's steps on a CPU are cut finer than any
accelerator would. Packed sequences and projected states run as torch runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..product import Geometry, Passes
from .cells import Kind
from .layers import Direction, Layers
from .recurrence import Course, Recurrence

_FUNCTIONS: dict[str, Kind] = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}
"""Torch's functions of whole networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dense:
    """Both weights as they are."""

    kind: Kind
    weight_ih: Tensor
    weight_hh: Tensor

    def input_product(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """One product of all steps, in whichever order they lie in memory: to read them in another costs nothing."""
        turned = not values.is_contiguous() and values.transpose(0, 1).is_contiguous()
        rows = values.transpose(0, 1) if turned else values
        made = functional.linear(rows.flatten(0, 1), self.weight_ih, bias).reshape(*rows.shape[:2], -1)
        return made.transpose(0, 1) if turned else made

    def recurrence(
        self, from_input: Tensor, hidden: Tensor, cell: Tensor | None, bias: Tensor | None, *, axis: int, reverse: bool
    ) -> tuple[Tensor, ...]:
        """Its steps, every pass with the weight itself."""
        passes = Passes(
            geometry=Geometry(linear=True),
            forward_weight=self.weight_hh,
            backward_weight=self.weight_hh,
            precision="fp32",
            prune_input=None,
            prune_gradient=None,
            update_input=None,
            update_gradient=None,
            see_gradient=None,
        )
        course = Course(kind=self.kind, axis=axis, reverse=reverse, passes=passes)
        ran: tuple[Tensor, ...] = Recurrence.apply(  # type: ignore[no-untyped-call]
            from_input, hidden, cell, self.weight_hh, bias, course
        )
        return ran


@contextmanager
def recurrence_as_products() -> Iterator[None]:
    """Inside, they do."""
    functions: Any = torch._VF
    for name, kind in _FUNCTIONS.items():
        setattr(functions, name, _function(kind, getattr(functions, name)))
    try:
        yield
    finally:
        for name in _FUNCTIONS:
            # Torch's own is found behind what was set.
            delattr(functions, name)


def _function(kind: Kind, own: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        if isinstance(arguments[3], Sequence):
            # Lengths of packed sequences come second, and weights fourth.
            return own(*arguments)
        values, states, weights, biases, layers, dropout, training, both_ways, batch_first = arguments
        count = len(weights) // (layers * (2 if both_ways else 1))
        if count != (4 if biases else 2):
            return own(*arguments)
        directions = [_direction(kind, weights[at : at + count]) for at in range(0, len(weights), count)]
        network = Layers(
            kind=kind,
            directions=directions,
            bidirectional=both_ways,
            dropout=dropout,
            training=training,
            batch_first=batch_first,
        )
        hidden, cell = states if kind == "LSTM" else (states, None)
        return network.run(values, hidden, cell)

    return run


def _direction(kind: Kind, weights: Sequence[Tensor]) -> Direction:
    weight_ih, weight_hh, *biases = weights
    bias_ih, bias_hh = biases or (None, None)
    products = _Dense(kind=kind, weight_ih=weight_ih, weight_hh=weight_hh)
    return Direction(products=products, bias_ih=bias_ih, bias_hh=bias_hh)
