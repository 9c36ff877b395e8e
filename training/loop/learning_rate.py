"""The learning rate of a step: a straight rise, then half a cosine to zero."""

from __future__ import annotations

import math

from ..settings import TrainingSettings
from .timetable import Place, Timetable


def learning_rate(settings: TrainingSettings, step: int, steps_per_epoch: int) -> float:
    """The rate of the update numbered ``step`` from 0.

    The first update of a warm-up already moves; the last update of the run is one step short of zero.
    """
    steps = settings.epochs * steps_per_epoch
    warmup = round(settings.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    passed = (step - warmup) / max(steps - warmup, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * passed))


def restarted_rate(settings: TrainingSettings, step: int, steps: int) -> float:
    """The rate of the update numbered ``step`` from 0 of a retraining that starts at the highest one."""
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def rate_at(settings: TrainingSettings, timetable: Timetable, place: Place) -> float:
    """The rate of a step of a run, by the training that it belongs to."""
    training, repeats = place.training, timetable.repeats
    if repeats is not None and repeats.rewind == "restart" and training.cycle:
        return restarted_rate(settings, place.at_step - training.at_step, training.steps)
    return learning_rate(settings, place.at_step, timetable.steps_per_epoch)
