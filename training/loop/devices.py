"""Where torch computes, and what it takes there for a run to be the same bits every time.

On a CPU sums are in one order for as many threads. On a GPU torch is told to use algorithms that are, wherever it has
one: products through cuBLAS with a workspace of its own a stream, convolutions whose algorithm is not chosen by the
clock, in FP32 that is not rounded to TF32. Where it has none it says so, and a run that goes on may end in other bits.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...configs.errors import ConfigError


def torch_device(name: str) -> torch.device:
    """The device of a name.

    Raises:
        ConfigError: torch has none of it here.
    """
    try:
        torch.empty(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        told = str(error).strip().partition("\n")[0]
        raise ConfigError(f"device: got {name!r}, need one that torch has here ({told}); try cpu") from error
    return torch.device(name)


@contextmanager
def reproducible(device: torch.device, told: Callable[[str], None]) -> Iterator[None]:
    """Compute so that the same run is the same bits; the caller's generators and settings are as before afterwards.

    Args:
        device: that computes.
        told: gets what a GPU has no such algorithm for, a sentence each.
    """
    if device.type != "cuda":
        with torch.random.fork_rng(devices=[]):
            yield
        return
    number = torch.cuda.current_device() if device.index is None else device.index
    with _in_one_order(told), torch.random.fork_rng(devices=[number]):
        yield


@contextmanager
def _in_one_order(told: Callable[[str], None]) -> Iterator[None]:
    # Read when the first product is: before that nothing has asked for one.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before: dict[str, Any] = {
        "benchmark": torch.backends.cudnn.benchmark,
        "deterministic": torch.backends.cudnn.deterministic,
        "allow_tf32": torch.backends.cudnn.allow_tf32,
    }
    was, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
        torch.backends.cudnn.allow_tf32 = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Fused attention sums its gradients in whatever order blocks end; where torch only warns it keeps to that.
        with _what_torch_lacks(told), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.use_deterministic_algorithms(was, warn_only=warned)
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)


@contextmanager
def _what_torch_lacks(told: Callable[[str], None]) -> Iterator[None]:
    """Tell, once each, of operations that have no algorithm of one order here."""
    known: set[str] = set()
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, *rest: Any, **named: Any) -> None:
            operation, found, _ = str(message).partition(" does not have a deterministic implementation")
            if not found:
                shown(message, *rest, **named)
            elif operation not in known:
                known.add(operation)
                told(f"{operation}: no algorithm of one order on this device; a run that goes on may end in other bits")

        warnings.showwarning = show
        yield


def device_random_state(device: torch.device) -> Tensor:
    """Of the generator that draws on a GPU."""
    return torch.cuda.get_rng_state(device)


def set_device_random_state(state: Tensor, device: torch.device) -> None:
    """Draw on from there."""
    torch.cuda.set_rng_state(state, device)
