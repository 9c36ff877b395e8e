"""The groups of one number of channels or neurons as a matrix: a row is all that makes one of them.

Of coupled slices those that make a member are taken: rows of weights, biases, gains and shifts, of embeddings columns;
not the columns of the weights that read it. Where a row is zero the member is zero, whatever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....rewrites.in_torch.coupled_slices import CoupledGroup, Slice
from ....rewrites.in_torch.layer_parts import BATCH_NORMS

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMALISING = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """What one parameter holds of the groups.

    Attributes:
        parameter: it.
        axis: along which members lie.
        order: places on that axis, member after member, equally many of each.
        is_gain: whether it is the gain of a normalisation.
    """

    parameter: nn.Parameter
    axis: int
    order: Tensor
    is_gain: bool

    def rows(self, values: Tensor, groups: int) -> Tensor:
        """[groups, elements] of a tensor of the parameter's shape."""
        return values.movedim(self.axis, 0).index_select(0, self.order).reshape(groups, -1)

    def put(self, values: Tensor, rows: Tensor) -> None:
        """Write them back."""
        along = values.movedim(self.axis, 0)
        along[self.order] = rows.reshape(len(self.order), *along.shape[1:]).to(values.dtype)


def makes(model: nn.Module, where: Slice) -> bool:
    """Whether a slice makes its member; otherwise the weight reads it there."""
    path, _, name = where.tensor.rpartition(".")
    owner = model.get_submodule(path)
    parameter = getattr(owner, name)
    if parameter.dim() < 2 or isinstance(owner, nn.Embedding):
        return True
    return where.axis == (1 if isinstance(owner, _TRANSPOSED) else 0)


class DrivenGroups:
    """Groups that are driven to zero.

    Attributes:
        name: of the first layer that makes them.
        kept: how many are kept.
        chosen: which are to become zero, [groups].
        gains: which elements are gains of normalisations, [elements].
    """

    def __init__(self, model: nn.Module, group: CoupledGroup, kept: int) -> None:
        self.name, self.kept, self._groups = group.name, kept, group.members
        self._parts = tuple(self._parts_of(model, group))
        self.chosen = torch.zeros(self._groups, dtype=torch.bool, device=self._parts[0].parameter.device)
        self.gains = torch.cat(
            [
                torch.full((part.parameter.numel() // part.parameter.shape[part.axis],), part.is_gain).repeat(
                    len(part.order) // self._groups
                )
                for part in self._parts
            ]
        ).to(self.chosen.device)

    def _parts_of(self, model: nn.Module, group: CoupledGroup) -> Iterator[_Part]:
        seen: set[tuple[int, int]] = set()
        named = dict(model.named_parameters(remove_duplicate=False))
        for each in group.slices:
            parameter = named.get(each.tensor)
            if parameter is None or (id(parameter), each.axis) in seen or not makes(model, each):
                continue
            seen.add((id(parameter), each.axis))
            belongs = (each.member >= 0).nonzero().flatten()
            order = belongs[each.member[belongs].argsort(stable=True)].to(parameter.device)
            path, _, name = each.tensor.rpartition(".")
            is_gain = name == "weight" and isinstance(model.get_submodule(path), _NORMALISING)
            yield _Part(parameter=parameter, axis=each.axis, order=order, is_gain=is_gain)

    @property
    def redundant(self) -> int:
        """How many become zero."""
        return self._groups - self.kept

    @property
    def elements(self) -> int:
        """Weights of all groups."""
        return self._groups * len(self.gains)

    def weights(self) -> Tensor:
        """As they are, [groups, elements]."""
        return torch.cat([part.rows(part.parameter.detach(), self._groups) for part in self._parts], dim=1)

    def gradients(self) -> Tensor:
        """Of the last batch, zeros of a parameter that has none, [groups, elements]."""
        found = (
            (part, torch.zeros_like(part.parameter) if part.parameter.grad is None else part.parameter.grad)
            for part in self._parts
        )
        return torch.cat([part.rows(gradient, self._groups) for part, gradient in found], dim=1)

    def write(self, rows: Tensor) -> None:
        """Let the weights be these, [groups, elements]."""
        for part, own in self._each(rows):
            part.put(part.parameter.detach(), own)

    def add_to_gradients(self, rows: Tensor) -> None:
        """Add these to the gradients that there are, [groups, elements]."""
        for part, own in self._each(rows):
            if part.parameter.grad is not None:
                part.put(part.parameter.grad, part.rows(part.parameter.grad, self._groups) + own)

    def silence(self, which: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Set some groups to zero, and what the optimizer remembers of them.

        Args:
            which: [groups].
            optimizer: that updates them.
        """
        stays = ~which
        for part in self._parts:
            remembered = optimizer.state.get(part.parameter, {}).values()
            for values in (part.parameter.detach(), *remembered):
                if isinstance(values, Tensor) and values.shape == part.parameter.shape:
                    part.put(values, part.rows(values, self._groups) * stays[:, None])

    def _each(self, rows: Tensor) -> Iterator[tuple[_Part, Tensor]]:
        sizes = [len(part.order) // self._groups * _beside(part) for part in self._parts]
        return zip(self._parts, torch.split(rows, sizes, dim=1), strict=True)


def _beside(part: _Part) -> int:
    """Elements at each place of the axis."""
    return part.parameter.numel() // part.parameter.shape[part.axis]
