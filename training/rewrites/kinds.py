"""The kinds of rewrite that a recipe may name: one import and one member each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .activation import Activation
from .adapters import Adapters
from .block_attention import BlockAttention
from .delta_activations import DeltaActivations
from .doped import Doped
from .factorised import Factorised
from .hashed_attention import HashedAttention
from .keep import Keep
from .learned_scores import LearnedScores
from .low_rank import LowRank
from .low_rank_attention import LowRankAttention
from .monarch import Monarch
from .parallel import Parallel
from .partial import Partial
from .rotations import Rotations
from .sampled_attention import SampledAttention
from .sparse_plus_low_rank import SparsePlusLowRank

AnyRewrite = Annotated[
    Activation
    | Adapters
    | BlockAttention
    | DeltaActivations
    | Doped
    | Factorised
    | HashedAttention
    | Keep
    | LearnedScores
    | LowRank
    | LowRankAttention
    | Monarch
    | Parallel
    | Partial
    | Rotations
    | SampledAttention
    | SparsePlusLowRank,
    Field(discriminator="kind"),
]
"""An entry of a recipe's ``rewrites``, told apart by ``kind``."""
