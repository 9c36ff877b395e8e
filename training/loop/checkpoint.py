"""A checkpoint: written whole or not at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from ...configs.errors import ConfigError
from ...configs.whole_file import written_whole


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one; whoever is killed here leaves the last one."""
    try:
        with written_whole(path) as beside, beside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
    except RuntimeError as error:
        # Torch's own word for a full disk.
        raise ConfigError(f"{path}: got a file that cannot be written, need room on the disk") from error


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state that was saved; None where there is none.

    Raises:
        ConfigError: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        state["identity"]
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: got no readable checkpoint, need one; try removing it to start again") from error
    return state
