"""The N:M pattern: of every group of M consecutive elements along one axis, N are kept.

``N = M`` is dense. A last group shorter than M keeps ``min(N, length)`` elements, so an axis need not be divisible
by M.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ConfigError

LARGEST_GROUP = 32
"""The largest M accepted. Index width and group registers grow with M; nothing published goes past 32."""

_PATTERN = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s*")


@dataclass(frozen=True, slots=True, order=True)
class Pattern:
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

    @property
    def density(self) -> float:
        """Kept fraction, N/M."""
        return self.kept / self.group

    @property
    def is_dense(self) -> bool:
        """Whether nothing is pruned (N = M)."""
        return self.kept == self.group

    @property
    def index_bits(self) -> int:
        """Bits that name one position inside a group: ceil(log2 M)."""
        return (self.group - 1).bit_length()

    def kept_of(self, length: int) -> int:
        """Elements kept of a run of ``length`` consecutive elements; the last group may be short."""
        groups, rest = divmod(length, self.group)
        return groups * self.kept + min(self.kept, rest)

    def groups_of(self, length: int) -> int:
        """Groups that a run of ``length`` elements makes, a short last one included."""
        return -(-length // self.group)

    def __str__(self) -> str:
        return f"{self.kept}:{self.group}"


DENSE = Pattern(1, 1)
"""The pattern of an operand that nothing was pruned from: groups of single elements, all kept."""
