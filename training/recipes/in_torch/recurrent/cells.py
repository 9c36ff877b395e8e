"""What a recurrent cell does besides its products: one step of its gates, and the gradient of that step.

    RNN   h' = a(z)                                                  a is tanh or ReLU, z the sum of both products
    LSTM  i, f, o = s(z_i), s(z_f), s(z_o);  g = tanh(z_g)
          c' = f c + i g;  h' = o tanh(c')
    GRU   r, u = s(x_r + y_r), s(x_u + y_u);  n = tanh(x_n + r y_n)  x, y: product of the input, of the state
          h' = n + u (h - n)

Gates stand in torch's order: input, forget, cell, output; reset, update, new. Gradients are those of these formulas, in
the operators that torch's own would run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["RNN_TANH", "RNN_RELU", "LSTM", "GRU"]
"""As ``nn.RNNBase`` names its modes."""

GATES: dict[Kind, int] = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
"""Rows of a weight, in hidden sizes."""

_aten = torch.ops.aten


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """One step of a cell.

    Attributes:
        hidden: h' [B, H].
        cell: c' [B, H] of an LSTM.
        kept: what the step's gradient is computed from.
    """

    hidden: Tensor
    cell: Tensor | None = None
    kept: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The gradient of one step.

    Attributes:
        of_input: of what the input's product gave [B, gates * H].
        of_state: of what the state's product gave; the same tensor where both were added up.
        hidden: of h, but for what comes back through the product; None where nothing does.
        cell: of c.
    """

    of_input: Tensor
    of_state: Tensor
    hidden: Tensor | None = None
    cell: Tensor | None = None


def adds_up(kind: Kind) -> bool:
    """Whether a cell reads nothing but the sum of its two products."""
    return kind != "GRU"


def step(kind: Kind, from_input: Tensor, from_state: Tensor, hidden: Tensor, cell: Tensor | None) -> Stepped:
    """One step forward.

    Args:
        kind: of the cell.
        from_input: x, bias included; not read where the products are added up.
        from_state: y, bias included; else the sum z.
        hidden: h.
        cell: c of an LSTM.
    """
    if kind == "LSTM":
        assert cell is not None, "an LSTM has a cell state"
        return _lstm(from_state, cell)
    if kind == "GRU":
        return _gru(from_input, from_state, hidden)
    after = from_state.tanh() if kind == "RNN_TANH" else from_state.relu()
    return Stepped(hidden=after, kept=(after,))


def step_back(
    kind: Kind, kept: Sequence[Tensor], hidden: Tensor, cell: Tensor | None, gradient: Tensor, of_cell: Tensor | None
) -> Returned:
    """One step backward.

    Args:
        kind: of the cell.
        kept: of the step.
        hidden: h, which the step read.
        cell: c, which it read.
        gradient: of h'.
        of_cell: of c', but for what comes through h'; None for zeros.
    """
    if kind == "LSTM":
        assert cell is not None, "an LSTM has a cell state"
        return _lstm_back(kept, cell, gradient, of_cell)
    if kind == "GRU":
        return _gru_back(kept, hidden, gradient)
    (after,) = kept
    tanh = kind == "RNN_TANH"
    moved = _aten.tanh_backward(gradient, after) if tanh else _aten.threshold_backward(gradient, after, 0)
    return Returned(of_input=moved, of_state=moved)


def _lstm(total: Tensor, cell: Tensor) -> Stepped:
    size = cell.shape[-1]
    both = total[..., : 2 * size].sigmoid()
    enter, forget = both.chunk(2, -1)
    new, out = total[..., 2 * size : 3 * size].tanh(), total[..., 3 * size :].sigmoid()
    after = forget * cell + enter * new
    squashed = after.tanh()
    return Stepped(hidden=out * squashed, cell=after, kept=(both, new, out, squashed))


def _lstm_back(kept: Sequence[Tensor], cell: Tensor, gradient: Tensor, of_cell: Tensor | None) -> Returned:
    both, new, out, squashed = kept
    enter, forget = both.chunk(2, -1)
    through = _aten.tanh_backward(gradient * out, squashed)
    of_cell = through if of_cell is None else of_cell + through
    gates = (
        _aten.sigmoid_backward(of_cell * new, enter),
        _aten.sigmoid_backward(of_cell * cell, forget),
        _aten.tanh_backward(of_cell * enter, new),
        _aten.sigmoid_backward(gradient * squashed, out),
    )
    moved = torch.cat(gates, -1)
    return Returned(of_input=moved, of_state=moved, cell=of_cell * forget)


def _gru(from_input: Tensor, from_state: Tensor, hidden: Tensor) -> Stepped:
    size = hidden.shape[-1]
    both = (from_input[..., : 2 * size] + from_state[..., : 2 * size]).sigmoid()
    reset, update = both.chunk(2, -1)
    offered = from_state[..., 2 * size :]
    new = (from_input[..., 2 * size :] + reset * offered).tanh()
    return Stepped(hidden=new + update * (hidden - new), kept=(both, new, offered))


def _gru_back(kept: Sequence[Tensor], hidden: Tensor, gradient: Tensor) -> Returned:
    both, new, offered = kept
    reset, update = both.chunk(2, -1)
    straight = gradient * update
    of_new = _aten.tanh_backward(gradient - straight, new)
    of_reset = _aten.sigmoid_backward(of_new * offered, reset)
    of_update = _aten.sigmoid_backward(gradient * (hidden - new), update)
    return Returned(
        of_input=torch.cat((of_reset, of_update, of_new), -1),
        of_state=torch.cat((of_reset, of_update, of_new * reset), -1),
        hidden=straight,
    )
