"""A checkpoint as a simulation takes it: names, shapes, and which elements are zero. No code of a file is run.

``.safetensors`` and their ``.index.json`` are read without torch; what ``torch.save`` wrote by torch, weights-only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...configs.arrays import BoolArray
from ...configs.errors import CaptureError
from ...configs.file_reading import check_not_special, is_file
from ...configs.needs import check_package
from ..weight_names import INDEX, shard_files
from .found_zeros import FoundZeros
from .held import Held, told
from .measured import OwnMask
from .safetensors_file import check_numbers, read_safetensors

Known = tuple[FoundZeros, OwnMask | None]
"""What was found of a tensor, and how its mask is read again; not where nobody knows which axis is which."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnWeights:
    """The tensors of a checkpoint.

    Attributes:
        file: that they lie in, or the index of several.
        sha256: of all that was read.
        tensors: by the checkpoint's names.
        known: what was found of a tensor and how its mask is read again, by what a reader asked for.
    """

    file: Path
    sha256: str
    tensors: dict[str, Held]
    known: dict[object, Known] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Of the file."""
        return self.file.name


def load_weights(path: Path | str) -> OwnWeights:
    """Open a checkpoint.

    Args:
        path: ``.safetensors``, what ``torch.save`` wrote of a state dict, or the ``.index.json`` of several such.

    Raises:
        CaptureError: there is no such file, it is damaged, has no tensors, or only running code of it would read it.
        ConfigError: it is no file, or what ``torch.save`` wrote and there is no torch.
    """
    file = Path(path)
    check_not_special(file)
    if not is_file(file):
        raise CaptureError(f"{file}: got no such file, need a checkpoint")
    parts = shard_files(file) if file.name.endswith(INDEX) else [file]
    tensors: dict[str, Held] = {}
    digest = hashlib.sha256()
    for part in parts:
        if not is_file(part):
            raise CaptureError(f"{part}: got no such file, need a checkpoint: {file.name} names it")
        tensors |= read_safetensors(part) if part.suffix.lower() == ".safetensors" else _torchs(part)
        with part.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return OwnWeights(file=file, sha256=digest.hexdigest(), tensors=tensors)


def _torchs(file: Path) -> dict[str, Held]:
    """What ``torch.save`` wrote."""
    check_package("torch", f"{file}", extra="torch")
    checkpoint = import_module("...capture.checkpoint", __name__)
    return {name: _held(file, name, tensor) for name, tensor in checkpoint.read_checkpoint(file).items()}


def _held(file: Path, name: str, tensor: Any) -> Held:
    def nonzero() -> BoolArray:
        numbers = import_module("...capture.zeros", __name__).as_numbers(tensor)
        if numbers is None or numbers.is_meta or str(numbers.layout) != "torch.strided":
            raise CaptureError(f"{file}: {told(name)}: got values of type {tensor.dtype}, need numbers, one an element")
        check_numbers(file, name, int((~numbers.isfinite()).sum()), numbers.numel())
        return np.asarray((numbers != 0).numpy())

    return Held(name=name, shape=tuple(tensor.shape), nonzero=nonzero)
