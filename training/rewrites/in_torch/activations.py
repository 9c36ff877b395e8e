"""Activations of a model in the place of which others stand, and the layers that tell them their channels' factors."""

from __future__ import annotations

from torch import nn

from ....configs.errors import ConfigError
from ...models.attention import SquaredReLU
from ..activation import Activation
from ..activation_units import surroundings
from ..apply import Change
from .layer_parts import plain_layer
from .resized_module import put
from .sparse_activation import Factors, SparseActivation

_KNOWN = (nn.ReLU, nn.GELU, nn.SiLU, SquaredReLU)


def put_activations(model: nn.Module, change: Change, entry: Activation) -> None:
    """Let an entry's activations stand in a model.

    Args:
        model: it is changed.
        change: what the entry made of its graph.
        entry: of the recipe.

    Raises:
        ConfigError: a function is called by the code of a module, so that nothing can stand in its place.
    """
    device = next((each.device for each in model.parameters()), None)
    seen = set()
    for unit in entry.named_units(change.before):
        path = unit.module
        if path in seen:
            continue
        seen.add(path)
        old = model.get_submodule(path)
        if not isinstance(old, _KNOWN):
            raise ConfigError(
                f"layers: got {path}, a {type(old).__name__} whose code calls the function, need nn.ReLU, nn.GELU or "
                f"nn.SiLU as a module of its own to train it; try except_layers: [{path!r}]",
                field="layers",
            )
        around = surroundings(change.before, unit)
        made = SparseActivation(
            _function(old, entry), entry, path=path, channels=around.channels, along=around.along
        ).to(device)
        put(model, path, made)
        if entry.cut is not None and entry.cut.by == "channel-threshold":
            layer = model.get_submodule(around.beside) if around.beside else _reader(model, around.reader, path)
            layer.register_forward_hook(Factors(made, reads=not around.beside))


def _reader(model: nn.Module, reader: str, path: str) -> nn.Module:
    """The layer whose weights give the channels of an activation their factors."""
    if reader:
        layer = plain_layer(model, reader)
        if isinstance(layer, nn.Linear) or layer.groups == 1:
            return layer
    raise ConfigError(
        f"layers: got {path}, need one that a layer without groups reads, or that another's output multiplies, for "
        f"channel-threshold; try except_layers: [{path!r}]",
        field="layers",
    )


def _function(old: nn.Module, entry: Activation) -> nn.Module:
    match entry.function:
        case "relu":
            return nn.ReLU()
        case "squared-relu":
            return SquaredReLU()
        case "same":
            return old


def activations_of(model: nn.Module) -> list[SparseActivation]:
    """Those that stand in a model, in its order."""
    return [each for each in model.modules() if isinstance(each, SparseActivation)]
