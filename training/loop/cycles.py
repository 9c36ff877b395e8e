"""What happens between the trainings of a run that repeats them: pruning, rewinding, averaging.

A cycle prunes the weights that the one before ended with, sets them back (``rewind: weights``) or leaves them, and
trains them again; several retrainings of a cycle start from the same weights under the same masks, read the data in
orders of their own, and end in the mean of their weights and of the statistics that a normalisation keeps.
"""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ..recipes.in_torch import AppliedRecipe
from ..run_summary import CycleResult
from .evaluation import Evaluation
from .timetable import Timetable, Training

Weights = dict[str, Tensor]


class Cycles:
    """The trainings of a run, one after the other.

    Args:
        timetable: of the run.
        model: that is trained.
        applied: its recipe.
        optimizer: of its weights.

    Attributes:
        results: of the cycles that ended, the first training's first.
    """

    def __init__(
        self, timetable: Timetable, model: nn.Module, applied: AppliedRecipe, optimizer: torch.optim.Optimizer
    ) -> None:
        self._timetable, self._model, self._applied, self._optimizer = timetable, model, applied, optimizer
        self.results: list[CycleResult] = []
        self._rewound: dict[str, Any] | None = None
        self._start: Weights | None = None
        self._sum: Weights | None = None
        self._alone: list[Evaluation] = []

    def before_step(self, step: int) -> None:
        """Begin the training that begins with this step, and keep the state that later ones are set back to."""
        training = self._timetable.place(step).training
        if training.cycle and step == training.first_step:
            self._begin(training)
        if not training.cycle and step == self._timetable.rewinds_to and self._rewound is None:
            self._rewound = {"model": self._weights(), "optimizer": copy.deepcopy(self._optimizer.state_dict())}

    def _begin(self, training: Training) -> None:
        self._applied.begin(training.first_step, prune=training.retraining == 1)
        if training.retraining == 1 and self._averages and self._rewound is None:
            self._start = self._weights()
        if self._rewound is not None:
            self._model.load_state_dict(self._rewound["model"])
            self._optimizer.load_state_dict(copy.deepcopy(self._rewound["optimizer"]))
            return
        if self._start is not None:
            self._model.load_state_dict(self._start)
        self._optimizer.state.clear()

    @property
    def _averages(self) -> bool:
        return self._timetable.repeats is not None and self._timetable.repeats.retrainings > 1

    def end(self, training: Training, ended: Evaluation) -> bool:
        """End a training.

        Args:
            training: that ended.
            ended: what its weights are worth.

        Returns:
            Whether the model's weights are now the mean of several trainings, whose worth ``close`` is to be told.
        """
        self._alone.append(ended)
        if not (self._averages and training.cycle):
            return False
        own = self._weights()
        self._sum = own if self._sum is None else {name: _added(each, own[name]) for name, each in self._sum.items()}
        repeats = self._timetable.repeats
        if repeats is None or training.retraining < repeats.retrainings:
            return False
        self._model.load_state_dict({name: _mean(each, repeats.retrainings) for name, each in self._sum.items()})
        return True

    def close(self, training: Training, worth: Evaluation) -> None:
        """Write down a cycle that ended; nothing where there are retrainings left."""
        repeats = self._timetable.repeats
        if repeats is None or (training.cycle and training.retraining < repeats.retrainings):
            return
        self.results.append(
            CycleResult(
                cycle=training.cycle,
                step=training.end_step,
                kept=training.kept,
                validation_loss=worth.loss,
                validation_accuracy=worth.accuracy,
                retrainings=tuple(each.accuracy for each in self._alone) if self._averages and training.cycle else (),
            )
        )
        self._alone, self._sum = [], None

    def _weights(self) -> Weights:
        return {name: each.detach().clone() for name, each in self._model.state_dict().items()}

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on from here."""
        return {
            "rewound": self._rewound,
            "start": self._start,
            "sum": self._sum,
            "alone": [asdict(each) for each in self._alone],
            "results": [asdict(each) for each in self.results],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._rewound, self._start, self._sum = state["rewound"], state["start"], state["sum"]
        self._alone = [Evaluation(**each) for each in state["alone"]]
        self.results = [CycleResult(**{**each, "retrainings": tuple(each["retrainings"])}) for each in state["results"]]


def _added(one: Tensor, other: Tensor) -> Tensor:
    # A count, of batches that a normalisation has seen, is the last one's.
    return one.to(other.device) + other if one.is_floating_point() else other


def _mean(total: Tensor, count: int) -> Tensor:
    return total / count if total.is_floating_point() else total
