"""What weights are compared by, a function a file: one import and one entry each."""

from ...mask_search import ScoreName
from .gradient import GRADIENT
from .magnitude import MAGNITUDE
from .movement import MOVEMENT
from .random import RANDOM
from .seen import Score, Seen
from .taylor import TAYLOR
from .wanda import WANDA

SCORES: dict[ScoreName, Score] = {
    "magnitude": MAGNITUDE,
    "random": RANDOM,
    "gradient": GRADIENT,
    "movement": MOVEMENT,
    "taylor": TAYLOR,
    "wanda": WANDA,
}
"""By the name that a recipe gives it."""

__all__ = ["SCORES", "Score", "Seen"]
