"""What stands beside a layer: low-rank factors whose product is added to what it gives, and what goes with them.

The layer stays what it is, so that a recipe finds it and prunes it; a hook behind its forward pass adds the rest.
Adapters are merged into its weight when the recipe is removed, where that is how they are deployed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..adapter_names import MASK, NAMES
from ..adapters import Adapters
from .layer_parts import PlainLayer, factors, like

_GATE, _RESIDUAL = "adapter_gate", "adapter_residual"
_PLACES = (f"{_RESIDUAL}_inputs", f"{_RESIDUAL}_outputs")


@dataclass(frozen=True, slots=True)
class Beside:
    """A hook behind a layer's forward pass. Of its module it holds names alone: a copy of the module has its own.

    Attributes:
        first: name of the factor that the input goes through, under the layer.
        second: of the other one.
        scale: of what is added; None where it is added as it is.
    """

    first: str
    second: str
    scale: float | None = None

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """The layer's output with the rest added."""
        low: Tensor = layer.get_submodule(self.second)(self.between(layer, layer.get_submodule(self.first)(inputs[0])))
        return output + (low if self.scale is None else low * self.scale)

    def between(self, layer: nn.Module, hidden: Tensor) -> Tensor:
        """What the second factor is given of what the first gave."""
        return hidden


@dataclass(frozen=True, slots=True)
class Adapter(Beside):
    """An adapter's, with a gate between its factors and elements of the weight beside them, where the layer has them.

    Attributes:
        merged: whether all of it is added into the weight when the recipe is removed.
        penalty: of a gate, xi: what it loses an update, over the learning rate.
        behind: whether it reads the layer's output.
        mask_penalty: what a number of its mask loses an update, over the learning rate.
    """

    merged: bool = True
    penalty: float = 0.0
    behind: bool = False
    mask_penalty: float = 0.0

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """The layer's output with the rest added."""
        total = Beside.__call__(self, layer, (output,) if self.behind else inputs, output)
        mask: Tensor | None = getattr(layer, MASK, None)
        few = getattr(layer, _RESIDUAL, None)
        if mask is not None:
            return total * mask
        if few is None:
            return total
        read, written = (layer.get_buffer(name) for name in _PLACES)
        return total.index_add(-1, written, inputs[0].index_select(-1, read) * few)

    def between(self, layer: nn.Module, hidden: Tensor) -> Tensor:
        """Each rank times its gate."""
        gate = getattr(layer, _GATE, None)
        return hidden if gate is None else hidden * gate


def put_beside(layer: PlainLayer, rank: int, beside: Beside) -> None:
    """Add the product of two dense factors to what a layer gives.

    A scaled second factor begins at zero, as that of an adapter does.
    """
    first, second = factors(layer, rank, bias=False)
    if isinstance(beside, Adapter) and beside.behind:
        first = nn.Linear(layer.weight.shape[0], rank, bias=False, **like(layer))
    if beside.scale is not None:
        nn.init.zeros_(second.weight)
    layer.add_module(beside.first, first)
    layer.add_module(beside.second, second)
    layer.register_forward_hook(beside)


