"""Which training of a run a step belongs to, and where in it: most runs are one training, some repeat it.

A step of a run is counted through all its trainings; the learning rate and the order of the data go by the step in the
training, for a retraining begins where the weights were rewound to. Each training ends with a whole epoch; the first
one of a retraining may be a part of one. Torch-free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ...configs.formats import parse_format
from ..recipes.courses import Repeats
from ..recipes.declaration import Recipe
from ..recipes.run_plan import Stretch, follows_stretches, stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of a run.

    Attributes:
        cycle: 0 of the first one, which prunes nothing where there are others.
        retraining: of its cycle, from 1; 0 of the first training.
        first_step: in the run, counted from 0.
        at_step: in the training: where the weights were rewound to.
        steps: at least 1.
        name: for whoever watches; empty where a run is one training.
        kept: share of the weights; 1 of the first one.
    """

    cycle: int = 0
    retraining: int = 0
    first_step: int = 0
    at_step: int = 0
    steps: int
    name: str = ""
    kept: float = 1.0

    @property
    def end_step(self) -> int:
        """The first step of the run after it."""
        return self.first_step + self.steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Of one step.

    Attributes:
        training: that it belongs to.
        at_step: in that training, from 0.
        epoch: of that training, from 0.
        batch: of that epoch, from 0.
        done: steps done in that epoch before it.
        order: number of the epoch's order of data: a retraining that is averaged with others has orders of its own.
        ends_epoch: whether an epoch ends with it.
        ends_training: whether a training does.
    """

    training: Training
    at_step: int
    epoch: int
    batch: int
    done: int
    order: int
    ends_epoch: bool
    ends_training: bool


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """All steps of a run.

    Attributes:
        trainings: in order.
        epochs: of a whole training.
        steps_per_epoch: batches.
        repeats: how trainings are repeated; None where they are not.
    """

    trainings: tuple[Training, ...]
    epochs: int
    steps_per_epoch: int
    repeats: Repeats | None = None

    @classmethod
    def of(cls, recipe: Recipe, found: Sequence[Stretch], *, epochs: int, steps_per_epoch: int) -> Timetable:
        """That of a run.

        Args:
            recipe: the method.
            found: its stretches, of a training of so many epochs; none where it has no phases of its own.
            epochs: of a training.
            steps_per_epoch: batches.
        """
        repeats = recipe.schedule.repeats if follows_stretches(recipe) else None
        whole = (Training(steps=epochs * steps_per_epoch),)
        trainings = whole if repeats is None else tuple(_repeated(found, repeats))
        return cls(trainings=trainings, epochs=epochs, steps_per_epoch=steps_per_epoch, repeats=repeats)

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.trainings[-1].end_step

    @cached_property
    def rewinds_to(self) -> int | None:
        """The step before which the state is kept that later trainings begin with; None where none does."""
        rewinds = self.repeats is not None and self.repeats.rewind == "weights"
        return self.trainings[-1].at_step if rewinds else None

    def place(self, step: int) -> Place:
        """Where a step lies, counted from 0."""
        training = next(each for each in self.trainings if step < each.end_step)
        at_step = training.at_step + step - training.first_step
        epoch, batch = divmod(at_step, self.steps_per_epoch)
        averaged = self.repeats is not None and self.repeats.retrainings > 1
        number = self.trainings.index(training) if averaged else 0
        return Place(
            training=training,
            at_step=at_step,
            epoch=epoch,
            batch=batch,
            done=min(batch, step - training.first_step),
            order=number * self.epochs + epoch,
            ends_epoch=batch == self.steps_per_epoch - 1,
            ends_training=step == training.end_step - 1,
        )

    def epochs_before(self, step: int) -> int:
        """Epochs that ended before a step, those of a part of one included."""
        ended = 0
        for training in self.trainings:
            if step <= training.first_step:
                break
            at_step = training.at_step + min(step, training.end_step) - training.first_step
            ended += at_step // self.steps_per_epoch - training.at_step // self.steps_per_epoch
        return ended


def steps_of_run(recipe: Recipe, sparsity: str, epochs: int, steps_per_epoch: int) -> int:
    """Updates of a whole run, those of every repetition."""
    found = stretches(recipe, parse_format(sparsity), epochs * steps_per_epoch) if recipe.schedule.repeats else ()
    return Timetable.of(recipe, found, epochs=epochs, steps_per_epoch=steps_per_epoch).steps


def _repeated(found: Sequence[Stretch], repeats: Repeats) -> Sequence[Training]:
    first, *cycles = found
    trainings = [Training(steps=first.steps, name="first training")]
    for cycle, stretch in enumerate(cycles, 1):
        for again in range(stretch.times):
            name = f"cycle {cycle} of {repeats.cycles}"
            trainings.append(
                Training(
                    cycle=cycle,
                    retraining=again + 1,
                    first_step=stretch.first_step + again * stretch.steps,
                    at_step=stretch.at_step,
                    steps=stretch.steps,
                    name=name if stretch.times == 1 else f"{name}, retraining {again + 1} of {stretch.times}",
                    kept=stretch.trains.density,
                )
            )
    return trainings
