"""The kinds of rewrite that a recipe may name: one import and one member each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .adapters import Adapters
from .doped import Doped
from .factorised import Factorised
from .keep import Keep
from .low_rank import LowRank
from .monarch import Monarch
from .parallel import Parallel
from .sparse_plus_low_rank import SparsePlusLowRank

AnyRewrite = Annotated[
    Adapters | Doped | Factorised | Keep | LowRank | Monarch | Parallel | SparsePlusLowRank, Field(discriminator="kind")
]
"""An entry of a recipe's ``rewrites``, told apart by ``kind``."""
