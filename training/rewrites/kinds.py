"""The kinds of rewrite that a recipe may name: one import and one member each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .adapters import Adapters
from .low_rank import LowRank

AnyRewrite = Annotated[Adapters | LowRank, Field(discriminator="kind")]
"""An entry of a recipe's ``rewrites``, told apart by ``kind``."""
