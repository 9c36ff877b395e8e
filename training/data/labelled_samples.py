"""From samples and classes that a user brought to a data set, or to an error that says what is wrong with them.

What the samples are, their arrays tell: images, vectors or volumes of numbers, or rows of token indices; and so do the
targets: a class a sample, or one a position of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...configs.errors import ConfigError
from .data_set import Array, DataSet, Kind, Split, sample_set
from .splits import completed

IGNORED = -100
"""Of a position that neither loss nor accuracy counts, as torch's own cross-entropy has it."""


def from_splits(
    name: str,
    *,
    train: Split,
    validation: Split | None,
    test: Split | None,
    class_names: Sequence[str] | None,
    source: str,
) -> DataSet:
    """The data set of splits that a user brought; a split that is missing is cut out of ``train``.

    Args:
        name: of the data set; errors start with it.
        train: what ``checked_inputs`` and ``checked_labels`` gave.
        validation: the same, or None.
        test: the same, or None.
        class_names: names, or None to number the classes of ``train``.
        source: in words.

    Raises:
        ConfigError: shapes differ, a class has no training sample, or a split would be empty.
    """
    given = {"train": train, "validation": validation, "test": test}
    for split_name, split in given.items():
        if split is None:
            continue
        if len(split) == 0:
            raise ConfigError(f"{name}: {split_name}: got no sample, need one or more")
        if split.inputs.shape[1:] != train.inputs.shape[1:]:
            raise ConfigError(
                f"{name}: {split_name}: got {_samples(split)} of {_extents(split)}, need {_samples(train)} of "
                f"{_extents(train)} as in train"
            )
        if split.inputs.dtype != train.inputs.dtype and np.int64 in (split.inputs.dtype, train.inputs.dtype):
            raise ConfigError(f"{name}: {split_name}: got {_samples(split)}, need {_samples(train)} as in train")
        if split.targets.ndim != train.targets.ndim:
            raise ConfigError(
                f"{name}: {split_name}_targets: got {split.targets.ndim} axes, need {train.targets.ndim} as in train"
            )
    in_rows = train.targets.ndim == 2
    classes = _symbols(given) if in_rows else _check_labels(name, given)
    kept, for_validation, for_test, how = completed(train, validation, test)
    for split_name, split in {"train": kept, "validation": for_validation, "test": for_test}.items():
        if len(split) == 0:
            raise ConfigError(
                f"{name}: {split_name}: got no sample out of {len(train)}, need one or more; try more training samples"
            )
    return sample_set(
        name,
        _kind(train),
        train=kept,
        validation=for_validation,
        test=for_test,
        class_names=class_names if class_names is not None else [str(label) for label in range(classes)],
        source=f"{source}; {how}",
    )


def _kind(split: Split) -> Kind:
    if split.inputs.dtype == np.int64:
        return "sequences" if split.targets.ndim == 2 else "labelled-sequences"
    return "images" if split.inputs.ndim == 4 else "features"


def _symbols(splits: dict[str, Split | None]) -> int:
    """Classes that positions have, whichever split holds them: a rare one may be in none but the test."""
    return 1 + max(int(split.targets.max()) for split in splits.values() if split is not None)


def _check_labels(name: str, splits: dict[str, Split | None]) -> int:
    train = splits["train"]
    assert train is not None
    seen = np.unique(train.targets)
    classes = int(seen[-1]) + 1
    if len(seen) != classes:
        absent = next(label for label in range(classes) if label not in seen)
        raise ConfigError(
            f"{name}: train_targets: got no sample of class {absent}, need every class from 0 to {classes - 1}; "
            "try numbering the classes without gaps"
        )
    if classes < 2:
        raise ConfigError(f"{name}: train_targets: got one class, need two or more")
    for split_name, split in splits.items():
        if split is not None and int(split.targets.max()) >= classes:
            raise ConfigError(
                f"{name}: {split_name}_targets: got class {int(split.targets.max())}, "
                f"need 0 to {classes - 1} as in train_targets"
            )
    return classes


def _extents(split: Split) -> str:
    return "x".join(str(extent) for extent in split.inputs.shape[1:])


