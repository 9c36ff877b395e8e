"""The end of a search: of the candidates of a layer that with the largest share stays, and the others go.

Its normalisation lies between it and those that are behind the layer anyway: scale and running spread are multiplied
into the weight, output channel by output channel, so that zeros stay zeros. The shift goes into the layer's bias where
it has one; else it is left out, as the next normalisation takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .layer_parts import BATCH_NORMS, Branches, PlainLayer, convolution, like
from .narrowed_module import Moved
from .resized_module import put


@torch.no_grad()
def settle(model: nn.Module, weights: Mapping[str, Tensor]) -> list[Moved]:
    """Let the candidate of the largest share stand in the place of all of them; of equal ones the first.

    Args:
        model: with searched branches; it is changed.
        weights: what candidates multiply by, by their paths: pruned ones; of others their own are taken.

    Returns:
        The parameters that became others, and those that went.
    """
    moved = []
    for path, module in list(model.named_modules()):
        if not isinstance(module, Branches) or module.mixture is None:
            continue
        number = 1 + int(module.mixture.argmax())
        branch, norm = (module.get_submodule(f"{name}_{number}") for name in ("branch", "norm"))
        assert isinstance(branch, PlainLayer), "a branch is a layer"
        made = _alone(branch, biased=module.bias is not None).train(module.training)
        scale, shift = _folded(norm, branch)
        multiplied = weights.get(f"{path}.branch_{number}", branch.weight)
        made.weight.copy_(multiplied * scale.view(-1, *(1,) * (multiplied.dim() - 1)))
        moved.append(Moved(old=branch.get_parameter("weight"), new=made.get_parameter("weight")))
        if module.bias is not None and made.bias is not None:
            made.bias.copy_(module.bias + shift)
            moved.append(Moved(old=module.get_parameter("bias"), new=made.get_parameter("bias")))
        stays = {id(each.old) for each in moved}
        moved += [Moved(old=each, new=None) for each in module.parameters() if id(each) not in stays]
        put(model, path, made)
    return moved


def _alone(branch: PlainLayer, *, biased: bool) -> PlainLayer:
    if isinstance(branch, nn.Linear):
        return nn.Linear(branch.in_features, branch.out_features, bias=biased, **like(branch))
    return convolution(branch, branch.in_channels, branch.out_channels, groups=branch.groups, bias=biased)


def _folded(norm: nn.Module, branch: PlainLayer) -> tuple[Tensor, Tensor]:
    """Scale and shift of each output channel: those of a normalisation by its running statistics."""
    ones = torch.ones(branch.weight.shape[0], **like(branch))
    if not isinstance(norm, BATCH_NORMS):
        return ones, torch.zeros_like(ones)
    assert norm.running_var is not None, "branches are normalised by running statistics"
    assert norm.running_mean is not None, "as above"
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale
