"""Products that differ in sizes alone, side by side: formulas of a product's tiles broadcast over many of them.

Few long arrays are sooner done than many short ones. What tells formulas apart (formats, layouts in memory, how often
they run) is the same of all; sizes are arrays, an element a product, and are narrowed to candidates of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .gemm import Gemm

_SIZES = ("m", "n", "k", "taps", "result_spacing")
"""What products of a batch may differ in; beside these in the windows that their ladders of tile sizes come from."""

_APART = ("name", "operator", "window", *_SIZES)
_ALIKE = tuple(each.name for each in fields(Gemm) if each.name not in (*_APART, "stage"))

_MOST_MACS = 1 << 46
"""Products of more multiply-accumulates, all of them dense, stand alone: their counts may need more than 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmBatch(Gemm):
    """Products [K], one a candidate. The names and the window are nobody's.

    Attributes:
        m: rows of A and C, [K].
        n: columns of B and C.
        k: columns of A, rows of B.
        taps: kernel positions folded into ``tap_axis``.
        result_spacing: positions in memory from a row of C to the next.
        macs: multiply-accumulates issued.
    """

    m: Any
    n: Any
    k: Any
    taps: Any
    result_spacing: Any
    macs: Any

    @classmethod
    def of(cls, gemms: Sequence[Gemm]) -> Gemm:
        """Products of one batch, see ``batches_of``; a single one stays what it is."""
        first = gemms[0]
        if len(gemms) == 1:
            return first
        sizes: dict[str, Any] = {
            name: np.array([getattr(gemm, name) for gemm in gemms], dtype=np.int64) for name in _SIZES
        }
        alike: dict[str, Any] = {name: getattr(first, name) for name in _ALIKE}
        macs = np.array([gemm.issued_macs for gemm in gemms], dtype=np.int64)
        return cls(name="", operator="", stage=first.stage, window=None, **alike, **sizes, macs=macs)

    def _with(self, change: Any) -> GemmBatch:
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in (*_SIZES, "macs")}
        alike: dict[str, Any] = {name: getattr(self, name) for name in _ALIKE}
        return GemmBatch(name="", operator="", stage=self.stage, window=None, **alike, **changed)

    def pick(self, chosen: npt.NDArray[Any] | slice) -> Gemm:
        """The products of some candidates."""
        return self._with(lambda sizes: sizes[chosen])

    def to_meet(self, axes: int) -> Gemm:
        """The same with sizes shaped to meet arrays that have so many more axes."""
        return self._with(lambda sizes: sizes.reshape(*sizes.shape, *(1,) * axes))

    @property
    def issued_macs(self) -> Any:
        """[K] multiply-accumulates issued over all repetitions."""
        return self.macs


def batches_of(gemms: Sequence[Gemm], most: int) -> list[list[int]]:
    """Numbers of products that may stand in one batch, of so many at most."""
    together: dict[tuple[object, ...], list[int]] = {}
    for number, gemm in enumerate(gemms):
        macs = gemm.m * gemm.n * gemm.k * gemm.count
        # Where kernel positions lie apart on rows, what rows hold depends on how many positions there are.
        alone = number if macs > _MOST_MACS or gemm.tap_rows > 1 else None
        key = (*(getattr(gemm, name) for name in _ALIKE), alone)
        together.setdefault(key, []).append(number)
    return [each[start : start + most] for each in together.values() for start in range(0, len(each), most)]
