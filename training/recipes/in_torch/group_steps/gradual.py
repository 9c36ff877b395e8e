"""Chosen groups are shrunk so that they vanish with the last update of their period (HESSO).

In the update with L left, this one included, what the optimizer made of them is multiplied by (L - 1) / L: the last one
multiplies by zero. Source: Chen et al., 2024 (arXiv 2409.09085), and their released code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .moment import GroupStep, Moment
from .saliency import five_criteria


def shrunk(moment: Moment) -> Tensor:
    """The weights after an update."""
    factor = (moment.left - 1) / moment.left
    return torch.where(moment.chosen[:, None], moment.trial * factor, moment.trial)


GRADUAL = GroupStep(saliency=five_criteria, after=shrunk)
