"""What goes of a network is folded into the layers that read it: each member as the combination of those that stay.

A member's row is what makes it: its weights and its bias; of a layer with one batch normalisation behind it as that
scales and shifts them. The row r of one that goes is brought near by s R, R the rows of those that stay, with the least
|r - s R|^2 + ridge |s|^2: s = r R' (R R' + ridge)^-1, and of s what is above zero, for what is rectified never cancels.
A layer that reads both then reads more of those that stay: the column of the one that goes is added to theirs, times s.
No data are looked at. Source: Bai et al., ICCV 2023 (UDFC, arXiv 2308.07209): a damaged channel is a linear combination
of others, in closed form; that rows are weighted so, the ridge, and that shares below zero are left out, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .coupled_slices import CoupledGroup, Slice
from .layer_parts import BATCH_NORMS

RIDGE = 1e-3
"""Of the mean squared norm of the rows that stay."""


def combinations(rows: Tensor, stays: Tensor) -> Tensor:
    """Each member that goes as a combination of those that stay, [gone, kept], of rows [members, elements]."""
    kept, gone = rows[stays], rows[~stays]
    gram = kept @ kept.T
    ridge = RIDGE * gram.diagonal().mean().clamp_min(1e-30)
    shares: Tensor = torch.linalg.solve(gram + ridge * torch.eye(len(gram)).to(gram), kept @ gone.T).T
    return shares.clamp_min(0.0)


@torch.no_grad()
def fold(model: nn.Module, group: CoupledGroup, stays: Tensor) -> None:
    """Let the layers that read a group read of those that stay what they read of those that go.

    Args:
        model: it is changed: columns of those that stay.
        group: its members' slices, as the model is.
        stays: which members stay, [members].
    """
    named = dict(model.named_parameters(remove_duplicate=False))
    rows = {f"{layer}.weight" for layer in group.feature.layers}
    makers = [each for each in group.slices if each.tensor in rows and each.axis == 0]
    readers = [
        each for each in group.slices if each not in makers and each.tensor in named and named[each.tensor].dim() > 1
    ]
    present = _present(makers[0])
    kept = stays[present]
    shares = combinations(_rows(model, named, group, makers), kept)
    for each in {id(named[each.tensor]): each for each in readers}.values():
        along = named[each.tensor].detach().movedim(each.axis, 0)
        columns = _by_member(along, each, len(present)).double()
        columns[kept] += torch.einsum("gk,g...->k...", shares.to(columns), columns[~kept])
        along[_places(each)] = columns.flatten(0, 1).to(along.dtype)


def _rows(model: nn.Module, named: Mapping[str, Tensor], group: CoupledGroup, makers: list[Slice]) -> Tensor:
    """What makes each member that is there, [members, elements]; of several layers one beside another."""
    found = []
    norms = [
        module
        for path, module in model.named_modules()
        if isinstance(module, BATCH_NORMS) and any(each.tensor == f"{path}.weight" for each in group.slices)
    ]
    members = len(_present(makers[0]))
    for each in makers:
        weights = _by_member(named[each.tensor].detach(), each, members).flatten(1).double()
        bias = named.get(f"{each.tensor.removesuffix('weight')}bias")
        shift = torch.zeros_like(weights[:, 0]) if bias is None else bias.detach().to(weights)
        if len(makers) == len(norms) == 1 and norms[0].running_var is not None and norms[0].running_mean is not None:
            scale = norms[0].weight.detach().to(weights) / (norms[0].running_var.to(weights) + norms[0].eps).sqrt()
            weights = weights * scale[:, None]
            shift = norms[0].bias.detach().to(weights) + scale * (shift - norms[0].running_mean.to(weights))
        found.append(torch.cat([weights, shift[:, None]], dim=1))
    return torch.cat(found, dim=1)


def _present(where: Slice) -> Tensor:
    """The members that are there, in their order."""
    return torch.tensor(sorted({*where.member.tolist()} - {-1}))


def _places(where: Slice) -> Tensor:
    """Of the members that are there, one after another."""
    belongs = (where.member >= 0).nonzero().flatten()
    return belongs[where.member[belongs].argsort(stable=True)]


def _by_member(along: Tensor, where: Slice, members: int) -> Tensor:
    """[members, places, ...] of a tensor whose first axis has them."""
    return along.index_select(0, _places(where).to(along.device)).reshape(members, -1, *along.shape[1:])
