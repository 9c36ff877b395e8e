"""What is asked of a capture beside the network and its inputs. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRequest:
    """How a step is captured.

    Attributes:
        loss: maps the module's output to a scalar, or the name of one, or ``package.module:loss``; the default when
            None, see ``training.capture.losses``.
        expert_loads: the load of each expert of a grouped product relative to the others'; balanced when None.
        inference: the forward pass alone, in evaluation mode.
        decode: of inference, the step after it: one token more, on the cache that the pass over the inputs left.
        fixed_batch: at its own batch alone, where extents are not affine in the batch.
        weights: a checkpoint of the network, whose shapes are checked and whose zeros are told.
    """

    loss: Callable[[Any], Any] | str | None = None
    expert_loads: tuple[int, ...] | None = None
    inference: bool = False
    decode: bool = False
    fixed_batch: bool = False
    weights: Path | None = None

    def words(self) -> Iterator[str]:
        """The command-line options that ask for it.

        >>> " ".join(CaptureRequest(loss="mean", expert_loads=(3, 1), inference=True).words())
        '--loss mean --expert-load 3,1 --inference'
        """
        if isinstance(self.loss, str):
            yield f"--loss {self.loss}"
        if self.expert_loads is not None:
            yield f"--expert-load {','.join(map(str, self.expert_loads))}"
        if self.decode:
            yield "--decode"
        elif self.inference:
            yield "--inference"
        if self.fixed_batch:
            yield "--fixed-batch"
        if self.weights is not None:
            yield f"--weights {self.weights}"
