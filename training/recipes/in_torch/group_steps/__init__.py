"""Rules that drive groups of weights to zero, a function a file: one import and one entry each."""

from ...group_penalty import GroupRule
from .envelope import ENVELOPE
from .gradual import GRADUAL
from .half_space import HALF_SPACE
from .masked import MASKED
from .moment import GroupStep, Moment

GROUP_STEPS: dict[GroupRule, GroupStep] = {
    "gradual": GRADUAL,
    "half-space": HALF_SPACE,
    "masked": MASKED,
    "envelope": ENVELOPE,
}
"""By the name that a recipe gives it."""

__all__ = ["GROUP_STEPS", "GroupStep", "Moment"]
