"""Drives groups to zero while a network trains: what is due before and after each update, and which groups those are.

As many groups of each number are chosen as a ``keep`` of the next phase leaves out, in periods of equally many. In the
last update what is left of the chosen ones is set to zero, and its share of the squared norm is noted: of a rule that
worked it is little. Then they are removed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ....graph import TrainingGraph
from ....rewrites.in_torch.coupled_slices import CoupledGroup, slices_of, tensors_of
from ....rewrites.keep import Keep, Plan
from ...group_penalty import GroupPenalty
from ...run_plan import Stretch
from . import GROUP_STEPS, Moment
from .driven_groups import DrivenGroups


class GroupDriver:
    """At work on a model.

    Args:
        penalty: says how.
        model: whose groups they are.
        plans: what each ``keep`` leaves of the model as it is.
        span: the first update that drives, and the first one after the last.

    Attributes:
        groups: that are driven.
        left_over: of each, the share of its squared norm that was set to zero at the end; empty before it.
    """

    def __init__(self, penalty: GroupPenalty, model: nn.Module, plans: Sequence[Plan], span: tuple[int, int]) -> None:
        self._penalty, self._span, self._step = penalty, span, GROUP_STEPS[penalty.rule]
        named = tensors_of(model)
        self.groups = [
            DrivenGroups(
                model,
                CoupledGroup(feature=feature, slices=slices_of(plan.coupled, named, feature.factor)),
                kept,
            )
            for plan in plans
            for feature, kept in plan.sizes.items()
            if kept < feature.factor.size
        ]
        self.left_over: dict[str, float] = {}
        self._before: list[Tensor] = []

    def _edges(self) -> list[int]:
        first, end = self._span
        return [first + (end - first) * each // self._penalty.periods for each in range(self._penalty.periods + 1)]

    def _drives(self, update: int) -> bool:
        return self._span[0] <= update < self._span[1]

    @torch.no_grad()
    def before_update(self, update: int) -> None:
        """Choose what is due, and add the penalty to the gradients.

        Args:
            update: counted from 0.
        """
        if not self._drives(update):
            return
        edges = self._edges()
        if update in edges[:-1] and self._step.saliency is not None:
            period = max(number for number, edge in enumerate(edges[:-1]) if edge == update) + 1
            for group in self.groups:
                self._choose(group, round(group.redundant * period / self._penalty.periods))
        if self._step.penalty is not None:
            assert self._penalty.strength is not None, "a penalty has one"
            for group in self.groups:
                added = self._step.penalty(group.weights(), group.gains, self._penalty.strength)
                group.add_to_gradients(added * group.chosen[:, None])
        self._before = [] if self._step.after is None else [group.weights() for group in self.groups]

    def _choose(self, group: DrivenGroups, count: int) -> None:
        assert self._step.saliency is not None, "whoever calls knows"
        saliency = self._step.saliency(group.weights(), group.gradients(), group.gains)
        # What was chosen before stays so.
        order = saliency.masked_fill(group.chosen, -torch.inf).sort(stable=True).indices
        group.chosen[order[:count]] = True

    @torch.no_grad()
    def after_update(self, update: int, optimizer: torch.optim.Optimizer) -> None:
        """Do what the rule makes of an update; at the end set to zero what was chosen.

        Args:
            update: counted from 0: that was just made.
            optimizer: that made it.
        """
        if self._drives(update) and self._step.after is not None:
            for group, before in zip(self.groups, self._before, strict=True):
                group.write(self._step.after(self._moment(group, before, update, optimizer)))
                # What has vanished stays so, whatever the optimizer remembers of it.
                group.silence(group.chosen & ~before.any(dim=1), optimizer)
        self._before = []
        if update == self._span[1] - 1:
            self._close()
            for group in self.groups:
                group.silence(group.chosen, optimizer)

    def _moment(self, group: DrivenGroups, before: Tensor, update: int, optimizer: torch.optim.Optimizer) -> Moment:
        first, end = self._span
        return Moment(
            before=before,
            trial=group.weights(),
            gains=group.gains,
            chosen=group.chosen,
            kept=group.kept,
            rate=optimizer.param_groups[0]["lr"],
            strength=self._penalty.strength or 0.0,
            left=next(edge for edge in self._edges() if edge > update) - update,
            passed=(update - first) / (end - first),
            projects_from=1.0 if self._penalty.projects_from is None else self._penalty.projects_from,
        )

    def _close(self) -> None:
        for group in self.groups:
            squares = group.weights().square().sum(1)
            if self._step.saliency is None:
                order = squares.sort(stable=True).indices
                group.chosen[order[: group.redundant]] = True
            left = float(squares[group.chosen].sum() / squares.sum().clamp_min(1e-30))
            self.left_over[group.name] = max(left, self.left_over.get(group.name, 0.0))

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        return {"chosen": [each.chosen for each in self.groups], "left_over": dict(self.left_over)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        for each, chosen in zip(self.groups, state["chosen"], strict=True):
            each.chosen = chosen.to(each.chosen.device)
        self.left_over = dict(state["left_over"])


def drivers_of(
    found: Sequence[Stretch], model: nn.Module, graph: TrainingGraph, *, first_step: int
) -> list[GroupDriver]:
    """What drives groups of a model to zero in the stretches of a run that are still to come.

    Args:
        found: all stretches of the run.
        model: as it is.
        graph: of a training step of it.
        first_step: updates of the run before it.
    """
    return [
        GroupDriver(
            each.groups_to_zero,
            model,
            [entry.plan(graph) for entry in after.rewrites if isinstance(entry, Keep)],
            (each.first_step, each.first_step + each.steps),
        )
        for each, after in itertools.pairwise(found)
        if each.groups_to_zero is not None and first_step < each.first_step + each.steps
    ]
