"""What is seen of one layer while it is watched: shares of non-zero elements."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(slots=True)
class Tally:
    """Non-zero and all elements of a layer's input and output gradient, over the steps watched."""

    _nonzero: dict[str, float] = field(default_factory=dict)
    _all: dict[str, int] = field(default_factory=dict)

    def see(self, what: str, values: Tensor) -> None:
        """Count a tensor."""
        self._nonzero[what] = self._nonzero.get(what, 0.0) + float(values.count_nonzero())
        self._all[what] = self._all.get(what, 0) + values.numel()

    def density(self, what: str) -> float | None:
        """Share of non-zero elements; None when nothing was seen."""
        return self._nonzero[what] / self._all[what] if self._all.get(what) else None
