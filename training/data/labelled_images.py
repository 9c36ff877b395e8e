"""From images and class indices that a user brought to a data set, or to an error that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...configs.errors import ConfigError
from .data_set import Array, DataSet, Split, image_set
from .splits import completed


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
        train: images [N, C, H, W] and class indices [N].
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
                f"{name}: {split_name}: got images of {_extents(split)}, need {_extents(train)} as in train"
            )
    classes = _check_labels(name, given)
    kept, for_validation, for_test, how = completed(train, validation, test)
    for split_name, split in {"train": kept, "validation": for_validation, "test": for_test}.items():
        if len(split) == 0:
            raise ConfigError(
                f"{name}: {split_name}: got no sample out of {len(train)}, need one or more; try more training samples"
            )
    return image_set(
        name,
        train=kept,
        validation=for_validation,
        test=for_test,
        class_names=class_names if class_names is not None else [str(label) for label in range(classes)],
        source=f"{source}; {how}",
    )


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


def checked_images(where: str, images: Array) -> Array:
    """Images as [N, C, H, W], bytes or finite float32.

    Raises:
        ConfigError: another layout or type.
    """
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4:
        raise ConfigError(
            f"{where}: got an array of {images.ndim} axes, need images [N, C, H, W] or [N, H, W]; try numpy.reshape"
        )
    if images.shape[-1] in (1, 3, 4) and images.shape[1] > 4:
        raise ConfigError(
            f"{where}: got shape {list(images.shape)} with channels last, need [N, C, H, W]; "
            "try numpy.transpose(images, (0, 3, 1, 2))"
        )
    if 0 in images.shape[1:]:
        raise ConfigError(f"{where}: got shape {list(images.shape)}, need images with pixels")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise ConfigError(f"{where}: got type {images.dtype}, need uint8 or a float type; try images.astype('uint8')")
    # What float32 cannot hold becomes infinite here, and is told below.
    with np.errstate(over="ignore"):
        pixels = np.ascontiguousarray(images, dtype=np.float32)
    if not np.isfinite(pixels).all():
        raise ConfigError(
            f"{where}: got a pixel that is not finite in float32, need finite numbers; try numpy.nan_to_num"
        )
    return pixels


def checked_labels(where: str, labels: Array, samples: int) -> Array:
    """Class indices as int64 [N].

    Raises:
        ConfigError: another layout, type or number of them, or a negative one.
    """
    if labels.ndim != 1:
        raise ConfigError(
            f"{where}: got shape {list(labels.shape)}, need one class index a sample [N]; "
            "try targets.argmax(1) of one-hot rows"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ConfigError(f"{where}: got type {labels.dtype}, need integers; try targets.astype('int64')")
    if len(labels) != samples:
        raise ConfigError(f"{where}: got {len(labels)} targets, need {samples}, one an image")
    if len(labels) and int(labels.min()) < 0:
        raise ConfigError(f"{where}: got class {int(labels.min())}, need class indices from 0")
    if len(labels) and int(labels.max()) > np.iinfo(np.int64).max:
        raise ConfigError(f"{where}: got class {int(labels.max())}, need class indices that int64 holds")
    return labels.astype(np.int64)
