"""A trained module that becomes narrower: what of it stays is chosen, and stays with the weights that it has.

A module may become narrower several times over a run. Every time sizes are those that an entry keeps of the first
network, and survivors are chosen among those that are left. Places of the first network are what is kept account of:
what is coupled is found once, in the graph whose sizes nothing has changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from ...graph import TrainingGraph
from ..features import Feature
from ..keep import Keep, Plan
from .calibration import Calibration, inputs_of
from .compensation import compensate
from .coupled_slices import CoupledGroup, Slice, slices_of, tensors_of
from .folding import fold
from .proof import prove
from .random_search import least_loss
from .resized_module import resize, without_blocks
from .scoring import Scorer

Places = dict[str, list[Tensor]]
"""Of each parameter and buffer and each axis, the places of the first network's that are left."""

Index = Mapping[str, tuple[Tensor, ...]]
"""Of each parameter and buffer, the places on each axis that stay, counted as they are now."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A parameter that has become another.

    Attributes:
        old: that it was.
        new: that stands in its place; None of a block that went.
        index: what of the old one it is, axis by axis; empty of all of it.
    """

    old: nn.Parameter
    new: nn.Parameter | None
    index: tuple[Tensor, ...] = ()


@dataclass(kw_only=True)
class Widths:
    """What is left of the first widths of a model.

    Attributes:
        graph: of the model as it was before anything was kept of it.
        now: of the model as it is.
        places: that are left.
    """

    graph: TrainingGraph
    now: TrainingGraph
    places: Places = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module, graph: TrainingGraph) -> Widths:
        """All of a model's."""
        places = {name: [torch.arange(size) for size in each.shape] for name, each in tensors_of(model).items()}
        return cls(graph=graph, now=graph, places=places)

    def narrow(
        self, model: nn.Module, entry: Keep, *, calibration: Calibration | None = None, seed: int = 0
    ) -> list[Moved]:
        """Make a model narrower.

        Args:
            model: whose widths these are; it is changed.
            entry: what is kept of the first network, and how it is chosen.
            calibration: batches that the choice looks at, and that the narrower model is proved on.
            seed: of what is drawn.

        Returns:
            The parameters that became others, for whoever holds some: an optimizer.

        Raises:
            ConfigError: the entry does not fit the model, asks for more than is left, needs batches, or the narrower
                model computes otherwise than the one in which what goes is zero.
        """
        plan = entry.plan(self.graph)
        if entry.candidates > 1:
            one = entry.model_copy(update={"candidates": 1})
            seeds = range(seed * entry.candidates, (seed + 1) * entry.candidates)
            seed = least_loss(model, lambda twin, own: copy.copy(self).narrow(twin, one, seed=own), seeds, calibration)
        index = self._chosen(model, plan, entry, calibration, seed)
        if entry.compensated:
            if calibration is None:
                raise ConfigError(
                    "compensated: got it, need batches to look at; try bisparse train", field="compensated"
                )
            compensate(model, index, inputs_of(model, calibration))
        return self._make(model, plan, index, calibration)

    def restore(self, model: nn.Module, entry: Keep, places: Places) -> list[Moved]:
        """Make a model as narrow as one was whose survivors are known: its weights are to be loaded."""
        plan = entry.plan(self.graph)
        named = tensors_of(model)
        # It may be narrower already, as its first phase has it: places are told of the first network.
        index = {
            name: tuple(torch.searchsorted(own, each) for own, each in zip(self.places[name], wanted, strict=True))
            for name, wanted in places.items()
            if name in named
        }
        return self._make(model, plan, index, None)

    # What stays -----------------------------------------------------------------------------------------------------

    def _chosen(
        self, model: nn.Module, plan: Plan, entry: Keep, calibration: Calibration | None, seed: int
    ) -> dict[str, tuple[Tensor, ...]]:
        named = tensors_of(model)
        masks = {name: [torch.ones(len(each), dtype=torch.bool) for each in self.places[name]] for name in named}
        assert entry.chosen_by is not None, "it says what they are compared by"
        scorer = Scorer(model, entry.chosen_by, calibration, seed=seed)
        for feature, kept in plan.sizes.items():
            group = self._group(plan, named, feature)
            stays = _survivors(group, scorer, kept)
            if entry.folded and not bool(stays.all()):
                fold(model, group, stays)
            for each in group.slices:
                belongs = each.member >= 0
                masks[each.tensor][each.axis][belongs] &= stays[each.member[belongs]]
        return {name: tuple(mask.nonzero().flatten() for mask in each) for name, each in masks.items()}

    def _group(self, plan: Plan, named: Mapping[str, Tensor], feature: Feature) -> CoupledGroup:
        """One as the module is now, its members counted as in the first network."""
        slices = (
            Slice(tensor=each.tensor, axis=each.axis, member=each.member[self.places[each.tensor][each.axis]])
            for each in slices_of(plan.coupled, named, feature.factor)
        )
        return CoupledGroup(feature=feature, slices=tuple(slices))

    # The module -----------------------------------------------------------------------------------------------------

    def _make(self, model: nn.Module, plan: Plan, index: Index, calibration: Calibration | None) -> list[Moved]:
        after = plan.outcome().graph
        old = dict(model.named_parameters(remove_duplicate=False))
        without_blocks(model, self.now, after)
        before = tensors_of(model)
        of_tensor = {id(before[name]): each for name, each in index.items() if name in before and name in after.tensors}
        full = copy.deepcopy(model) if calibration is not None else None
        # What is drawn here is written over.
        with torch.random.fork_rng():
            resize(model, self.now, after)
        _fill(model, before, of_tensor)
        self.now = after
        self.places = {
            name: [place[kept] for place, kept in zip(self.places[name], index[name], strict=True)] for name in before
        }
        if full is not None and calibration is not None:
            prove(full, model, {name: of_tensor.get(id(each), ()) for name, each in before.items()}, calibration)
        new = dict(model.named_parameters(remove_duplicate=False))
        return [
            Moved(old=each, new=new.get(name), index=of_tensor.get(id(each), ()))
            for name, each in old.items()
            if new.get(name) is not each
        ]


