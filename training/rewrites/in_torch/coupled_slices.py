"""Which slices of a module's parameters and buffers make each channel, head or neuron that can go.

One analysis serves the graph and the module: ``coupling`` says of every tensor which coupled numbers its extents are
products or sums of, outermost first. Here that becomes, for each such number and each axis of each parameter and buffer
that has it, the member to which every place on the axis belongs: rows of a packed projection to heads, columns of a
product that reads a concatenation to the channels of one part, scale, shift and running statistics to theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from ...graph import TrainingGraph
from ..coupling import Coupling, coupling
from ..factors import Factor, atoms, product
from ..features import Feature, features_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """Where the members of a group lie in one axis of one tensor.

    Attributes:
        tensor: the name of a parameter or buffer, as the model has it.
        axis: of it.
        member: [extent of the axis], whole numbers: the member that a place belongs to; -1 where it belongs to none.
    """

    tensor: str
    axis: int
    member: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoupledGroup:
    """Channels, heads or neurons that coupled layers share: member i goes from all slices, or from none.

    Attributes:
        feature: its kind, its factor, the layers that make it, and why it cannot change, if it cannot.
        slices: one for each axis of each parameter and buffer that has it.
    """

    feature: Feature
    slices: tuple[Slice, ...]

    @property
    def members(self) -> int:
        """How many there are."""
        return self.feature.factor.size

    @property
    def name(self) -> str:
        """Of the first layer that makes it."""
        return self.feature.layers[0]

    def summed(self, values: Mapping[str, Tensor]) -> Tensor:
        """A number a member: the sum of some elementwise values over all of its slices.

        Args:
            values: by parameter or buffer, in its shape; what is not there counts nothing.

        Returns:
            [members], of the values' type.
        """
        total = torch.zeros(self.members)
        for each in self.slices:
            if each.tensor in values:
                total = total + member_sums(values[each.tensor], each, self.members).to(total.device)
        return total


def member_sums(values: Tensor, where: Slice, members: int) -> Tensor:
    """Elementwise values of one tensor, summed over what belongs to each member: [members]."""
    others = [axis for axis in range(values.dim()) if axis != where.axis]
    along = values.sum(others) if others else values
    member = where.member.to(values.device)
    belongs = member >= 0
    return torch.zeros(members, dtype=along.dtype, device=values.device).index_add(0, member[belongs], along[belongs])


def coupled_slices(model: nn.Module, graph: TrainingGraph) -> tuple[CoupledGroup, ...]:
    """All groups of a live module, in the order of the forward pass.

    Groups whose ``feature.why_not`` is not empty cannot change: an end of the network, or what sizes do not tell apart.
    Members are counted in the order of the module's own weights.

    Args:
        model: whose parameters and buffers have the names of the graph's tensors.
        graph: of a training step of it as it is: ``capture(model, ...)``.

    Raises:
        ConfigError: a concatenation is read in two orders.
    """
    coupled = coupling(graph)
    named = tensors_of(model)
    return tuple(
        CoupledGroup(feature=feature, slices=slices_of(coupled, named, feature.factor))
        for feature in features_of(coupled)
    )


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; one that has several names by each of them."""
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


def slices_of(coupled: Coupling, named: Iterable[str], factor: Factor) -> tuple[Slice, ...]:
    """Where the members of one factor lie.

    Args:
        coupled: of the module's graph.
        named: parameters and buffers of the module.
        factor: that counts the members.

    Raises:
        ConfigError: a concatenation is read in two orders.
    """
    found = []
    for name in named:
        for axis, extent in enumerate(coupled.extents.get(name, ())):
            if _holds(extent.factors, factor):
                found.append(Slice(tensor=name, axis=axis, member=_members(extent.factors, factor)))
    return tuple(found)


def _holds(factors: Sequence[Factor], wanted: Factor) -> bool:
    return any(
        atom is wanted or any(_holds(part, wanted) for parts in atom.sums for part in parts) for atom in atoms(factors)
    )


def _members(factors: Sequence[Factor], wanted: Factor) -> Tensor:
    """The member of each place of an extent, -1 where there is none."""
    member = torch.full((1,), -1)
    for atom in atoms(factors):
        own = _of_atom(atom, wanted)
        member = torch.where(own[None] >= 0, own[None], member[:, None]).flatten()
    return member


def _of_atom(atom: Factor, wanted: Factor) -> Tensor:
    if atom is wanted:
        return torch.arange(atom.size)
    member = torch.full((atom.size,), -1)
    for parts in atom.sums:
        if sum(product(atoms(part)) for part in parts) != atom.size:
            continue
        own = torch.cat([_members(part, wanted) for part in parts])
        if bool(((own >= 0) & (member >= 0) & (own != member)).any()):
            raise ConfigError(
                f"got a concatenation of {atom.size} that is read in two orders, need one to know what of a layer that "
                "reads it goes; try a pattern that leaves it out"
            )
        member = torch.maximum(member, own)
    return member
