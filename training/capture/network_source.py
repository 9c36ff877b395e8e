"""A network that can be built, and what the file that it came from says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..input_shape import InputShape


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSource:
    """A network that can be built.

    Attributes:
        make: builds the module, or is one.
        name: what its graph is called unless told otherwise.
        inputs: those that it says it takes; None where whoever captures it must.
        unsaid: what it leaves open of its inputs, where it says some of them; empty where it says all, or nothing.
        batch: the one batch at which it runs; None where any will do.
        file: that it was read from; None of a factory, whose Python files tell a changed one.
        notes: what a reader of its figures must know, a sentence each.
        training_notes: likewise, of a training step alone.
        layered: whether it is made of torch's layers, which ``bisparse.apply`` may reach; a program that was exported
            is none to train, but the module that it was made from.
    """

    make: torch.nn.Module | Callable[[], torch.nn.Module]
    name: str
    inputs: tuple[InputShape, ...] | None = None
    unsaid: str = ""
    batch: int | None = None
    file: Path | None = None
    notes: tuple[str, ...] = ()
    training_notes: tuple[str, ...] = ()
    layered: bool = True
