"""A data set cut by its classes: the tasks of a network that learns them one after another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...configs.errors import ConfigError
from .data_set import DataSet, Split


def classes_of_task(data: DataSet, task: int, of: int) -> range:
    """The classes of one of so many tasks: neighbours, as many in each, or one more in the last ones.

    Raises:
        ConfigError: the data are no images, or have fewer than two classes a task.

    >>> from types import SimpleNamespace
    >>> [list(classes_of_task(SimpleNamespace(kind="images", classes=5, name="five"), task, 2)) for task in (1, 2)]
    [[0, 1], [2, 3, 4]]
    """
    if data.kind != "images" or data.classes < 2 * of:
        got = f"{data.classes} classes" if data.kind == "images" else "a text"
        raise ConfigError(f"data: got {data.name}, {got}, need images of at least {2 * of} classes, two for each task")
    return range(data.classes * (task - 1) // of, data.classes * task // of)


def with_classes(data: DataSet, classes: range) -> DataSet:
    """The samples of some classes, numbered and standardised as among all."""
    train, validation, test = (_of(split, classes) for split in (data.train, data.validation, data.test))
    return replace(data, train=train, validation=validation, test=test)


def _of(split: Split, classes: range) -> Split:
    chosen = np.isin(split.targets, list(classes))
    return Split(inputs=split.inputs[chosen], targets=split.targets[chosen])
