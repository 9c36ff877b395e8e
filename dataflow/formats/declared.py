"""What a design makes of a format changes its time alone: the rest stays as it is declared."""

from __future__ import annotations

from ...configs.arrays import Counts
from ...configs.encodings import Metadata
from ...configs.operand_format import OperandFormat
from ...configs.unstructured import Unstructured


class AsDeclared(OperandFormat):
    """A format as a design meets it, with what is kept and stored as ``declared`` says."""

    __slots__ = ()

    declared: Unstructured

    @property
    def share(self) -> tuple[int, int]:
        """As declared."""
        return self.declared.share

    @property
    def kept_scale(self) -> int:
        """As declared."""
        return self.declared.kept_scale

    def kept_elements(self, channels: Counts, taps: Counts = 1) -> Counts:
        """As declared."""
        return self.declared.kept_elements(channels, taps)

    @property
    def is_irregular(self) -> bool:
        """As declared."""
        return self.declared.is_irregular

    @property
    def block(self) -> tuple[int, int]:
        """As declared."""
        return self.declared.block

    def metadata(self, value_bits: int) -> Metadata:
        """As declared."""
        return self.declared.metadata(value_bits)

    @property
    def sorted_group(self) -> int:
        """As declared."""
        return self.declared.sorted_group

    @property
    def sorted_kept(self) -> int:
        """As declared."""
        return self.declared.sorted_kept

    def __str__(self) -> str:
        return str(self.declared)
