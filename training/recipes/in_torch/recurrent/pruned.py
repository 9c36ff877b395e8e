"""The forward pass of a module with recurrent layers under a recipe: every weight as its own mask has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .....configs.errors import ConfigError
from ..layer import Layer
from ..product import Product
from .cells import Kind, adds_up, step
from .layers import Direction, Layers
from .recurrence import Course, Recurrence

States = Tensor | tuple[Tensor, Tensor] | None
"""What torch's layers take and give: h, or of an LSTM h and c."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pruned:
    """Both weights of a direction, as the recipe has them."""

    kind: Kind
    module: nn.Module
    weight_ih: Tensor
    weight_hh: Tensor
    layer_ih: Layer
    layer_hh: Layer

    def input_product(self, values: Tensor, bias: Tensor | None) -> Tensor:
        """One product of all steps."""
        return multiplied(self.module, self.layer_ih, self.weight_ih, bias, values)

    def recurrence(
        self, from_input: Tensor, hidden: Tensor, cell: Tensor | None, bias: Tensor | None, *, axis: int, reverse: bool
    ) -> tuple[Tensor, ...]:
        """Its steps, each pass with a weight of its own."""
        _, passes = self.layer_hh.passes(self.module, self.weight_hh, hidden)
        course = Course(kind=self.kind, axis=axis, reverse=reverse, passes=passes)
        ran: tuple[Tensor, ...] = Recurrence.apply(  # type: ignore[no-untyped-call]
            from_input, hidden, cell, self.layer_hh.learned(self.weight_hh), bias, course
        )
        if self.module.training:
            # Every state is multiplied but the last, which stands first where time runs backwards.
            states = ran[0].detach().narrow(axis, int(reverse), ran[0].shape[axis] - 1)
            if self.layer_hh.engine is not None:
                self.layer_hh.engine.see_inputs(self.layer_hh.path, states)
            if self.layer_hh.tally is not None:
                self.layer_hh.tally.see("input", hidden)
                self.layer_hh.tally.see("input", states)
        return ran


def multiplied(module: nn.Module, layer: Layer, master: Tensor, bias: Tensor | None, values: Tensor) -> Tensor:
    """A product with one weight of a module, as its recipe has it."""
    if layer.tally is not None and module.training:
        layer.tally.see("input", values)
    values, passes = layer.passes(module, master, values)
    output: Tensor = Product.apply(values, layer.learned(master), bias, passes)  # type: ignore[no-untyped-call]
    return output


def run_layers(
    module: nn.RNNBase, layers: Mapping[str, Layer], values: Tensor, given: States
) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
    """As the forward pass of ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU``.

    Raises:
        ConfigError: the sequences are packed.
    """
    if isinstance(values, PackedSequence):
        path = next(iter(layers.values())).path.rpartition(".")[0] or type(module).__name__
        raise ConfigError(
            f"{path}: got a packed sequence, need a padded one where a recipe prunes; try pad_packed_sequence, or "
            f"dense.names: ['{path}.*'] in the recipe"
        )
    kind = _kind_of(module)
    single = values.dim() == 2
    time = 1 if module.batch_first and not single else 0
    if single:
        values = values.unsqueeze(1)
    hidden, cell = _states(module, kind, values, given, single=single, batch_axis=1 - time)
    network = Layers(
        kind=kind,
        directions=[_direction(module, layers, kind, names) for names in module._all_weights],
        bidirectional=module.bidirectional,
        dropout=module.dropout,
        training=module.training,
        batch_first=time == 1,
    )
    outputs, *last = network.run(values, hidden, cell)
    if single:
        outputs, last = outputs.squeeze(1), [each.squeeze(1) for each in last]
    return outputs, (last[0], last[1]) if kind == "LSTM" else last[0]


def run_cell(module: nn.RNNCellBase, layers: Mapping[str, Layer], values: Tensor, given: States) -> States:
    """As the forward pass of ``nn.RNNCell``, ``nn.LSTMCell`` and ``nn.GRUCell``."""
    kind = _kind_of(module)
    single = values.dim() == 1
    if given is None:
        zeros = values.new_zeros((*values.shape[:-1], module.hidden_size))
        given = (zeros, zeros) if kind == "LSTM" else zeros
    hidden, cell = given if isinstance(given, tuple) else (given, None)
    if single:
        values, hidden = values.unsqueeze(0), hidden.unsqueeze(0)
        cell = None if cell is None else cell.unsqueeze(0)
    from_input = multiplied(module, layers["weight_ih"], module.weight_ih, module.bias_ih, values)
    from_state = multiplied(module, layers["weight_hh"], module.weight_hh, module.bias_hh, hidden)
    done = step(kind, from_input, from_input + from_state if adds_up(kind) else from_state, hidden, cell)
    after = [each.squeeze(0) if single else each for each in (done.hidden, done.cell) if each is not None]
    return (after[0], after[1]) if kind == "LSTM" else after[0]


def _kind_of(module: nn.RNNBase | nn.RNNCellBase) -> Kind:
    if isinstance(module, nn.RNN | nn.RNNCell):
        return "RNN_RELU" if module.nonlinearity == "relu" else "RNN_TANH"
    return "LSTM" if isinstance(module, nn.LSTM | nn.LSTMCell) else "GRU"


def _states(
    module: nn.RNNBase, kind: Kind, values: Tensor, given: States, *, single: bool, batch_axis: int
) -> tuple[Tensor, Tensor | None]:
    """States before the first step [layers * directions, B, H]; zeros where none are given."""
    if given is None:
        rows = module.num_layers * (2 if module.bidirectional else 1)
        zeros = values.new_zeros((rows, values.shape[batch_axis], module.hidden_size))
        return zeros, zeros if kind == "LSTM" else None
    hidden, cell = given if isinstance(given, tuple) else (given, None)
    if single:
        hidden, cell = hidden.unsqueeze(1), None if cell is None else cell.unsqueeze(1)
    return hidden, cell


def _direction(module: nn.RNNBase, layers: Mapping[str, Layer], kind: Kind, names: list[str]) -> Direction:
    weight_ih, weight_hh, *biases = (getattr(module, name) for name in names)
    bias_ih, bias_hh = biases or (None, None)
    products = _Pruned(
        kind=kind,
        module=module,
        weight_ih=weight_ih,
        weight_hh=weight_hh,
        layer_ih=layers[names[0]],
        layer_hh=layers[names[1]],
    )
    return Direction(products=products, bias_ih=bias_ih, bias_hh=bias_hh)
