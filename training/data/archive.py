"""The user's own ``.npz``: arrays ``train_inputs`` and ``train_targets``, optionally ``validation_*`` and ``test_*``.

Images are [N, C, H, W], or [N, H, W] of one channel; vectors [N, F], volumes [N, C, D, H, W]; uint8 or a float type.
Integers [N, T] of another type are tokens. Targets are class indices [N] from 0; of tokens also [N, T], -100 where
there is none. A split that is missing is cut out of the training samples (``splits``): 10% for validation, 20% for the
test.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ...configs.errors import ConfigError
from .data_set import Array, DataSet, Split
from .labelled_samples import checked_inputs, checked_labels, from_splits

_SPLITS = ("train", "validation", "test")
_NAMES = tuple(f"{split}_{part}" for split in _SPLITS for part in ("inputs", "targets"))


def load_archive(path: Path) -> DataSet:
    """The data set of one ``.npz``.

    Raises:
        ConfigError: not such a file, or its arrays are not as the module says.
    """
    if not zipfile.is_zipfile(path):
        raise ConfigError(f"{path}: got no .npz, need one; try numpy.savez({path.name!r}, train_inputs=..., ...)")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: got {str(error).partition(chr(10))[0]}, need plain arrays of numbers") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            # NumPy hands out what is no array of its own format as it stands.
            raise ConfigError(f"{path}: {name}: got no array, need one as numpy.savez writes it")
    unknown = sorted(arrays.keys() - set(_NAMES))
    if unknown:
        raise ConfigError(f"{path}: got an array {unknown[0]!r}, need arrays among {', '.join(_NAMES)}")
    splits = {split: _split(path, split, arrays) for split in _SPLITS}
    train = splits["train"]
    if train is None:
        raise ConfigError(
            f"{path}: got no train_inputs, need train_inputs (images [N, C, H, W], say) and train_targets [N]"
        )
    return from_splits(
        str(path),
        train=train,
        validation=splits["validation"],
        test=splits["test"],
        class_names=None,
        source=f"{path.name}, the user's archive",
    )


def _split(path: Path, split: str, arrays: dict[str, Array]) -> Split | None:
    inputs, targets = arrays.get(f"{split}_inputs"), arrays.get(f"{split}_targets")
    if inputs is None and targets is None:
        return None
    if inputs is None or targets is None:
        lacking = "inputs" if inputs is None else "targets"
        raise ConfigError(f"{path}: got no {split}_{lacking}, need it beside the other array of {split}")
    samples = checked_inputs(f"{path}: {split}_inputs", inputs)
    return Split(inputs=samples, targets=checked_labels(f"{path}: {split}_targets", targets, samples))
