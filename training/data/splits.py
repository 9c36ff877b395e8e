"""Cutting labelled samples into splits: stratified by class, by a fixed seed that no training seed touches.

The stream is numpy's legacy ``RandomState``, which numpy promises never to change: a split stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...configs.arrays import IntArray
from .data_set import Array, Split

SEED = 20230913
"""Of every split that this package makes."""

VALIDATION_SHARE = 0.1
TEST_SHARE = 0.2
"""Shares of the training samples that become a split which the data do not bring."""


def stratified(targets: Array, sizes: Sequence[int]) -> list[IntArray]:
    """Disjoint sets of positions, of the sizes asked for, each with its fair share of every class within one.

    Args:
        targets: class index of each sample [N].
        sizes: samples of each part; together N.

    >>> [len(part) for part in stratified(np.repeat([0, 1], 10), (14, 2, 4))]
    [14, 2, 4]
    """
    assert sum(sizes) == len(targets)
    shuffled = np.random.RandomState(SEED).permutation(len(targets)).astype(np.int64)
    # Each class is spread evenly over [0, 1): cutting the line anywhere cuts every class in the same ratio.
    place = np.empty(len(targets))
    for label in np.unique(targets):
        members = np.flatnonzero(targets[shuffled] == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    line = shuffled[np.argsort(place, kind="stable")]
    return np.split(line, np.cumsum(sizes)[:-1])


def take(inputs: Array, targets: Array, positions: IntArray) -> Split:
    """The samples at some positions."""
    return Split(inputs=inputs[positions], targets=targets[positions])


def completed(train: Split, validation: Split | None, test: Split | None) -> tuple[Split, Split, Split, str]:
    """Three splits, and in words how they were made: what is missing is cut out of the training samples."""
    missing = {"validation": (validation, VALIDATION_SHARE), "test": (test, TEST_SHARE)}
    sizes = [0 if split is not None else round(share * len(train)) for split, share in missing.values()]
    if not any(split is None for split, _ in missing.values()):
        assert validation is not None
        assert test is not None
        return train, validation, test, "splits as given"
    # Rows with a class at every position are of no class themselves.
    classes = train.targets if train.targets.ndim == 1 else np.zeros(len(train), dtype=np.int64)
    positions = stratified(classes, (len(train) - sum(sizes), *sizes))
    kept, for_validation, for_test = (take(train.inputs, train.targets, part) for part in positions)
    cut = [
        f"{name} is {share:.0%} of the training samples, {'stratified' if train.targets.ndim == 1 else 'drawn'}"
        for name, (split, share) in missing.items()
        if split is None
    ]
    return kept, validation or for_validation, test or for_test, "; ".join(cut)
