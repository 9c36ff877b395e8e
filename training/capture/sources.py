"""What a capture can start from: a factory, or a file that holds a network. Each way in is one reader.

A file says more than a factory: which inputs the network takes, and at which batch where it runs at one alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ...configs.errors import CaptureError, ConfigError
from ...configs.needs import check_package
from ..input_shape import InputShape
from .factories import load_factory


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSource:
    """A network that can be built.

    Attributes:
        make: builds the module, or is one.
        name: what its graph is called unless told otherwise.
        inputs: those that it says it takes; None where whoever captures it must.
        unsaid: what of its inputs it leaves open, where it says some of them; empty where nothing is known.
        batch: the one batch at which it runs; None where any will do.
        file: that it was read from; None of a factory, whose Python files tell a changed one.
        has_layers: whether its modules are those that a recipe is laid over; not of a file that knows operators alone.
        notes: what a reader of its figures must know, a sentence each.
        training_notes: likewise, of a training step alone.
    """

    make: torch.nn.Module | Callable[[], torch.nn.Module]
    name: str
    inputs: tuple[InputShape, ...] | None = None
    unsaid: str = ""
    batch: int | None = None
    file: Path | None = None
    has_layers: bool = True
    notes: tuple[str, ...] = ()
    training_notes: tuple[str, ...] = ()


def find_source(path: str, search_path: Path | str | None = None) -> NetworkSource:
    """The network of a path as the command line gives it.

    Args:
        path: ``package.module:factory``, ``FILE.py:factory`` or ``FILE.onnx``.
        search_path: folder looked in first; the working directory when None.

    Raises:
        CaptureError: it names none, or one that cannot be read.
    """
    if path.lower().endswith(".onnx"):
        return _onnx(Path(search_path or "") / path)
    made = load_factory(path, search_path)
    return NetworkSource(make=made, name=path.rpartition(":")[2].rpartition(".")[2])


def _onnx(file: Path) -> NetworkSource:
    if not file.is_file():
        raise CaptureError(f"{file}: got no such file, need one")
    try:
        check_package("onnx", str(file), extra="onnx")
    except ConfigError as error:
        raise CaptureError(str(error)) from None
    # Its package is in an extra of its own.
    from .onnx_files import onnx_source

    return onnx_source(file)
