"""What members of coupled groups are compared by, a function a file: one import and one entry each."""

from ...choice import ChoiceName
from .activation import ACTIVATION
from .adapter_masks import ADAPTER_MASKS
from .adapters import ADAPTERS
from .first import FIRST
from .fluctuation import FLUCTUATION
from .made import MADE
from .magnitude import MAGNITUDE
from .random import RANDOM
from .saliency import SALIENCY
from .scale import SCALE
from .seen import GroupScore, Read, SeenGroup
from .taylor import TAYLOR

GROUP_SCORES: dict[ChoiceName, GroupScore] = {
    "first": FIRST,
    "random": RANDOM,
    "made": MADE,
    "magnitude": MAGNITUDE,
    "scale": SCALE,
    "taylor": TAYLOR,
    "saliency": SALIENCY,
    "activation": ACTIVATION,
    "fluctuation": FLUCTUATION,
    "adapters": ADAPTERS,
    "adapter-masks": ADAPTER_MASKS,
}
"""By the name that an entry gives it."""

__all__ = ["GROUP_SCORES", "GroupScore", "Read", "SeenGroup"]
