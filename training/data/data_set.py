"""A data set in memory: three splits, what they hold, and the hash that says which content a run has seen.

Images and other numbers stay as they were read (mostly bytes) and are standardised when a batch is made, with the mean
and the deviation of the *training* split: a pixel scaled to [0, 1] first gives the same number. A text is a row of
symbol indices; the target of a position is the symbol after it. Rows of tokens come with a class, or one a position.
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

Kind = Literal["images", "features", "text", "sequences", "labelled-sequences"]

_OF_TOKENS: frozenset[Kind] = frozenset({"text", "sequences", "labelled-sequences"})
_BY_POSITION: frozenset[Kind] = frozenset({"text", "sequences"})

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One part of a data set; its arrays refuse to be written.

    Attributes:
        inputs: images [N, C, H, W] or other numbers [N, F, ...] as they were read, tokens [N, T], or the symbols of a
            text [T].
        targets: class indices [N] or, of tokens, [N, T]; for a text the next symbols [T].
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
        kind: ``images``; ``features``, other arrays of numbers; ``text``; ``sequences``, tokens with a class a
            position; ``labelled-sequences``, tokens with one a row.
        train: the split that is trained on, and the only one that statistics are taken of.
        validation: the split that settings are chosen on.
        test: the split of the last measurement.
        class_names: one name a class; of a text, its symbols.
        sample_shape: (C, H, W) of an image, (context,) of a text, as an input of the network without the batch.
        vocabulary: symbols among the inputs; 0 where they are numbers.
        source: where the content comes from and how it was split.
        mean: of each channel or feature over the training split, in the unit of what is stored [C]; empty for tokens.
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
    vocabulary: int
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
        return InputShape(self.sample_shape, integer=self.reads_tokens)

    @property
    def reads_tokens(self) -> bool:
        """Whether inputs are indices of symbols."""
        return self.kind in _OF_TOKENS

    @property
    def by_position(self) -> bool:
        """Whether each position has a target of its own."""
        return self.kind in _BY_POSITION

    def split(self, name: str) -> Split:
        """The split called ``train``, ``validation`` or ``test``."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise ConfigError(f"split: got {name!r}, need one of {', '.join(splits)}")
        return splits[name]

    def prepared(self, inputs: Array) -> Array:
        """Inputs as stored to what a network reads: tokens as they are, numbers ``standardised``."""
        return inputs.copy() if self.reads_tokens else self.standardised(inputs)

    def standardised(self, inputs: Array) -> FloatArray:
        """Images [B, C, H, W] or others [B, C, ...] as stored, to mean 0 and deviation 1 of the training split."""
        numbers = inputs.astype(np.float32)
        by_channel = (-1, *[1] * (inputs.ndim - 2))
        numbers -= self.mean.reshape(by_channel)
        numbers /= self.deviation.reshape(by_channel)
        return numbers


def sample_set(
    name: str,
    kind: Kind,
    *,
    train: Split,
    validation: Split,
    test: Split,
    class_names: Sequence[str],
    source: str,
) -> DataSet:
    """A data set of samples with classes; statistics are those of ``train``."""
    splits = (train, validation, test)
    if kind in _OF_TOKENS:
        mean = deviation = np.zeros(0, dtype=np.float32)
        vocabulary = 1 + max(int(split.inputs.max()) for split in splits)
    else:
        mean, deviation = _statistics(train.inputs)
        vocabulary = 0
    return DataSet(
        name=name,
        kind=kind,
        train=train,
        validation=validation,
        test=test,
        class_names=tuple(class_names),
        sample_shape=train.inputs.shape[1:],
        vocabulary=vocabulary,
        source=source,
        mean=mean,
        deviation=deviation,
        sha256=_hash(kind, class_names, splits),
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
        vocabulary=len(symbols),
        source=source,
        mean=nothing,
        deviation=nothing,
        sha256=_hash("text", symbols, (train, validation, test)),
    )


def _statistics(inputs: Array) -> tuple[FloatArray, FloatArray]:
    # One channel at a time: float64 of a large set at once would take eight times its bytes.
    means, deviations = [], []
    for channel in range(inputs.shape[1]):
        numbers = inputs[:, channel]
        mean = float(numbers.mean(dtype=np.float64))
        deviation = float(numbers.std(dtype=np.float64))
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
