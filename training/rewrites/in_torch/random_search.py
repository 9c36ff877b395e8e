"""Of several drawn sets of survivors the one whose narrower network has the least loss, untrained as it is.

Every candidate meets the same batches, forwards alone, with the statistics of each batch where it is normalised over.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn

from ....configs.errors import ConfigError
from .calibration import Calibration


@torch.no_grad()
def least_loss(
    model: nn.Module,
    narrowed: Callable[[nn.Module, int], object],
    seeds: range,
    calibration: Calibration | None,
) -> int:
    """The seed whose survivors have the least loss; the first of equal ones.

    Args:
        model: as it is; copies of it are made narrower.
        narrowed: makes a model narrower, by a seed.
        seeds: of the candidates.
        calibration: what they are compared on.

    Raises:
        ConfigError: there are no batches.
    """
    if calibration is None:
        raise ConfigError(
            f"candidates: got {len(seeds)}, need batches to compare them on; try bisparse train", field="candidates"
        )
    losses = []
    for seed in seeds:
        twin = copy.deepcopy(model)
        narrowed(twin, seed)
        twin.train()
        losses.append(sum(float(calibration.loss(twin, *batch)) for batch in calibration.batches))
    # What is no number is never the least.
    return min(zip(losses, seeds, strict=True), key=lambda each: (each[0] != each[0], each))[1]
