"""Windows over spatial axes: their extents, steps and pads, which convolutions and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Windows of an operator; one number an axis.

    Attributes:
        extents: of a window.
        strides: from one to the next.
        dilations: from one element of a window to the next.
        pads: before and behind an axis.
    """

    extents: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, call: Call, extents: Sequence[int], source: Sequence[int]) -> Windows:
        """Those of a node over spatial axes of these extents."""
        rank = len(extents)
        strides = tuple(call.attribute("strides") or [1] * rank)
        dilations = tuple(call.attribute("dilations") or [1] * rank)
        given = call.attribute("pads") or [0] * (2 * rank)
        automatic = call.attribute("auto_pad", "NOTSET")
        pads = tuple(zip(given[:rank], given[rank:], strict=True))
        if automatic == "VALID":
            pads = ((0, 0),) * rank
        elif automatic in {"SAME_UPPER", "SAME_LOWER"}:
            spans = [dilation * (extent - 1) + 1 for dilation, extent in zip(dilations, extents, strict=True)]
            pads = tuple(
                _same(size, span, stride, upper=automatic == "SAME_UPPER")
                for size, span, stride in zip(source, spans, strides, strict=True)
            )
        return cls(extents=tuple(extents), strides=strides, dilations=dilations, pads=pads)

    @property
    def symmetric(self) -> bool:
        """Whether as much is padded behind as before."""
        return all(before == behind for before, behind in self.pads)

    @property
    def before(self) -> tuple[int, ...]:
        """What is padded before each axis."""
        return tuple(before for before, _ in self.pads)


def _same(size: int, span: int, stride: int, *, upper: bool) -> tuple[int, int]:
    """Pads so that there is a window a step; what is odd lies behind, or before.

    >>> _same(5, 3, 2, upper=True), _same(6, 3, 2, upper=True), _same(6, 3, 2, upper=False)
    ((1, 1), (0, 1), (1, 0))
    """
    total = max(0, (-(-size // stride) - 1) * stride + span - size)
    return (total // 2, total - total // 2) if upper else (total - total // 2, total // 2)
