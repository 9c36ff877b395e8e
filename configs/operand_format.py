"""What is kept of an operand, and how it is stored: the protocol that every sparsity format answers.

A format speaks of elements along the axis that a product contracts (k): ``taps`` kernel positions by ``channels``
consecutive channels. Counts may be integers or integer arrays; arrays broadcast. Formats with a rule (N:M) answer
exactly, random ones for the mean of their masks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arrays import Counts
    from .encodings import Metadata


class OperandFormat(ABC):
    """How an operand is sparse. Its ``str`` is the text that ``configs.formats.parse_format`` reads."""

    __slots__ = ()

    # What is kept ----------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def share(self) -> tuple[int, int]:
        """So many are kept of so many."""

    @property
    def density(self) -> float:
        """Share of elements kept, 0 to 1."""
        kept, of = self.share
        return kept / of

    @property
    @abstractmethod
    def kept_scale(self) -> int:
        """What ``kept_elements`` counts in: elements times this."""

    @abstractmethod
    def kept_elements(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Elements kept of that many along k, times ``kept_scale``."""

    @property
    def is_dense(self) -> bool:
        """Whether nothing is pruned."""
        kept, of = self.share
        return kept == of

    @property
    def is_irregular(self) -> bool:
        """Whether groups keep different numbers of elements, so that lanes wait for each other."""
        return False

    @property
    def selected(self) -> tuple[OperandFormat, ...]:
        """What PEs must be able to select, one after another."""
        return (self,)

    @property
    def leaves_dense(self) -> bool:
        """Whether what is kept is dense matrices of their own, so that any design gains from the zeros."""
        return False

    @property
    def block(self) -> tuple[int, int]:
        """Outputs, and elements along k, that are kept or zero together."""
        return 1, 1

    @property
    def turned(self) -> OperandFormat:
        """The same weight seen along its other axis, as the backward pass multiplies by it."""
        return self

    # What the array makes of it --------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def unit(self) -> int:
        """Consecutive channels that belong together: tiles along k are whole multiples."""

    @abstractmethod
    def slots(self, channels: Counts, taps: Counts = 1) -> Counts:
        """S: accumulations of an output, those included in which it waits for its neighbours."""

    @property
    def selected_from(self) -> int:
        """Elements of the operand beside it among which a PE picks one for each that is kept; 1 where it picks none."""
        return 1

    def slots_beside(self, other: OperandFormat, channels: Counts, taps: Counts = 1) -> Counts:
        """S where the operand beside it is sparse too; of a format that knows no other, its own."""
        return self.slots(channels, taps)

    @abstractmethod
    def groups(self, channels: Counts, taps: Counts = 1) -> Counts:
        """Groups that the elements fall into, a short last one at each kernel position included."""

    # How it is stored ------------------------------------------------------------------------------------------------

    @abstractmethod
    def metadata(self, value_bits: int) -> Metadata:
        """What lies beside kept values of so many bits each."""

    @property
    @abstractmethod
    def sorted_group(self) -> int:
        """M of the groups in which the reduction engine takes it; 1 where nothing is sorted."""

    @property
    @abstractmethod
    def sorted_kept(self) -> int:
        """N that each element is compared with in the reduction engine."""
