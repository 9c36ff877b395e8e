"""Short training runs, and what kills them."""

from __future__ import annotations

import csv

from bisparse.training.loop import train
from bisparse.training.settings import settings_for


def digits(recipe="bdwp", **given):
    """A short run: one epoch of 37 steps."""
    needs_adam = {"optimizer": "adam", "learning_rate": 3e-3} if recipe == "step" else {}
    return settings_for("mlp", "digits", recipe, given.pop("sparsity", "2:8"), **{"epochs": 1, **needs_adam, **given})


def shortest(recipe):
    """A run of 18 steps, the 9th of which is the last before STEP switches."""
    return digits(recipe, sparsity="2:4", batch=64)


def run(settings, directory, **given):
    return train(settings, directory, version="test", **given)


class KilledError(Exception):
    """What stands for a kill at a certain step."""


def killed_at(step):
    def progress(task, done, of):
        if done == step:
            raise KilledError

    return progress


def log_rows(directory):
    with (directory / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))
