"""What stands in the place of structure that goes: the mean of what it gave, in the biases of the layers that read it.

Only linear layers read every place alike, so that a mean is a number an output. Source: An et al., AAAI 2024 (FLAP).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from .group_scores import Read


@torch.no_grad()
def compensate(model: nn.Module, index: Mapping[str, tuple[Tensor, ...]], inputs: Mapping[str, Read]) -> None:
    """Add to the biases of linear layers what they are given on average by the inputs that go.

    Args:
        model: before anything of it goes.
        index: of each parameter and axis, the places that stay.
        inputs: by weight, what it was multiplied by.

    Raises:
        ConfigError: a layer that loses inputs has no bias, or is not linear.
    """
    for path, layer in model.named_modules():
        name = f"{path}.weight".lstrip(".")
        if not isinstance(layer, nn.Linear) or name not in inputs or len(index[name][1]) == layer.in_features:
            continue
        if layer.bias is None:
            raise ConfigError(
                f"compensated: got {path}, which loses inputs and has no bias to add their mean to, need one; try "
                "compensated: false",
                field="compensated",
            )
        goes = torch.ones(layer.in_features, dtype=torch.bool)
        goes[index[name][1]] = False
        layer.bias.add_((layer.weight * inputs[name].means)[:, goes].sum(1))
