"""A sum of N:M terms, run one after another: what one keeps of a group, and what the next one keeps of the rest.

So an array that selects N:M alone multiplies by weights that keep to no such rule, as near to them as its ratios come.
Each term is a stream of its own pairs over the same operand. Source: Jeong et al., 2023, structured decomposition
(TASD): unstructured weights as series of N:M terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from .encodings import Metadata
from .errors import ConfigError
from .operand_format import OperandFormat
from .pattern import Pattern

if TYPE_CHECKING:
    import numpy as np

    from .arrays import BoolArray, Counts


@dataclass(frozen=True, slots=True, order=True)
class Terms(OperandFormat):
    """N:M terms of one weight; together they keep less than all of it.

    A product by it has as many kernel positions for each of its own as there are terms, see ``taps`` of its methods.

    Attributes:
        terms: in the order in which they run.

    >>> str(Terms.parse("2:8 + 1:4")), Terms.parse("2:8+1:4").density
    ('2:8+1:4', 0.5)
    """

    terms: tuple[Pattern, ...]

    def __post_init__(self) -> None:
        total = sum(Fraction(*each.share) for each in self.terms)
        if len(self.terms) < 2 or any(each.is_dense for each in self.terms) or total > 1:
            raise ConfigError(f"sparsity: got {self}, need terms of which none, nor their sum, keeps more; try 2:8+1:8")

    @classmethod
    def parse(cls, text: str) -> Terms:
        """Read ``"2:8+1:8"``.

        Raises:
            ConfigError: a term is no N:M, or they keep all.
        """
        return cls(tuple(Pattern.parse(each) for each in text.split("+")))

    @property
    def share(self) -> tuple[int, int]:
        """The sum of all terms'."""
        total = sum((Fraction(*each.share) for each in self.terms), Fraction())
        return total.numerator, total.denominator

    @property
    def selected(self) -> tuple[Pattern, ...]:
        """The terms."""
        return self.terms

    @property
    def kept_scale(self) -> int:
        """Whole elements."""
        return 1

    def kept_elements(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Of all terms; ``taps`` counts each kernel position once a term.

        >>> int(Terms.parse("2:8+1:8").kept_elements(20, 2 * 9))
        81
        """
        each = taps // len(self.terms)
        return sum(term.kept_elements(channels, each) for term in self.terms)

    @property
    def unit(self) -> int:
        """Channels that hold whole groups of every term."""
        return math.lcm(*(each.group for each in self.terms))

    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Of all terms."""
        return self.kept_elements(channels, taps)

    @property
    def selected_from(self) -> int:
        """The largest M, as wide as an index tells."""
        return max(each.group for each in self.terms)

    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Of all terms."""
        each = taps // len(self.terms)
        return sum(term.groups(channels, each) for term in self.terms)

    def metadata(self, value_bits: int) -> Metadata:
        """An index each, as wide as the largest group needs."""
        return Metadata(index_bits=max(each.index_bits for each in self.terms))

    @property
    def sorted_group(self) -> int:
        """The largest M."""
        return max(each.group for each in self.terms)

    @property
    def sorted_kept(self) -> int:
        """N of all terms: each is sorted for by itself."""
        return sum(each.kept for each in self.terms)

    def mask(self, draw: np.random.Generator, outputs: int, inputs: int) -> BoolArray:
        """A mask [outputs, inputs] of this format: what is True is kept; each term takes of the rest at random."""
        import numpy as np

        mask = np.zeros((outputs, inputs), dtype=bool)
        for term in self.terms:
            order = np.where(mask, 2.0, draw.random(mask.shape))
            for start in range(0, inputs, term.group):
                rank = order[:, start : start + term.group].argsort(axis=1).argsort(axis=1)
                mask[:, start : start + term.group] |= rank < term.kept
        return mask

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))
