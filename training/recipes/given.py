"""What a checkpoint's own zeros are taken as: a format a weight and stage, where a recipe's masks are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...configs.operand_format import OperandFormat
from ..graph import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFormat:
    """How a weight with zeros of its own is stored, and met by the array.

    Attributes:
        format: along the stage's own axis; dense where zeros are stored like other values.
        unskipped: why zeros take time; empty where they are skipped, or the search finds out.
    """

    format: OperandFormat
    unskipped: str = ""


GivenFormats = Mapping[tuple[str, Stage], GivenFormat]
"""By the name of a weight and the stage that multiplies by it, FF or BP; every weight of the graph."""
