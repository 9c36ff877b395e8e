"""N:M in a permuted order of channels: groups of M hold channels that do not lie together.

Searches over orders of channels leave such masks (Bi-Mask's in its backward pass; permutations before 2:4 pruning). The
other operand of a product must be gathered into that order first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ConfigError
from .pattern import Pattern

_TEXT = re.compile(r"\s*(\d+)\s*:\s*(\d+)\s+permuted\s*")


@dataclass(frozen=True, slots=True, order=True)
class Permuted(Pattern):
    """N:M of channels in an order of the weight's own.

    >>> str(Permuted.parse("2:8 permuted")), str(Permuted.parse("2:8 permuted").in_order)
    ('2:8 permuted', '2:8')
    """

    @classmethod
    def parse(cls, text: str) -> Permuted:
        """Read ``"2:8 permuted"``.

        Raises:
            ConfigError: it is no such text, or the numbers are out of range.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ConfigError(f"sparsity: got {text!r}, need such as 2:8 permuted")
        return cls(int(match[1]), int(match[2]))

    @property
    def in_order(self) -> Pattern:
        """What the array is given once the other operand is gathered."""
        return Pattern(self.kept, self.group)

    @property
    def selected(self) -> tuple[Pattern, ...]:
        """As it is in order."""
        return (self.in_order,)

    def __str__(self) -> str:
        return f"{self.kept}:{self.group} permuted"