def _survivors(group: CoupledGroup, scorer: Scorer, kept: int) -> Tensor:
    """Whether each member stays: [members]."""
    left = torch.zeros(group.members, dtype=torch.bool)
    for each in group.slices:
        left[each.member[each.member >= 0]] = True
    count = int(left.sum())
    if kept > count:
        raise ConfigError(
            f"{group.feature.kind}: got {kept} of {group.name}, need at most the {count} that are left; try phases "
            "that keep less and less",
            field=group.feature.kind,
        )
    if kept == count:
        return left
    score = scorer.of(group)
    # The first of equal ones, and of those that went none, whatever the score.
    order = sorted(range(group.members), key=lambda member: (not left[member], -float(score[member]), member))
    stays = torch.zeros_like(left)
    stays[order[:kept]] = True
    return stays


@torch.no_grad()
def _fill(model: nn.Module, before: Mapping[str, Tensor], index: Mapping[int, tuple[Tensor, ...]]) -> None:
    """Let every parameter and buffer be what stays of the one that had its name."""
    learns = {name: each.requires_grad for name, each in before.items()}
    for name, new in tensors_of(model).items():
        old = before[name]
        if new is old:
            continue
        stays = kept_of(old, index.get(id(old), ()))
        if stays.shape != new.shape:
            raise ConfigError(
                f"got {name} of {tuple(new.shape)}, need {tuple(stays.shape)}, which is what is left of it; try phases "
                "that keep less and less of the same structure"
            )
        new.copy_(stays)
        new.requires_grad_(learns[name])


def kept_of(tensor: Tensor, index: tuple[Tensor, ...]) -> Tensor:
    """What stays of a tensor, axis by axis; all of it where nothing is said."""
    for axis, places in enumerate(index):
        if len(places) != tensor.shape[axis]:
            tensor = tensor.index_select(axis, places.to(tensor.device))
    return tensor
