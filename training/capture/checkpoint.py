"""Weights beside a network: a checkpoint's shapes against the network's, and the zeros that it brings along.

A capture sees shapes alone, so a checkpoint changes no figure: what it shows is told in notes. Nothing of a checkpoint
is run: pickles are loaded weights-only.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ...configs.errors import CaptureError
from ...configs.needs import install_line
from ..weight_names import INDEX, fitted, shard_files, unreadable
from .notes import listed
from .weights_only import load_weights_only
from .zeros import as_numbers, zeros_note

_HOLDERS = ("state_dict", "model_state_dict", "model", "module")
"""Keys under which training scripts keep the weights, beside an optimizer's state and an epoch."""


def checkpoint_notes(file: Path, network: torch.nn.Module) -> Iterator[str]:
    """What a reader must know of a network's weights in a file: names on one side alone, and zeros.

    Args:
        file: ``.safetensors``, what ``torch.save`` wrote of a state dict, or the ``.index.json`` of several such.
        network: whose shapes the weights must have; on the meta device.

    Raises:
        CaptureError: the file cannot be read without running code of it, or is of another network.
    """
    needed = {name: value for name, value in network.state_dict(keep_vars=True).items() if _is_tensor(value)}
    found = dict(fitted(read_checkpoint(file), needed, masked))
    common = needed.keys() & found.keys()
    if not common:
        raise CaptureError(
            f"{file}: got {listed(list(found), 2)}, need names of the network's ({listed(list(needed), 2)}); try "
            "state_dict() of the network that is captured"
        )
    for name in found:
        if name in common and found[name].shape != needed[name].shape:
            raise CaptureError(
                f"{file}: {name}: got {_extents(found[name])}, need {_extents(needed[name])}; try the weights of the "
                "network that is captured"
            )
    # One name of a tied tensor stands for all.
    tied = {id(needed[name]) for name in common}
    missing = [name for name, tensor in needed.items() if name not in common and id(tensor) not in tied]
    if missing:
        yield f"{file.name} has no weights for {len(missing)} of {len(needed)} tensors: {listed(missing)}."
    others = [name for name in found if name not in common]
    if others:
        yield f"{file.name} has {len(others)} tensors that the network has not: {listed(others)}."
    yield from zeros_note(network, found)


def read_checkpoint(file: Path) -> dict[str, torch.Tensor]:
    """Tensors by name.

    Raises:
        CaptureError: there is no such file, it is damaged, or holds what is none.
    """
    if not file.is_file():
        raise CaptureError(f"{file}: got no such file, need a checkpoint")
    if file.name.endswith(INDEX):
        return {name: tensor for shard in shard_files(file) for name, tensor in read_checkpoint(shard).items()}
    held: Any = _safetensors(file) if file.suffix.lower() == ".safetensors" else load_weights_only(file, file)
    while isinstance(held, Mapping):
        inner = next((held[key] for key in _HOLDERS if isinstance(held.get(key), Mapping)), None)
        if inner is None:
            break
        held = inner
    if isinstance(held, Mapping):
        found = {str(name): value for name, value in held.items() if _is_tensor(value)}
        if found:
            return found
    raise CaptureError(
        f"{file}: got {type(held).__name__} without tensors, need a dictionary of them; try saving net.state_dict()"
    )


def _safetensors(file: Path) -> Mapping[str, torch.Tensor]:
    if find_spec("safetensors") is None:
        raise CaptureError(f"{file}: got no package 'safetensors', need it; try {install_line('weights')}")
    try:
        loaded: Mapping[str, torch.Tensor] = importlib.import_module("safetensors.torch").load_file(file)
    except Exception as error:
        raise unreadable(file, error) from error
    return loaded


def masked(tensor: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """A weight under a mask of ``torch.nn.utils.prune``; None where they are not of one shape, or no numbers."""
    numbers, kept = as_numbers(tensor), as_numbers(mask)
    if numbers is None or kept is None or tensor.shape != mask.shape:
        return None
    return numbers * kept


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _extents(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
