"""Weights that a run begins with: those that another one ended with, or any state dict of the same network."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from ...configs.errors import ConfigError
from ..run_summary import WEIGHTS_FILE
from .checkpoint import load_state


def start_with(model: nn.Module, start: str) -> str:
    """Give a model the weights of a file, before anything is rewritten or pruned.

    Args:
        model: as it was built.
        start: a run's folder, or a file that ``torch.save`` wrote of a state dict.

    Returns:
        A hash of the file, for what makes two runs the same.

    Raises:
        ConfigError: it cannot be read, or holds other tensors than the model has.
    """
    path = _file(start)
    refusal = ConfigError(f"start: got {path}, which torch cannot read, need what torch.save wrote of a state dict")
    state = load_state(path, refusal=refusal)
    held = {name: tuple(each.shape) for name, each in state.items() if isinstance(each, Tensor)} if state else {}
    own = {name: tuple(each.shape) for name, each in model.state_dict().items()}
    for name in sorted(held.keys() | own.keys()):
        if held.get(name) != own.get(name):
            got, need = (f"of {shapes[name]}" if name in shapes else "not there" for shapes in (held, own))
            raise ConfigError(
                f"start: {path}: {name}: got it {got}, need it {need}; try the weights of a run of the same network"
            )
    with torch.no_grad():
        model.load_state_dict(state)
    return start_hash(start)


def start_hash(start: str) -> str:
    """A hash of the weights that a run begins with.

    Raises:
        ConfigError: there is no such file.
    """
    return sha256(_file(start).read_bytes()).hexdigest()


def _file(start: str) -> Path:
    path = Path(start) / WEIGHTS_FILE if Path(start).is_dir() else Path(start)
    if not path.is_file():
        raise ConfigError(f"start: got {start}, need a run's folder, or a file of weights: there is no {path}")
    return path
