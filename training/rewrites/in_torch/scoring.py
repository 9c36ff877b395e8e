"""Scores of coupled groups of a module, and what all of a network's groups say of each layer when they are ranked."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError
from ...graph import TrainingGraph
from ..choice import ChoiceName
from ..features import FeatureKind
from .calibration import Calibration, gradients_of, inputs_of
from .coupled_slices import CoupledGroup, coupled_slices
from .group_scores import GROUP_SCORES, SeenGroup
from .layer_parts import BATCH_NORMS


class Scorer:
    """What members of groups are compared by, and what it takes to know it, found once for all groups.

    Args:
        model: as it is.
        chosen_by: the score.
        calibration: batches that it may need.
        seed: of what is drawn.

    Raises:
        ConfigError: it needs batches and there are none.
    """

    def __init__(
        self, model: nn.Module, chosen_by: ChoiceName, calibration: Calibration | None, *, seed: int = 0
    ) -> None:
        self._score = GROUP_SCORES[chosen_by]
        needs = self._score.needs
        if needs is not None and calibration is None:
            raise ConfigError(
                f"chosen_by: got {chosen_by}, need batches to look at; try bisparse train, or magnitude",
                field="chosen_by",
            )
        self._gradients = gradients_of(model, calibration) if calibration and needs == "gradients" else {}
        self._inputs = inputs_of(model, calibration) if calibration and needs == "inputs" else {}
        self._parameters = {name: each.detach() for name, each in model.named_parameters(remove_duplicate=False)}
        self._scales = {
            f"{path}.weight".lstrip(".")
            for path, module in model.named_modules()
            if isinstance(module, BATCH_NORMS) and module.affine
        }
        self._generator = torch.Generator().manual_seed(seed)

    def of(self, group: CoupledGroup) -> Tensor:
        """A number a member, [members], on the CPU; what is no number is the smallest."""
        score = self._score.of(
            SeenGroup(
                group=group,
                parameters=self._parameters,
                gradients=self._gradients,
                inputs=self._inputs,
                scales=self._scales,
                generator=self._generator,
            )
        )
        return score.double().cpu().nan_to_num(-torch.inf)


def ranked_ratios(
    model: nn.Module,
    graph: TrainingGraph,
    kind: FeatureKind,
    share: float,
    chosen_by: ChoiceName,
    *,
    calibration: Calibration | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """How much of each layer stays when the members of all groups are ranked in one list: ratios for ``keep``.

    Scores are divided by the mean of their group, so that large layers do not win by their size; each group keeps a
    member at least. So a threshold of the whole network gives every layer a ratio of its own.

    Args:
        model: trained, or not.
        graph: of a training step of it.
        kind: what is ranked.
        share: of all members that stays, above 0, at most 1.
        chosen_by: the score.
        calibration: batches that it may need.
        seed: of what is drawn.

    Returns:
        By the layer that makes a group first, its ratio.

    Raises:
        ConfigError: the network has none of the kind, the share is outside, or the score needs what is not there.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share: got {share}, need it above 0, at most 1; try 0.5")
    groups = [
        each
        for each in coupled_slices(model, graph)
        if each.feature.kind == kind and not each.feature.why_not and each.feature.inside
    ]
    if not groups:
        raise ConfigError(f"{kind}: got {graph.name}, need a network with {kind} that can change; try other structure")
    scorer = Scorer(model, chosen_by, calibration, seed=seed)
    scores = [score / score.mean().abs().clamp(min=1e-30) for score in map(scorer.of, groups)]
    order = torch.cat(scores).argsort(descending=True, stable=True)
    stays = torch.zeros(len(order), dtype=torch.bool)
    stays[order[: max(1, round(share * len(order)))]] = True
    ends = itertools.accumulate(each.members for each in groups)
    kept = [int(stays[end - group.members : end].sum()) for group, end in zip(groups, ends, strict=True)]
    return {group.name: max(1, own) / group.members for group, own in zip(groups, kept, strict=True)}
