"""What the last step of an epoch tells of each layer: non-zero shares of what it multiplies, and how its mask moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ..densities import LayerDensity
from ..graph import Stage
from ..recipes.in_torch import AppliedRecipe


@contextmanager
def watched(applied: AppliedRecipe, epoch: int, found: list[LayerDensity]) -> Iterator[None]:
    """Run a training step inside: its layers' densities are added to what is found.

    Args:
        applied: the recipe at work.
        epoch: of the run, from 1.
        found: gets a row a layer.
    """
    # As this step multiplies by them: after the update they are others.
    weights = {
        path: tuple(_density(applied.weight(path, stage)) for stage in (Stage.FORWARD, Stage.BACKWARD))
        for path in applied.layers
    }
    with applied.watched() as tallies:
        yield
    found += [
        LayerDensity(
            epoch=epoch,
            module=path,
            input_density=tally.density("input"),
            gradient_density=tally.density("gradient"),
            forward_weight_density=weights[path][0],
            backward_weight_density=weights[path][1],
            mask_churn=applied.layers[path].churn.take(),
        )
        for path, tally in tallies.items()
    ]


def _density(weight: Tensor) -> float:
    return float(weight.count_nonzero()) / weight.numel()
