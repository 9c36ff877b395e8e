"""Recurrent layers, run by torch's own: its gates stand in another order, its bias in two parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..graph import Known
from .call import Call, Result

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where torch's gates stand among ONNX's: input, forget, cell, output; reset, update, new."""

_USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def _recurrent(call: Call) -> Result:
    kind = call.node.kind
    _check(call)
    source = call.tensor(0)
    batch_first = bool(call.attribute("layout", 0))
    source = source.transpose(0, 1) if batch_first else source
    directions, _, hidden = call.tensor(2).shape
    if call.attribute("direction", "forward") == "reverse":
        source = source.flip(0)
    states = [
        _state(call, place, (directions, source.shape[1], hidden), batch_first=batch_first)
        for place in ((5, 6) if kind == "LSTM" else (5,))
    ]
    flat = [each for direction in range(directions) for each in _weights(call, direction)]
    # Biases or none, one layer, no dropout, training or not, both ways or one, time first.
    settings = (call.has(3), 1, 0.0, call.training, directions == 2, False)
    if kind == "LSTM":
        output, *last = torch._VF.lstm(source, states, flat, *settings)
    elif kind == "GRU":
        output, *last = torch._VF.gru(source, states[0], flat, *settings)
    else:
        name = "rnn_relu" if call.attribute("activations", ["Tanh"])[0] == "Relu" else "rnn_tanh"
        output, *last = getattr(torch._VF, name)(source, states[0], flat, *settings)
    if call.attribute("direction", "forward") == "reverse":
        output = output.flip(0)
    apart = output.reshape(*output.shape[:2], directions, hidden)
    if batch_first:
        return (apart.transpose(0, 1), *(each.transpose(0, 1) for each in last))
    return (apart.transpose(1, 2), *last)


def _check(call: Call) -> None:
    """Refuse what torch's layers do not do."""
    kind = call.node.kind
    usual = _USUAL[kind]
    given = call.attribute("activations") or []
    known = [usual, ["Relu"]] if kind == "RNN" else [usual]
    parts = [list(given[at : at + len(usual)]) for at in range(0, len(given), len(usual))]
    if any(part not in known or part != parts[0] for part in parts):
        raise call.node.error(f"got activations {', '.join(given)}, need {', '.join(usual)}")
    if kind == "GRU" and not call.attribute("linear_before_reset", 0):
        raise call.node.error(
            "got linear_before_reset=0, need 1, as torch has it; try exporting it so (Keras: reset_after=True)"
        )
    if call.attribute("clip", 0.0) or call.attribute("input_forget", 0) or call.has(7):
        raise call.node.error("got a clip, coupled gates or peepholes, need a layer without them")
    lengths = call.values[4] if len(call.values) > 4 else None
    steps = call.tensor(0).shape[1 if call.attribute("layout", 0) else 0]
    if lengths is not None and not (isinstance(lengths, Known) and {*call.integers(4)} == {steps}):
        raise call.node.error("got lengths of sequences, need all of one length; try exporting without packing")


def _state(call: Call, place: int, extents: Sequence[int], *, batch_first: bool) -> torch.Tensor:
    given = call.optional(place)
    if given is None:
        return torch.zeros(extents, dtype=call.tensor(0).dtype, device=call.device)
    return given.transpose(0, 1) if batch_first else given


def _weights(call: Call, direction: int) -> list[torch.Tensor]:
    """A direction's weights of inputs and of states, and its biases likewise."""
    order = _ORDER[call.node.kind]
    found = [_in_order(call.tensor(place)[direction], order) for place in (1, 2)]
    if call.has(3):
        found += [_in_order(half, order) for half in call.tensor(3)[direction].chunk(2)]
    return found


def _in_order(weight: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
    gates = weight.chunk(len(order))
    return torch.cat([gates[place] for place in order]) if len(order) > 1 else weight


RULES: dict[str, Callable[[Call], Result]] = dict.fromkeys(_ORDER, _recurrent)
