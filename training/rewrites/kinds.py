"""The kinds of rewrite that a recipe may name: one import and one member each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .adapters import Adapters
from .block_attention import BlockAttention
from .delta_activations import DeltaActivations
from .hashed_attention import HashedAttention
from .low_rank import LowRank
from .sampled_attention import SampledAttention

AnyRewrite = Annotated[
    Adapters | BlockAttention | DeltaActivations | HashedAttention | LowRank | SampledAttention,
    Field(discriminator="kind"),
]
"""An entry of a recipe's ``rewrites``, told apart by ``kind``."""
