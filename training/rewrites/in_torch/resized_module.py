"""A module of other widths and of fewer residual blocks: every layer built anew as the rewritten graph has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ....configs.errors import ConfigError
from ...graph import Convolution, Stage, TrainingGraph
from .beside import carry_beside
from .layer_parts import BATCH_NORMS, CONVOLUTIONS, convolution

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_KNOWN = (nn.Linear, *CONVOLUTIONS, *_TRANSPOSED, *BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.Embedding)


def resize(model: nn.Module, before: TrainingGraph, after: TrainingGraph) -> None:
    """Give a model the widths of a graph; what is built anew is drawn anew, as its class draws it.

    Args:
        model: whose parameters have the names of the graphs' tensors; it is changed.
        before: the graph of it.
        after: that it shall have: the same parameters, of other extents.

    Raises:
        ConfigError: a layer that must change has sizes of a kind that is not known.
    """
    tied = _tied(model)
    was, wanted = _shapes(before), _shapes(after)
    groups = {
        operator.module: operator.geometry.groups
        for operator in after.products
        if operator.stage is Stage.FORWARD and isinstance(operator.geometry, Convolution)
    }
    for path, module in list(model.named_modules()):
        own = {name: f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)}
        changed = [name for name, full in own.items() if wanted.get(full, ()) != was.get(full, ())]
        if not changed:
            continue
        weight = wanted.get(own.get("weight", ""))
        made = None if weight is None else _built(module, weight, groups.get(path, 1))
        if made is None:
            _redraw(module, path, {name: wanted[own[name]] for name in changed})
        else:
            carry_beside(module, made, {name: wanted[full] for name, full in own.items()})
            put(model, path, made.train(module.training))
    for names in tied:
        first = model.get_parameter(names[0])
        for name in names[1:]:
            owner, _, last = name.rpartition(".")
            setattr(model.get_submodule(owner), last, first)


def _shapes(graph: TrainingGraph) -> dict[str, tuple[int, ...]]:
    """Of its parameters."""
    parameters = (tensor for tensor in graph.tensors.values() if tensor.role == "parameter")
    return {each.name: tuple(size.at(1) for size in each.shape) for each in parameters}


def without_blocks(model: nn.Module, before: TrainingGraph, after: TrainingGraph) -> None:
    """Let modules that the rewritten graph has nothing of hand on what they are given.

    Args:
        model: it is changed.
        before: the graph of it.
        after: the same without some residual blocks.
    """
    had, has = ({operator.module for operator in graph.operators} for graph in (before, after))
    gone: list[str] = []
    for path, _ in model.named_modules():
        inside = any(path.startswith(f"{each}.") for each in gone)
        if path and not inside and _any_in(had, path) and not _any_in(has, path):
            gone.append(path)
    for path in gone:
        put(model, path, nn.Identity())


def _any_in(modules: set[str], path: str) -> bool:
    return any(each == path or each.startswith(f"{path}.") for each in modules)


def _built(module: nn.Module, weight: tuple[int, ...], groups: int) -> nn.Module | None:
    """A module of the same class whose weight has that shape; None where its class is not one of torch's known here."""
    if type(module) not in _KNOWN:
        return None
    like: dict[str, Any] = {"device": next(module.parameters()).device, "dtype": next(module.parameters()).dtype}
    match module:
        case nn.Linear():
            return nn.Linear(weight[1], weight[0], bias=module.bias is not None, **like)
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
            return convolution(module, weight[1] * groups, weight[0], groups=groups, bias=module.bias is not None)
        case nn.ConvTranspose1d() | nn.ConvTranspose2d() | nn.ConvTranspose3d():
            return type(module)(
                weight[0],
                weight[1] * groups,
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                module.output_padding,  # type: ignore[arg-type]
                groups,
                module.bias is not None,
                module.dilation,  # type: ignore[arg-type]
                **like,
            )
        case nn.BatchNorm1d() | nn.BatchNorm2d() | nn.BatchNorm3d():
            return type(module)(
                weight[0],
                eps=module.eps,
                momentum=module.momentum,
                track_running_stats=module.track_running_stats,
                **like,
            )
        case nn.LayerNorm():
            return nn.LayerNorm(weight, eps=module.eps, bias=module.bias is not None, **like)
        case nn.GroupNorm():
            return nn.GroupNorm(module.num_groups, weight[0], eps=module.eps, **like)
        case nn.Embedding() if module.padding_idx is None:
            return nn.Embedding(weight[0], weight[1], **like)
    return None


def _redraw(module: nn.Module, path: str, wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Bare parameters of a module of the model's own, drawn with the mean and the spread that they had.

    Raises:
        ConfigError: the module is one of torch's, whose code knows its sizes.
    """
    if type(module).__module__.startswith("torch."):
        raise ConfigError(
            f"got {path}, a {type(module).__name__}, need layers whose width can be changed in torch (Linear, Conv, "
            "BatchNorm, LayerNorm, GroupNorm, Embedding); try a pattern that leaves it out"
        )
    for name, shape in wanted.items():
        old = module.get_parameter(name)
        spread = float(old.detach().std()) if old.numel() > 1 else 0.0
        with torch.no_grad():
            drawn = torch.empty(shape, device=old.device, dtype=old.dtype).normal_(float(old.mean()), spread)
        setattr(module, name, nn.Parameter(drawn, requires_grad=old.requires_grad))


def _tied(model: nn.Module) -> list[list[str]]:
    """Names of parameters that are one, of each that has several."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [each for each in names.values() if len(each) > 1]


def put(model: nn.Module, path: str, made: nn.Module) -> None:
    """Let a module stand at a path of a model."""
    owner, _, last = path.rpartition(".")
    setattr(model.get_submodule(owner), last, made)
