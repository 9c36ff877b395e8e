"""What a score may look at, of one weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Evidence = Literal["gradient", "movement", "inputs"]
"""What only batches tell: dL/dw of the last one, or summed over the steps -w dL/dw, or the squares of inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One weight, and what is known of it.

    Attributes:
        weight: as it is now.
        evidence: what the score asked for, in the weight's shape; None where it needs none.
        generator: for what is drawn, on the CPU: the same numbers on every device.
    """

    weight: Tensor
    evidence: Tensor | None
    generator: torch.Generator

    @property
    def known(self) -> Tensor:
        """The evidence, of a score that needs some."""
        assert self.evidence is not None, "whoever finds masks waits for it"
        return self.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What weights are compared by.

    Attributes:
        of: of each element of a weight, the larger the sooner kept; any sign.
        needs: evidence of batches; None where the weight is enough.
    """

    of: Callable[[Seen], Tensor]
    needs: Evidence | None = None
