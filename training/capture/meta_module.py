"""A module without data: every tensor on the meta device, ties kept, the user's own module untouched."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import torch
from torch.nn.parameter import is_lazy

from ...configs.errors import CaptureError
from .zeros import zeros_note


def on_meta(source: torch.nn.Module | Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """The module, or what the factory makes, in training mode (or evaluation mode) on the meta device.

    A factory runs under ``torch.device("meta")``, so that no weight is ever allocated or initialised; if it cannot (it
    reads a value back), it runs once more as it is and its module is converted.

    Raises:
        CaptureError: the factory fails or makes something that is no module.
    """
    return on_meta_with_notes(source)[0]


def on_meta_with_notes(
    source: torch.nn.Module | Callable[[], torch.nn.Module],
    *,
    training: bool = True,
    own_weights: bool = True,
    stored: bool = False,
) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The same, and what its data showed that the capture cannot see; nothing where it has weights from elsewhere."""
    if isinstance(source, torch.nn.Module):
        _refuse_lazy(source)
        return _without_data(source).train(training), tuple(zeros_note(source)) if own_weights else ()
    module = _built(source)
    _refuse_lazy(module)
    notes = tuple(zeros_note(_with_data(source, module, _READ if stored else _LOOKED_AT))) if own_weights else ()
    tensors = (*module.parameters(), *module.buffers())
    if all(tensor.is_meta for tensor in tensors):
        return module.train(training), notes
    return _without_data(module).train(training), notes


def _built(factory: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    try:
        with torch.device("meta"):
            made = factory()
    except Exception:
        try:
            made = factory()
        except CaptureError:
            raise
        except Exception as error:
            raise CaptureError(
                f"{_name(factory)}: got {type(error).__name__} from the factory: {_one_line(error)}, "
                "need a module built without arguments; try calling it in Python first"
            ) from error
    if not isinstance(made, torch.nn.Module):
        raise CaptureError(
            f"{_name(factory)}: got {type(made).__name__}, need a function that returns a torch.nn.Module; "
            "try returning the module itself"
        )
    return made


_LOOKED_AT = 1 << 24
"""Parameters of a network that is built with data too, for the sake of what it brings along in zeros."""

_READ = 1 << 28
"""The same where they are stored: a gigabyte of FP32, read and not drawn."""


def _with_data(factory: Callable[[], torch.nn.Module], module: torch.nn.Module, most: int) -> torch.nn.Module:
    """What a factory makes with data, where those are at most so many; else what it made without."""
    if sum(parameter.numel() for parameter in module.parameters()) > most:
        return module
    if not any(parameter.is_meta for parameter in module.parameters()):
        return module
    try:
        with torch.random.fork_rng(devices=[]):
            made = factory()
    except Exception:
        # It need not work: without data it did.
        return module
    return made if isinstance(made, torch.nn.Module) else module


def _refuse_lazy(module: torch.nn.Module) -> None:
    """Layers that find their shape at their first input have none yet."""
    for path, part in module.named_modules():
        tensors = (*part._parameters.values(), *part._buffers.values())
        if any(is_lazy(tensor) for tensor in tensors if tensor is not None):
            raise CaptureError(
                f"{path or type(module).__name__}: got a lazy layer without a weight, need one; try running the model "
                "once first (in the factory, on an input of its shape)"
            )


def _without_data(module: torch.nn.Module) -> torch.nn.Module:
    """A deep copy whose tensors are meta tensors: the copy's memo maps each tensor once, which keeps ties."""
    memo: dict[int, object] = {}
    for part in module.modules():
        owned = (*part._parameters.values(), *part._buffers.values(), *vars(part).values())
        for tensor in owned:
            if isinstance(tensor, torch.Tensor) and id(tensor) not in memo:
                memo[id(tensor)] = _meta_twin(tensor)
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise CaptureError(
            f"{type(module).__name__}: got {type(error).__name__} while copying the module: {_one_line(error)}, "
            "need one that can be copied; try passing a function that builds it"
        ) from error


def _meta_twin(tensor: torch.Tensor) -> torch.Tensor:
    twin = torch.empty_like(tensor, device="meta", requires_grad=False)
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(twin, requires_grad=tensor.requires_grad)
    return twin.requires_grad_(tensor.requires_grad)


def _name(factory: object) -> str:
    if isinstance(factory, functools.partial):
        return _name(factory.func)
    return str(getattr(factory, "__qualname__", factory))


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
