"""Weights [outputs, inputs] about their diagonal: blocks on it, or a band along it; all else is zero."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from .errors import ConfigError
from .structured import Part, Structured

if TYPE_CHECKING:
    import numpy as np

    from .arrays import BoolArray

_BLOCKS = re.compile(r"\s*(\d+)\s+diagonal\s+blocks\s*")
_BAND = re.compile(r"\s*band\s+(\d+)\s*")
_MOST = 1 << 16


@dataclass(frozen=True, slots=True, order=True)
class DiagonalBlocks(Structured):
    """So many blocks on the diagonal, each with its own outputs and inputs: as many smaller products.

    Attributes:
        blocks: of them, as equal as whole rows and columns allow.
        outputs: of the weight; 0 where that is not known.
        inputs: of it.

    >>> DiagonalBlocks.parse("4 diagonal blocks").on(64, 256).parts()
    (Part(outputs=16, inputs=64, times=4),)
    """

    blocks: int
    outputs: int = 0
    inputs: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.blocks <= _MOST:
            raise ConfigError(f"sparsity: got {self.blocks} diagonal blocks, need 1 to {_MOST}; try 4 diagonal blocks")

    @classmethod
    def parse(cls, text: str) -> DiagonalBlocks:
        """Read ``"4 diagonal blocks"``.

        Raises:
            ConfigError: the text is something else, or there are none.
        """
        match = _BLOCKS.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need such as 4 diagonal blocks")
        return cls(int(match[1]))

    @property
    def nominal_share(self) -> tuple[int, int]:
        """One of so many blocks a row of them."""
        return 1, self.blocks

    @property
    def turned(self) -> DiagonalBlocks:
        """Blocks with their sides exchanged."""
        return replace(self, outputs=self.inputs, inputs=self.outputs)

    def parts(self) -> tuple[Part, ...]:
        """The blocks, by their size; none where a block has no row or no column."""
        return _by_size(
            (below - above, after - before)
            for (above, below), (before, after) in zip(self._cuts(self.outputs), self._cuts(self.inputs), strict=True)
        )

    def _cuts(self, extent: int) -> list[tuple[int, int]]:
        return list(pairwise(number * extent // self.blocks for number in range(self.blocks + 1)))

    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """The mask [outputs, inputs] of this format: what is True is kept."""
        import numpy as np

        mask = np.zeros((outputs, inputs), dtype=bool)
        for (above, below), (before, after) in zip(self._cuts(outputs), self._cuts(inputs), strict=True):
            mask[above:below, before:after] = True
        return mask

    def __str__(self) -> str:
        return f"{self.blocks} diagonal blocks"


@dataclass(frozen=True, slots=True, order=True)
class Band(Structured):
    """The diagonal and so many on either side of it; of a weight that is not square, along its shorter side.

    An array takes it in stretches of outputs as many as the band is wide, each with all inputs that one of them
    has: about two multiply-accumulates an element of the band.

    Attributes:
        beside: diagonals on either side.
        outputs: of the weight; 0 where that is not known.
        inputs: of it.

    >>> Band.parse("band 1").on(6, 6).kept
    16
    >>> Band.parse("band 1").on(6, 6).parts()
    (Part(outputs=3, inputs=4, times=2),)
    """

    beside: int
    outputs: int = 0
    inputs: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.beside <= _MOST:
            raise ConfigError(f"sparsity: got a band of {self.beside}, need 0 to {_MOST}; try band 32")

    @classmethod
    def parse(cls, text: str) -> Band:
        """Read ``"band 32"``.

        Raises:
            ConfigError: the text is something else.
        """
        match = _BAND.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need such as band 32")
        return cls(int(match[1]))

    @property
    def nominal_share(self) -> tuple[int, int]:
        """All: how much a band leaves out, the size of the weight says."""
        return 1, 1

    @property
    def is_dense(self) -> bool:
        """Whether it covers a weight of known size."""
        return self.outputs > 0 and self.kept == self.outputs * self.inputs

    @property
    def lies_apart(self) -> bool:
        """No: neighbouring stretches share inputs."""
        return False

    @property
    def turned(self) -> Band:
        """The same band of the turned weight."""
        return replace(self, outputs=self.inputs, inputs=self.outputs)

    @property
    def kept(self) -> int:
        """Elements of the band."""
        return sum(after - before for before, after in self._rows())

    def parts(self) -> tuple[Part, ...]:
        """Stretches of outputs, by their size; outputs without an input are none's."""
        rows, stretch = self._rows(), 2 * self.beside + 1
        found = []
        for start in range(0, len(rows), stretch):
            met = [(before, after) for before, after in rows[start : start + stretch] if after > before]
            if met:
                found.append((len(met), met[-1][1] - met[0][0]))
        return _by_size(found)

    def _rows(self) -> list[tuple[int, int]]:
        """Of each output its first input in the band, and the one after its last."""
        outputs, inputs = self.outputs, self.inputs
        reach = 2 * self.beside * min(outputs, inputs)
        found = []
        for row in range(outputs):
            # Centres of rows and columns on one scale, in whole numbers: |at - (2 column + 1) outputs| <= reach.
            at = (2 * row + 1) * inputs
            first = -(-(at - reach - outputs) // (2 * outputs))
            last = (at + reach - outputs) // (2 * outputs)
            found.append((max(0, first), max(max(0, first), min(inputs, last + 1))))
        return found

    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """The mask [outputs, inputs] of this format: what is True is kept."""
        import numpy as np

        mask = np.zeros((outputs, inputs), dtype=bool)
        for row, (before, after) in enumerate(self.on(outputs, inputs)._rows()):
            mask[row, before:after] = True
        return mask

    def __str__(self) -> str:
        return f"band {self.beside}"


def _by_size(sizes: Iterable[tuple[int, int]]) -> tuple[Part, ...]:
    """Parts that are not empty, those of one size together, in the order in which sizes come first."""
    counted = Counter((outputs, inputs) for outputs, inputs in sizes if outputs and inputs)
    return tuple(Part(outputs, inputs, times) for (outputs, inputs), times in counted.items())
