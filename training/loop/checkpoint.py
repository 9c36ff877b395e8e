"""A checkpoint: written whole or not at all, and read back to the last bit or not at all.

With the state stands a checksum of all that is in it. A checkpoint of before there were such is read without.
"""

from __future__ import annotations

import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...configs.errors import ConfigError
from ...configs.file_reading import check_not_special
from ...configs.whole_file import written_whole

FIELDS = (
    *("identity", "model", "optimizer", "applied", "scaler", "random"),
    *("step", "loss_sum", "skipped", "seconds", "epochs", "densities"),
)
"""What is in a checkpoint, beside its checksum."""

_MORE = {"cycles", "device_random", "narrowing", "tasks"}
"""What is in one of a run that repeats its training, has several tasks or becomes narrower, and of one on a GPU."""

_CHECKSUM = "sha256"

_DAMAGED = (
    *(RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError, TypeError, AttributeError, IndexError),
    *(AssertionError, ImportError, struct.error, zipfile.BadZipFile, OverflowError, MemoryError),
)
"""What torch raises at a file that is not as it wrote it."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one; whoever is killed here leaves the last one."""
    save_state(path, state | {_CHECKSUM: _checksum(state)})


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Put a state in its place as torch reads it: weights, for whoever wants them."""
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
        ConfigError: the file cannot be read, has other fields, or is not what was written.
    """
    if not path.exists():
        return None
    state = load_state(path, refusal=_unreadable(path, "damaged"))
    if not isinstance(state, dict):
        raise _unreadable(path, f"of another layout: {type(state).__name__}")
    written = state.pop(_CHECKSUM, None)
    if differing := set(FIELDS) ^ (set(state) - _MORE):
        raise _unreadable(path, f"of another layout: {', '.join(sorted(map(str, differing)))}")
    try:
        checksum = _checksum(state)
    except (RuntimeError, TypeError, NotImplementedError, MemoryError) as error:
        raise _unreadable(path, "of another layout: a tensor that no checkpoint holds") from error
    if written is not None and written != checksum:
        raise _unreadable(path, "damaged: its checksum is another")
    return state


def load_state(path: Path, *, refusal: ConfigError) -> Any:
    """What torch saved, without running code of it; what torch warns of while it reads is not the user's to mend.

    Args:
        path: of the file.
        refusal: what is raised where it cannot be read.

    Raises:
        ConfigError: ``refusal``, or it is no file.
    """
    check_not_special(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise refusal from error
    except OSError as error:
        if error.filename is None:
            # Of a place in the file that is not there, not of the file.
            raise refusal from error
        raise


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Tells of a checkpoint whose fields are not what they must be."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError, ConfigError) as error:
        told = str(error).strip().partition("\n")[0]
        raise _unreadable(path, f"of another layout: {told}") from error


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path}: got no readable checkpoint ({why}), need one; try removing it to start again")


def _checksum(state: dict[str, Any]) -> str:
    """Of everything in a state, in its order."""
    digest = sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype} {tuple(value.shape)} ".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, dict):
            digest.update(f"{len(value)} named ".encode())
            for name, each in value.items():
                digest.update(f"{name!r} ".encode())
                add(each)
        elif isinstance(value, list | tuple):
            digest.update(f"{len(value)} listed ".encode())
            for each in value:
                add(each)
        else:
            digest.update(f"{value!r} ".encode())

    add(state)
    return digest.hexdigest()
