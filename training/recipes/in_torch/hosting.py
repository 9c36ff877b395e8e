"""A layer's place in its module.

A layer under a recipe keeps its class's face (``isinstance``, state-dict keys, attributes); only its ``forward`` is
another, by a subclass made on the spot. What the recipe knows of it hangs on the module as a plain attribute, which
state dicts do not see; a module that is copied or pickled takes it along. A module with recurrent layers has several
weights: what hangs on it is known by their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from ...rewrites.in_torch.scored_layer import ScoredLayer
from .layer import Layer
from .product import Product
from .recurrent.pruned import States, run_cell, run_layers
from .recurrent.weights import Recurrent, RecurrentWeight
from .scored_masks import ScoredMasks
from .weight_axes import TransposedConvolutions

_ATTRIBUTE = "_bisparse_layer"
_ATTRIBUTES = "_bisparse_layers"


class _OnTheSpot:
    """Mixed into a layer's class: copied and pickled by the layer's own."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle by the layer's own class: that made on the spot is in no module."""
        # Older protocols call object's constructor by other means; what this returns suits all of them.
        made = super().__reduce_ex__(max(protocol, 2))
        assert isinstance(made, tuple), "objects are not pickled by name"
        _, (hosting, *arguments), *rest = made
        return _unpickled, (hosting.__bases__[1], *arguments), *rest


class Hosted(_OnTheSpot):
    """Mixed into a layer's class: its forward pass is a product with a weight for each pass."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As the layer's own, under its recipe."""
        assert isinstance(self, nn.Module), "mixed into a layer"
        layer = layer_of(self)
        assert layer is not None, "hosted layers have one"
        if layer.plain:
            own = super().forward  # type: ignore[misc]
            result: Tensor = own(input) if output_size is None else own(input, output_size)
            return result
        _refuse_autocast(input, layer.path)
        return _multiplied(self, layer, input, output_size)


class HostedRecurrent(_OnTheSpot):
    """Mixed into a class of recurrent layers, or of one cell: every product has a weight for each pass."""

    def forward(self, input: Tensor, hx: States = None) -> Any:
        """As the layers' own, under their recipe."""
        assert isinstance(self, nn.RNNBase | nn.RNNCellBase), "mixed into one"
        layers = _layers_of(self)
        if all(layer.plain for layer in layers.values()):
            own: Callable[..., Any] = super().forward  # type: ignore[misc]
            return own(input, hx)
        _refuse_autocast(input, next(iter(layers.values())).path)
        if isinstance(self, nn.RNNBase):
            return run_layers(self, layers, input, hx)
        return run_cell(self, layers, input, hx)


def _refuse_autocast(values: Any, path: str) -> None:
    if isinstance(values, Tensor) and torch.is_autocast_enabled(values.device.type):
        raise ConfigError(f"{path}: got torch.autocast, need none; try apply(..., precision='bf16')")


def _multiplied(module: nn.Module, layer: Layer, values: Tensor, output_size: list[int] | None) -> Tensor:
    single = isinstance(module, nn.modules.conv._ConvNd) and values.dim() == len(module.kernel_size) + 1
    if single:
        values = values.unsqueeze(0)
        if output_size is not None:
            # Its channels may be told; a batch of one is told too then.
            output_size = [1, *output_size] if len(output_size) == values.dim() - 1 else output_size
    if layer.tally is not None and module.training:
        layer.tally.see("input", values)
    master, bias = module.weight, module.bias
    assert isinstance(master, Tensor), "a layer that multiplies has a weight"
    values, passes = layer.passes(module, master, values)
    if output_size is not None and isinstance(module, TransposedConvolutions):
        passes = passes.padded_to(module, values, output_size)
    output: Tensor = Product.apply(values, layer.learned(master), bias, passes)  # type: ignore[no-untyped-call]
    return output.squeeze(0) if single else output


_HOSTING: dict[type[nn.Module], type[nn.Module]] = {}
"""The classes made so far, by that of the layer."""


def _hosting(own: type[nn.Module]) -> type[nn.Module]:
    if own not in _HOSTING:
        mixed = HostedRecurrent if issubclass(own, Recurrent) else Hosted
        _HOSTING[own] = type(f"Pruned{own.__name__}", (mixed, own), {"__module__": own.__module__})
    return _HOSTING[own]


def _unpickled(own: type[nn.Module], *arguments: Any) -> nn.Module:
    hosting = _hosting(own)
    return hosting.__new__(hosting, *arguments)


def host(module: nn.Module, layer: Layer) -> None:
    """Put a layer under its recipe."""
    if isinstance(module, RecurrentWeight):
        owner = module.owner
        owner.__dict__.setdefault(_ATTRIBUTES, {})[module.name] = layer
        if not isinstance(owner, HostedRecurrent):
            owner.__class__ = _hosting(type(owner))
        return
    module.__dict__[_ATTRIBUTE] = layer
    if isinstance(layer, ScoredMasks):
        layer.module.mask_now = layer.mask_now
        return
    module.__class__ = _hosting(type(module))


def release(module: nn.Module) -> None:
    """Make it a plain layer again; one that is, stays."""
    if isinstance(module, RecurrentWeight):
        module = module.owner
    if not is_hosted(module):
        return
    for name in (_ATTRIBUTE, _ATTRIBUTES):
        module.__dict__.pop(name, None)
    if isinstance(module, ScoredLayer):
        module.mask_now = None
    if isinstance(module, _OnTheSpot):
        module.__class__ = type(module).__bases__[1]


def is_hosted(module: nn.Module) -> bool:
    """Whether a module is under a recipe."""
    return layer_of(module) is not None or bool(_layers_of(module))


def layer_of(module: nn.Module) -> Layer | None:
    """What a recipe knows of a module; None when it is under none."""
    found = module.__dict__.get(_ATTRIBUTE)
    return found if isinstance(found, Layer) else None


def _layers_of(module: nn.Module) -> dict[str, Layer]:
    """What a recipe knows of the weights of a module with several, by their names."""
    found: dict[str, Layer] = module.__dict__.get(_ATTRIBUTES, {})
    return found
