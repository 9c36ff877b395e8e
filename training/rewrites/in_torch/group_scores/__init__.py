"""What members of coupled groups are compared by, a function a file: one import and one entry each."""

from ...choice import ChoiceName
from .activation import ACTIVATION
from .first import FIRST
from .magnitude import MAGNITUDE
from .random import RANDOM
from .saliency import SALIENCY
from .scale import SCALE
from .seen import GroupScore, Read, SeenGroup
from .taylor import TAYLOR

GROUP_SCORES: dict[ChoiceName, GroupScore] = {
    "first": FIRST,
    "random": RANDOM,
    "magnitude": MAGNITUDE,
    "scale": SCALE,
    "taylor": TAYLOR,
    "saliency": SALIENCY,
    "activation": ACTIVATION,
}
"""By the name that an entry gives it."""

__all__ = ["GROUP_SCORES", "GroupScore", "Read", "SeenGroup"]
