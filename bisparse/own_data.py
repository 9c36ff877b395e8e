"""A torch ``Dataset`` as the data of a training run: read once into the ``.npz`` that such a run can be gone on with.

What is read is images with class indices, as ``training.data.archive`` takes them; whatever the data set does to them
as it is read (augmentation) is done once. torch is not imported: anything with a length whose items are pairs will do.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .configs.errors import ConfigError
from .configs.whole_file import write_all_whole

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


def _read(samples: Any, split: str) -> tuple[Any, Any]:
    try:
        pairs = [samples[number] for number in range(len(samples))]
        inputs, targets = zip(*((np.asarray(image), int(label)) for image, label in pairs), strict=True)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"data: {split}: got {type(samples).__name__} ({error}), need a data set with a length, whose items are "
            "(image, class); try torch.utils.data.TensorDataset(images, classes)"
        ) from error
    shapes = {image.shape for image in inputs}
    if len(shapes) > 1:
        raise ConfigError(
            f"data: {split}: got images of {len(shapes)} shapes, need one; try a transform that resizes them"
        )
    return np.stack(inputs), np.asarray(targets)
