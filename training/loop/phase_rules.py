"""What a declared phase says of a step beside its masks: which samples it reads, in how many parts, and what learns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from ...configs.errors import ConfigError
from ..data import Augmentation, DataSet, TrainingBatches, steps_per_epoch
from ..data.batches import Batch
from ..passes.naming import named, patterns_in, refuse_unknown
from ..recipes.phases import Phase
from ..settings import TrainingSettings
from .timetable import Place


class PhaseRules:
    """Of one run.

    Args:
        settings: of the run.
        data: that it reads.
        tasks: the data of each task; all of them where there is one.
        model: that it trains.
        phases: of its recipe.

    Raises:
        ConfigError: a phase freezes what the model has not, or all of it, or its batch does not suit.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        data: DataSet,
        tasks: Sequence[DataSet],
        model: nn.Module,
        phases: Iterable[Phase],
    ) -> None:
        self._settings, self._data = settings, data
        self._learners = {name: each for name, each in model.named_parameters() if each.requires_grad}
        self._tasks = tasks
        self._batches: tuple[tuple[int, int, int], TrainingBatches] | None = None
        for phase in phases:
            self._check_batch(phase)
            if phase.freeze and self._frozen(phase, of=type(model).__name__) == set(self._learners):
                raise ConfigError(
                    f"schedule.phases: {phase.name}: freeze: got {phase.freeze!r}, need a parameter that still learns"
                )

    def _check_batch(self, phase: Phase) -> None:
        batch = phase.batch or self._settings.batch
        steps_per_epoch(self._tasks[(phase.task or 1) - 1], batch)
        if batch % phase.accumulate:
            raise ConfigError(
                f"schedule.phases: {phase.name}: accumulate: got {phase.accumulate}, need a divisor of the batch, "
                f"{batch}"
            )

    def _frozen(self, phase: Phase, *, of: str) -> set[str]:
        patterns = patterns_in("freeze", phase.freeze)
        for pattern in patterns:
            refuse_unknown(
                f"schedule.phases: {phase.name}: freeze", pattern, self._learners, what="a parameter that learns", of=of
            )
        return {name for name in self._learners if any(named(pattern, name) for pattern in patterns)}

    def let_learn(self, phase: Phase) -> None:
        """Let those parameters learn that do so in a phase."""
        patterns = patterns_in("freeze", phase.freeze) if phase.freeze else ()
        for name, parameter in self._learners.items():
            parameter.requires_grad_(not any(named(pattern, name) for pattern in patterns))

    def let_all_learn(self) -> None:
        """Let every parameter learn again that a phase held."""
        for parameter in self._learners.values():
            parameter.requires_grad_(True)

    def batch(self, phase: Phase, place: Place) -> Batch:
        """What a step reads. A phase with a batch or a task of its own goes through its data at its own pace."""
        batch, data = phase.batch or self._settings.batch, self._tasks[(phase.task or 1) - 1]
        if phase.batch is None and phase.task is None:
            return self._epoch(data, batch, place.order)[place.batch]
        own = steps_per_epoch(data, batch)
        first = phase.first_step // steps_per_epoch(self._data, self._settings.batch)
        epoch, number = divmod(max(place.at_step - phase.first_step, 0), own)
        return self._epoch(data, batch, first + epoch)[number]

    def _epoch(self, data: DataSet, batch: int, order: int) -> TrainingBatches:
        key = (id(data), batch, order)
        if self._batches is None or self._batches[0] != key:
            varied = Augmentation(shift=self._settings.shift, flip=self._settings.flip)
            drawn = TrainingBatches(
                data, batch=batch, seed=self._settings.seed, epoch=order, augmentation=varied or None
            )
            self._batches = key, drawn
        return self._batches[1]
