"""Loading what ``torch.save`` wrote without running code of it."""

from __future__ import annotations

import pickle
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch

from ...configs.errors import CaptureError
from ..weight_names import unreadable

_GLOBAL = re.compile(r"GLOBAL (\S+)")


def load_weights_only(source: Path | IO[bytes], file: Path) -> Any:
    """Tensors, and plain data around them.

    Args:
        source: the file, which is mapped into memory where it can be; or a part of it.
        file: what a refusal names.

    Raises:
        CaptureError: it is damaged, or holds what only running its code would load.
    """
    try:
        with warnings.catch_warnings():
            # What torch warns of while it reads is not the user's to mend.
            warnings.simplefilter("ignore")
            return _load(source)
    except Exception as error:
        named = _GLOBAL.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if named is None:
            raise unreadable(file, error) from error
        raise CaptureError(
            f"{file}: got {named[1].rstrip('.,')} in it, which loading would run, need tensors alone; try saving "
            "net.state_dict()"
        ) from error


def _load(source: Path | IO[bytes]) -> Any:
    if isinstance(source, Path):
        # Checkpoints from before torch 1.6 cannot be mapped into memory.
        with suppress(RuntimeError):
            return torch.load(source, map_location="cpu", weights_only=True, mmap=True)
    return torch.load(source, map_location="cpu", weights_only=True)
