"""A data set in memory: three splits, what they hold, and the hash that says which content a run has seen.

Images stay as they were read (mostly bytes) and are standardised when a batch is made, with the mean and the deviation
of the *training* split: a pixel scaled to [0, 1] first gives the same number. A text is a row of symbol indices; the
target of a position is the symbol after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...configs.errors import ConfigError
from ..input_shape import InputShape

Kind = Literal["images", "text"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One part of a data set; its arrays refuse to be written.

    Attributes:
        inputs: images [N, C, H, W] as they were read, or symbol indices [T].
        targets: class indices [N], or for a text the next symbols [T].
    """

    inputs: Array
    targets: Array

    def __post_init__(self) -> None:
        assert len(self.inputs) == len(self.targets)
        self.inputs.flags.writeable = False
        self.targets.flags.writeable = False

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSet:
    """What a network is trained, chosen and tested on.

    Attributes:
        name: as the user gave it.
        kind: ``images`` or ``text``.
        train: the split that is trained on, and the only one that statistics are taken of.
        validation: the split that settings are chosen on.
        test: the split of the last measurement.
        class_names: one name a class; of a text, its symbols.
        sample_shape: (C, H, W) of an image, (context,) of a text, without the batch.
        source: where the content comes from and how it was split.
        mean: of each channel over the training split, in the unit of the stored images [C]; empty for a text.
        deviation: standard deviation likewise [C]; 1 where a channel is constant.
        sha256: of the stored content: kind, names of classes and all arrays.
    """

    name: str
    kind: Kind
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    sample_shape: tuple[int, ...]
    source: str
    mean: FloatArray
    deviation: FloatArray
    sha256: str

    @property
    def classes(self) -> int:
        """Number of classes, or of symbols of a text."""
        return len(self.class_names)

    @property
    def input_shape(self) -> InputShape:
        """The input of a network for it, as capture takes it."""
        return InputShape(self.sample_shape, integer=self.kind == "text")

    def split(self, name: str) -> Split:
        """The split called ``train``, ``validation`` or ``test``."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise ConfigError(f"split: got {name!r}, need one of {', '.join(splits)}")
        return splits[name]

    def standardised(self, images: Array) -> FloatArray:
        """Images [B, C, H, W] as stored, to mean 0 and deviation 1 of the training split."""
        pixels = images.astype(np.float32)
        pixels -= self.mean[:, None, None]
        pixels /= self.deviation[:, None, None]
        return pixels


def image_set(
    name: str, *, train: Split, validation: Split, test: Split, class_names: Sequence[str], source: str
) -> DataSet:
    """A data set of images [N, C, H, W] with class indices; statistics are those of ``train``."""
    mean, deviation = _statistics(train.inputs)
    return DataSet(
        name=name,
        kind="images",
        train=train,
        validation=validation,
        test=test,
        class_names=tuple(class_names),
        sample_shape=train.inputs.shape[1:],
        source=source,
        mean=mean,
        deviation=deviation,
        sha256=_hash("images", class_names, (train, validation, test)),
    )


def text_set(
    name: str, *, train: Split, validation: Split, test: Split, symbols: Sequence[str], context: int, source: str
) -> DataSet:
    """A data set of one text, cut into three."""
    nothing = np.zeros(0, dtype=np.float32)
    return DataSet(
        name=name,
        kind="text",
        train=train,
        validation=validation,
        test=test,
        class_names=tuple(symbols),
        sample_shape=(context,),
        source=source,
        mean=nothing,
        deviation=nothing,
        sha256=_hash("text", symbols, (train, validation, test)),
    )


def _statistics(images: Array) -> tuple[FloatArray, FloatArray]:
    # One channel at a time: float64 of a large set at once would take eight times its bytes.
    means, deviations = [], []
    for channel in range(images.shape[1]):
        pixels = images[:, channel]
        mean = float(pixels.mean(dtype=np.float64))
        deviation = float(pixels.std(dtype=np.float64))
        means.append(mean)
        deviations.append(deviation if deviation > 0 else 1.0)
    return np.array(means, dtype=np.float32), np.array(deviations, dtype=np.float32)


def _hash(kind: Kind, class_names: Sequence[str], splits: Sequence[Split]) -> str:
    digest = hashlib.sha256("\0".join((kind, *class_names)).encode())
    for split in splits:
        for array in (split.inputs, split.targets):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
