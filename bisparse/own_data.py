"""A torch ``Dataset`` as the data of a training run: read once into the ``.npz`` that such a run can be gone on with.

What is read is samples with class indices, as ``training.data.archive`` takes them: images, vectors, volumes, or rows
of tokens with a class a row or a position. Whatever the data set does to them as it is read (augmentation) is done
once. torch is not imported: anything with a length whose items are pairs will do, or mappings of two entries.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .configs.errors import ConfigError
from .configs.whole_file import write_all_whole

if TYPE_CHECKING:
    import torch

    Data = torch.utils.data.Dataset[Any]
    """Anything with a length whose items are (image, class)."""

DATA_FILE = "data.npz"

_SPLITS = ("train", "validation", "test")


def data_name(data: object, out: Path) -> str:
    """What names the data of a run.

    Args:
        data: a name or a path, which it stays; or a data set, or a mapping of ``train`` and perhaps ``validation`` and
            ``test`` to one each.
        out: the run's directory, which gets the file.

    Raises:
        ConfigError: it is no data set, or its items are no pairs of an image and a class.
    """
    if isinstance(data, str | Path):
        return str(data)
    splits = dict(data) if isinstance(data, Mapping) else {"train": data}
    unknown = [split for split in splits if split not in _SPLITS]
    if unknown or "train" not in splits:
        got = repr(unknown[0]) if unknown else "no train"
        raise ConfigError(f"data: got {got}, need splits among {', '.join(_SPLITS)}, train among them")
    arrays: dict[str, Any] = {}
    for split, samples in splits.items():
        arrays[f"{split}_inputs"], arrays[f"{split}_targets"] = _read(samples, split)
    written = io.BytesIO()
    np.savez(written, **arrays)
    out.mkdir(parents=True, exist_ok=True)
    file = out / DATA_FILE
    if not file.is_file() or file.read_bytes() != written.getvalue():
        write_all_whole(out, {DATA_FILE: written.getvalue()})
    return str(file)


_TARGETS = ("labels", "label", "targets", "target")


def _read(samples: Any, split: str) -> tuple[Any, Any]:
    try:
        pairs = [_pair(samples[number]) for number in range(len(samples))]
        inputs, targets = zip(*((np.asarray(sample), _classes(target)) for sample, target in pairs), strict=True)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"data: {split}: got {type(samples).__name__} ({error}), need a data set with a length, whose items are "
            "(sample, class); try torch.utils.data.TensorDataset(images, classes)"
        ) from error
    for what, arrays, hint in (
        ("samples", inputs, "a transform that resizes images, or padding of tokens"),
        ("targets", targets, "padding with -100"),
    ):
        shapes = {array.shape for array in arrays}
        if len(shapes) > 1:
            raise ConfigError(f"data: {split}: got {what} of {len(shapes)} shapes, need one; try {hint}")
    return np.stack(inputs), np.stack(targets)


def _pair(item: Any) -> tuple[Any, Any]:
    """A sample and its target; of a mapping, which of the two is the target its name tells."""
    if not isinstance(item, Mapping):
        sample, target = item
        return sample, target
    names = [name for name in item if name in _TARGETS]
    others = [name for name in item if name not in _TARGETS]
    if len(names) != 1 or len(others) != 1:
        raise ValueError(
            f"an item holds {', '.join(map(str, item)) or 'nothing'}; of a mapping one input and one of "
            f"{', '.join(_TARGETS)} are read"
        )
    return item[others[0]], item[names[0]]


def _classes(target: Any) -> Any:
    """Class indices as an array of integers, none cut off in silence."""
    classes = np.asarray(target)
    if np.issubdtype(classes.dtype, np.integer):
        return classes.astype(np.int64)
    whole = classes.astype(np.int64)
    if not (whole == classes).all():
        raise ValueError(f"a target is {target}, no class index")
    return whole
