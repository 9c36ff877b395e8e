"""What the hidden units of a trained network make of a data set: the largest activation of each over positions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...configs.errors import ConfigError
from ...configs.near import near
from ..data import DataSet, evaluation_batches


def hidden_units(model: nn.Module, data: DataSet, split: str, layer: str) -> npt.NDArray[np.float32]:
    """Activations [inputs, units] of a layer: of channels with positions the largest of each.

    Args:
        model: in evaluation mode it is run, and left as it was.
        data: that it was trained on; inputs are standardised as in training.
        split: ``train``, ``validation`` or ``test``.
        layer: path of the module whose output is taken, [B, units, ...].

    Raises:
        ConfigError: the model has no such module.
    """
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ConfigError(f"layer: got {layer!r}, need the path of a module{near(layer, modules)}")
    found: list[Tensor] = []
    hook = modules[layer].register_forward_hook(lambda _, __, output: found.append(_largest(output)))
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.no_grad():
            for batch in evaluation_batches(data, split, 256):
                model(torch.from_numpy(batch.inputs).to(device))
    finally:
        hook.remove()
        model.train(was_training)
    taken: npt.NDArray[np.float32] = torch.cat(found).cpu().numpy()
    return taken


def _largest(output: Tensor) -> Tensor:
    """Of each unit over its positions, if it has any; a copy, which what comes after cannot change in place."""
    return output.flatten(2).amax(2) if output.dim() > 2 else output.clone()
