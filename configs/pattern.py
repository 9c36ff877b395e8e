"""The N:M pattern: of every group of M consecutive elements along one axis, N are kept.

``N = M`` is dense. A last group shorter than M keeps ``min(N, length)`` elements, so an axis need not be divisible
by M.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .encodings import Metadata
from .errors import ConfigError
from .operand_format import OperandFormat

if TYPE_CHECKING:
    from .arrays import Counts

LARGEST_GROUP = 32
"""The largest M accepted. Index width and group registers grow with M; nothing published goes past 32."""

_PATTERN = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*")


@dataclass(frozen=True, slots=True, order=True)
class Pattern(OperandFormat):
    """``kept`` of every ``group`` consecutive elements survive (N:M = kept:group), 1 <= kept <= group <= 32.

    >>> Pattern.parse("2:8").density
    0.25
    >>> Pattern(2, 8).kept_of(20)  # groups of 8, 8 and 4
    6
    """

    kept: int
    group: int

    def __post_init__(self) -> None:
        if not 1 <= self.kept <= self.group <= LARGEST_GROUP:
            raise ConfigError(
                f"sparsity: got {self.kept}:{self.group}, need N:M with 1 <= N <= M <= {LARGEST_GROUP}; try 2:8"
            )

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read ``"N:M"``.

        Raises:
            ConfigError: the text is not two integers with a colon, or they are out of range.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need N:M such as 2:8 (2 kept of every 8)")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def only(cls, given: OperandFormat) -> Pattern:
        """A format that must be N:M.

        Raises:
            ConfigError: it is another.
        """
        if not isinstance(given, cls):
            raise ConfigError(
                f"sparsity: got {given}, need N:M such as 2:8; try --recipe static-masks for a share of zeros"
            )
        return given

    @property
    def share(self) -> tuple[int, int]:
        """N of M; all of them is dense."""
        return self.kept, self.group

    @property
    def index_bits(self) -> int:
        """Bits that name one position inside a group: ceil(log2 M)."""
        return (self.group - 1).bit_length()

    def kept_of(self, length: int) -> int:
        """Elements kept of a run of ``length`` consecutive elements; the last group may be short."""
        return int(self.kept_elements(length))

    def groups_of(self, length: int) -> int:
        """Groups that a run of ``length`` elements makes, a short last one included."""
        return int(self.groups(length))

    @property
    def kept_scale(self) -> int:
        """Kept elements are whole ones."""
        return 1

    def kept_elements(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Elements kept at all kernel positions: groups run along the channels of one.

        >>> int(Pattern(2, 8).kept_elements(20, 9))
        54
        """
        return kept_in_groups(channels, taps, self.kept, self.group)

    @property
    def unit(self) -> int:
        """M."""
        return self.group

    @property
    def selected_from(self) -> int:
        """M."""
        return self.group

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """One for each kept element: every lane keeps as many."""
        return self.kept_elements(channels, taps)

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Groups of M, short ones included."""
        return groups_in(channels, taps, self.group)

    def metadata(self, value_bits: int) -> Metadata:
        """Each value has its index."""
        return Metadata(index_bits=self.index_bits)

    @property
    def sorted_group(self) -> int:
        """M."""
        return self.group

    @property
    def sorted_kept(self) -> int:
        """N."""
        return self.kept

    def __str__(self) -> str:
        return f"{self.kept}:{self.group}"


def kept_in_groups(channels: Counts, taps: Counts, kept: int, group: int) -> Counts:
    """Elements kept of ``taps`` kernel positions by ``channels``: a short last group keeps ``min(kept, rest)``."""
    # Here: who asks for help on a command does not wait for numpy.
    import numpy as np

    whole, rest = channels // group, channels % group
    return taps * (whole * kept + np.minimum(kept, rest))


def groups_in(channels: Counts, taps: Counts, group: int) -> Counts:
    """Groups at ``taps`` kernel positions of ``channels``, short ones included."""
    return taps * -(-channels // group)


DENSE = Pattern(1, 1)
"""The pattern of an operand that nothing was pruned from: groups of single elements, all kept."""