def _samples(split: Split) -> str:
    return {"images": "images", "features": "samples"}.get(_kind(split), "rows of tokens")


def checked_inputs(where: str, inputs: Array) -> Array:
    """Samples as training reads them: bytes or finite float32, or token indices as int64.

    Images are [N, C, H, W], or [N, H, W] of one channel; other numbers [N, F], or [N, C, D, H, W]; tokens [N, T].

    Raises:
        ConfigError: another layout or type.
    """
    is_tokens = inputs.ndim == 2 and np.issubdtype(inputs.dtype, np.integer) and inputs.dtype != np.uint8
    if is_tokens:
        return _checked_tokens(where, inputs)
    if inputs.ndim == 3:
        inputs = inputs[:, None]
    if inputs.ndim not in (2, 4, 5):
        raise ConfigError(
            f"{where}: got an array of {inputs.ndim} axes, need images [N, C, H, W] or [N, H, W], volumes "
            "[N, C, D, H, W], vectors [N, F] or tokens [N, T]; try numpy.reshape"
        )
    if inputs.ndim == 4 and inputs.shape[-1] in (1, 3, 4) and inputs.shape[1] > 4:
        raise ConfigError(
            f"{where}: got shape {list(inputs.shape)} with channels last, need [N, C, H, W]; "
            "try numpy.transpose(images, (0, 3, 1, 2))"
        )
    if 0 in inputs.shape[1:]:
        raise ConfigError(f"{where}: got shape {list(inputs.shape)}, need samples with elements")
    if inputs.dtype == np.uint8:
        return np.ascontiguousarray(inputs)
    if not np.issubdtype(inputs.dtype, np.floating):
        raise ConfigError(f"{where}: got type {inputs.dtype}, need uint8 or a float type; try images.astype('uint8')")
    # What float32 cannot hold becomes infinite here, and is told below.
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(inputs, dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise ConfigError(
            f"{where}: got an element that is not finite in float32, need finite numbers; try numpy.nan_to_num"
        )
    return numbers


def _checked_tokens(where: str, tokens: Array) -> Array:
    if 0 in tokens.shape[1:]:
        raise ConfigError(f"{where}: got shape {list(tokens.shape)}, need rows with tokens")
    if tokens.size and (int(tokens.min()) < 0 or int(tokens.max()) > np.iinfo(np.int64).max):
        raise ConfigError(f"{where}: got token {int(tokens.min())}, need indices from 0 that int64 holds")
    return np.ascontiguousarray(tokens, dtype=np.int64)


def checked_labels(where: str, labels: Array, inputs: Array) -> Array:
    """Class indices as int64 [N]; of tokens [N, T] also [N, T], where ``IGNORED`` marks a position without a class.

    Args:
        where: of the array, for errors.
        labels: the targets.
        inputs: what ``checked_inputs`` made of the samples.

    Raises:
        ConfigError: another layout, type or number of them, or a negative one.
    """
    tokens = inputs.dtype == np.int64
    if labels.ndim != 1 and not (tokens and labels.ndim == 2):
        raise ConfigError(
            f"{where}: got shape {list(labels.shape)}, need one class index a sample [N]"
            + (" or one a token [N, T]" if tokens else "; try targets.argmax(1) of one-hot rows")
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ConfigError(f"{where}: got type {labels.dtype}, need integers; try targets.astype('int64')")
    if len(labels) != len(inputs):
        raise ConfigError(f"{where}: got {len(labels)} targets, need {len(inputs)}, one a sample")
    if labels.ndim == 2 and labels.shape != inputs.shape:
        raise ConfigError(f"{where}: got shape {list(labels.shape)}, need {list(inputs.shape)}, one a token")
    known = labels[labels != IGNORED] if labels.ndim == 2 else labels
    if len(labels) and not len(known):
        raise ConfigError(f"{where}: got {IGNORED} at every position, need classes to learn")
    if len(labels) and int(known.min()) < 0:
        raise ConfigError(f"{where}: got class {int(known.min())}, need class indices from 0")
    if len(labels) and int(known.max()) > np.iinfo(np.int64).max:
        raise ConfigError(f"{where}: got class {int(known.max())}, need class indices that int64 holds")
    return labels.astype(np.int64)
