"""Steps that cannot run on shapes alone: what stopped one, and the module and inputs with random data in its place."""

from __future__ import annotations

import copy
import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ...configs.errors import CaptureError

_LARGEST = 1 << 28
"""Parameters up to which a network is run with data: a gigabyte of them, and as much again of gradients."""

_SEED = 0
_OWN = Path(__file__).parent


class NeedsDataError(CaptureError):
    """A step read a value, or met an operator without a meta kernel.

    Attributes:
        running: the operator, and the module that it ran in.
        line: ``file:line`` of the user's code, or empty.
    """

    def __init__(self, message: str, running: str, line: str) -> None:
        super().__init__(message)
        self.running, self.line = running, line

    @property
    def note(self) -> str:
        """What a reader of the figures must know of a step that ran with data."""
        where = f" at {self.line}" if self.line else ""
        return (
            f"The step reads values ({self.running}{where}): it was captured from random data on the CPU, and what "
            "depends on values is as those had it."
        )


def line_of(error: BaseException) -> str:
    """Where the user's code was: the innermost frame that is neither torch's nor ours."""
    torchs = Path(torch.__file__).parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if frame.filename.startswith("<") or file.is_relative_to(torchs) or file.is_relative_to(_OWN):
            continue
        return f"{file.name}:{frame.lineno}"
    return ""


def with_data(
    source: torch.nn.Module | Callable[[], torch.nn.Module], *, training: bool = True
) -> torch.nn.Module | None:
    """The module with its data on the CPU, in training or evaluation mode; a copy of the user's own. None: no data."""
    if isinstance(source, torch.nn.Module):
        made: object = copy.deepcopy(source)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            made = source()
    if not isinstance(made, torch.nn.Module):
        return None
    tensors = (*made.parameters(), *made.buffers())
    if any(tensor.is_meta for tensor in tensors) or sum(tensor.numel() for tensor in tensors) > _LARGEST:
        return None
    return made.cpu().train(training)


class _SingleDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Single numbers from a source of their own, for a network decides by them.

    How many others it draws depends on the batch.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = random.Random(_SEED)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operator."""
        result = func(*args, **(kwargs or {}))
        if func._schema.name == "aten::rand" and result.numel() == 1 and not result.is_meta:
            result.fill_(self._source.random())
        return result


@contextmanager
def same_chance() -> Iterator[None]:
    """Inside, what a network draws (masks of a spectrum) is the same every time.

    Single numbers, by which it decides (layers that it skips), are the same at every batch size, too.
    """
    state, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        random.seed(_SEED)
        np.random.seed(_SEED)
        try:
            with _SingleDraws():
                yield
        finally:
            random.setstate(state)
            np.random.set_state(arrays)


def fill_with_data(module: torch.nn.Module, samples: Sequence[torch.Tensor]) -> None:
    """Random inputs in place: normal numbers, and indices that every embedding table has; the same each time."""
    tables = [each.num_embeddings for each in module.modules() if isinstance(each, torch.nn.Embedding)]
    generator = torch.Generator().manual_seed(_SEED)
    for sample in samples:
        if sample.is_floating_point():
            sample.copy_(torch.randn(sample.shape, generator=generator))
        else:
            sample.copy_(torch.randint(min(tables, default=2), sample.shape, generator=generator))