def put_adapter(layer: PlainLayer, entry: Adapters) -> None:
    """Let an adapter stand beside a layer, whose own weight the caller freezes.

    A gate begins at 1; places of a residual are drawn without repetition, its elements begin at zero.
    """
    penalty = 0.0 if entry.gate is None else entry.gate.penalty
    behind = entry.position == "behind"
    masked = 0.0 if entry.mask is None else entry.mask.penalty
    put_beside(layer, entry.rank, Adapter(*NAMES, entry.scale, entry.deployed == "merged", penalty, behind, masked))
    if entry.mask is not None:
        layer.register_parameter(MASK, nn.Parameter(torch.ones(layer.weight.shape[0], **like(layer))))
    if entry.gate is not None:
        layer.register_parameter(_GATE, nn.Parameter(torch.ones(entry.rank, **like(layer))))
    if entry.residual is not None:
        drawn = torch.randperm(layer.weight.numel())[: entry.residual].sort().values.to(layer.weight.device)
        width = layer.weight.shape[1]
        for name, places in zip(_PLACES, (drawn % width, drawn // width), strict=True):
            layer.register_buffer(name, places)
        layer.register_parameter(_RESIDUAL, nn.Parameter(torch.zeros(entry.residual, **like(layer))))


def carry_beside(layer: nn.Module, made: nn.Module, sizes: Mapping[str, tuple[int, ...]]) -> None:
    """Let what stands beside a layer stand beside the one that is put in its place.

    Args:
        layer: as it was.
        made: of other sizes; the caller gives the factors theirs.
        sizes: of the layer's own parameters, by their names.
    """
    for hook in layer._forward_hooks.values():
        if not isinstance(hook, Beside):
            continue
        for name in (hook.first, hook.second):
            made.add_module(name, layer.get_submodule(name))
        for name in (_GATE, MASK):
            if hasattr(layer, name):
                old = layer.get_parameter(name)
                new = torch.ones(sizes[name], device=old.device, dtype=old.dtype)
                made.register_parameter(name, nn.Parameter(new, requires_grad=old.requires_grad))
        made.register_forward_hook(hook)


def shrink_gates(layers: Iterable[nn.Module], optimizer: torch.optim.Optimizer, ranks: int | None) -> None:
    """The proximal step of gates and masks, after an update: each is drawn towards zero; of gates the largest stay.

    Args:
        layers: of which some may have one.
        optimizer: that updated them.
        ranks: of each adapter that stay; None where all may.
    """
    for layer in layers:
        for hook in layer._forward_hooks.values():
            if not isinstance(hook, Adapter):
                continue
            gate, mask = getattr(layer, _GATE, None), getattr(layer, MASK, None)
            with torch.no_grad():
                for each, penalty in ((gate, hook.penalty), (mask, hook.mask_penalty)):
                    if each is None:
                        continue
                    owned = (group for group in optimizer.param_groups if any(one is each for one in group["params"]))
                    for group in owned:
                        each.copy_(nn.functional.softshrink(each, float(group["lr"]) * penalty))
                if gate is not None and ranks is not None and ranks < len(gate):
                    gate[gate.abs().sort(descending=True, stable=True).indices[ranks:]] = 0.0


def merge_adapter(layer: nn.Module) -> None:
    """Add a layer's adapter into its weight, where it is to be deployed so; a layer without one stays as it is."""
    for key, hook in list(layer._forward_hooks.items()):
        if not isinstance(hook, Adapter) or not hook.merged:
            continue
        weight = layer.get_parameter("weight")
        with torch.no_grad():
            if hook.behind:
                _merge_behind(layer, hook)
            else:
                weight.add_(_beyond(layer, hook, weight))
        del layer._forward_hooks[key]
        for name in (hook.first, hook.second):
            delattr(layer, name)
        for name in (_GATE, MASK, _RESIDUAL, *_PLACES):
            if hasattr(layer, name):
                delattr(layer, name)


def _merge_behind(layer: nn.Module, hook: Adapter) -> None:
    """Multiply a layer's weight, and its bias, by 1 + s B A, and by its mask."""
    first, second = (layer.get_submodule(name).get_parameter("weight") for name in (hook.first, hook.second))
    for each in (layer.weight, layer.bias):
        if isinstance(each, Tensor):
            each.add_(second @ (first @ each) * (hook.scale or 1.0))
            if hasattr(layer, MASK):
                each.mul_(layer.get_parameter(MASK).view(-1, *(1,) * (each.dim() - 1)))


def _beyond(layer: nn.Module, hook: Adapter, weight: Tensor) -> Tensor:
    """What an adapter comes to as an update of its layer's weight."""
    first, second = (layer.get_submodule(name).get_parameter("weight") for name in (hook.first, hook.second))
    gate = getattr(layer, _GATE, None)
    reduced = first.flatten(1) if gate is None else first.flatten(1) * gate.unsqueeze(1)
    update = (second.flatten(1) @ reduced * (hook.scale or 1.0)).view_as(weight)
    few = getattr(layer, _RESIDUAL, None)
    if few is not None:
        read, written = (layer.get_buffer(name) for name in _PLACES)
        update.index_put_((written, read), few, accumulate=True)
    return update
