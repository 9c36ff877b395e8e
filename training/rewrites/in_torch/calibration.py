"""Batches that a choice of survivors looks at: the gradients and the inputs that it needs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .group_scores import Read

Batches = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a model is looked at with.

    Attributes:
        batches: of inputs and targets, where the model lies.
        loss: of a model on one of them.
        output: of a model, of inputs: the tensor that it hands out.
    """

    batches: Batches
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    output: Callable[[nn.Module, Tensor], Tensor] = lambda model, inputs: model(inputs)


def gradients_of(model: nn.Module, calibration: Calibration) -> dict[str, Tensor]:
    """dL/dw by parameter, summed over the batches, in evaluation mode; the model's own gradients are left out."""
    named = {name: each for name, each in model.named_parameters() if each.requires_grad}
    total = {name: torch.zeros_like(each) for name, each in named.items()}
    with _evaluated(model):
        for inputs, targets in calibration.batches:
            loss = calibration.loss(model, inputs, targets)
            found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
            for name, each in zip(named, found, strict=True):
                if each is not None:
                    total[name] += each
    return total


@torch.no_grad()
def inputs_of(model: nn.Module, calibration: Calibration) -> dict[str, Read]:
    """By weight of a Linear or Conv layer, what it was multiplied by in the batches; grouped ones are left out."""
    squares: dict[str, Tensor] = {}

    def note(path: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def seen(module: nn.Module, given: tuple[Any, ...]) -> None:
            channel = given[0].dim() + 1 - _weight(module).dim()
            others = [axis for axis in range(given[0].dim()) if axis != channel]
            total = given[0].detach().square().sum(others)
            squares[path] = squares[path] + total if path in squares else total

        return seen

    layers = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) and _reads_all(module)
    }
    hooks = [module.register_forward_pre_hook(note(path)) for path, module in layers.items()]
    try:
        with _evaluated(model):
            for inputs, _ in calibration.batches:
                model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        f"{path}.weight".lstrip("."): Read(squares=_laid_over(layers[path], each), axis=_axis(layers[path]))
        for path, each in squares.items()
    }


def _weight(module: nn.Module) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor), "a layer that multiplies has one"
    return weight


def _reads_all(module: nn.Module) -> bool:
    """Whether its groups are one, or a channel each."""
    groups = getattr(module, "groups", 1)
    return groups in (1, getattr(module, "in_channels", 1))


def _axis(module: nn.Module) -> int:
    return 0 if getattr(module, "groups", 1) > 1 else 1


def _laid_over(module: nn.Module, squares: Tensor) -> Tensor:
    weight = _weight(module)
    if _axis(module) == 0:
        squares = squares.repeat_interleave(weight.shape[0] // len(squares))
    shape = [1] * weight.dim()
    shape[_axis(module)] = -1
    return squares.reshape(shape).expand_as(weight)


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    was = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training
