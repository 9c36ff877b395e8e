"""Batches as a pure function of seed, epoch and number: a run that resumes sees the same bits.

Samples of an epoch come in an order drawn from (seed, epoch); a last batch that would be smaller is left out, so that
every step has the same shapes, and another epoch's order brings its samples. Augmentation is drawn from (seed, epoch,
number). An epoch of a text is as many random windows as cover its length once. Evaluation reads everything, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...configs.arrays import IntArray
from ...configs.errors import ConfigError
from .data_set import Array, DataSet, Split

_ORDER = 0
_AUGMENTATION = 1


class Batch(NamedTuple):
    """What one step reads: numbers [B, C, ...] (float32) or tokens [B, T] (int64), and int64 targets [B] or [B, T]."""

    inputs: Array
    targets: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How the images of a training batch are varied.

    Attributes:
        shift: most pixels that an image is moved along each axis; what comes in is 0 in the unit of the stored images.
        flip: whether every second image, by chance, is mirrored left to right.
    """

    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise ConfigError(f"augmentation: got a shift of {self.shift}, need pixels from 0")

    def __bool__(self) -> bool:
        return self.shift > 0 or self.flip

    def applied(self, images: Array, generator: np.random.Generator) -> Array:
        """Varied copies of images [B, C, H, W]."""
        if self.shift:
            images = self._shifted(images, generator)
        if self.flip:
            mirrored = generator.random(len(images)) < 0.5
            images = np.where(mirrored[:, None, None, None], images[..., ::-1], images)
        return images

    def _shifted(self, images: Array, generator: np.random.Generator) -> Array:
        count, channels, height, width = images.shape
        margin = (self.shift, self.shift)
        padded = np.pad(images, ((0, 0), (0, 0), margin, margin))
        corner = generator.integers(0, 2 * self.shift, size=(2, count), endpoint=True)
        rows = corner[0][:, None] + np.arange(height)
        columns = corner[1][:, None] + np.arange(width)
        sample, channel = np.arange(count)[:, None, None, None], np.arange(channels)[:, None, None]
        moved: Array = padded[sample, channel, rows[:, None, :, None], columns[:, None, None, :]]
        return moved


class TrainingBatches:
    """The batches of one epoch, by number.

    Args:
        data: the data set; its training split is read.
        batch: samples a step.
        seed: of the run, from 0.
        epoch: from 0.
        augmentation: of images; none unless given.

    Raises:
        ConfigError: the batch does not fit the training split, a text is to be augmented, or the seed is negative.
    """

    def __init__(
        self, data: DataSet, *, batch: int, seed: int, epoch: int, augmentation: Augmentation | None = None
    ) -> None:
        if augmentation and data.kind != "images":
            raise ConfigError(f"augmentation: got it for {data.name}, need images; try leaving it out")
        if seed < 0:
            raise ConfigError(f"seed: got {seed}, need an integer from 0")
        self._data = data
        self._batch = batch
        self._key = (seed, epoch)
        self._augmentation = augmentation
        self._steps = steps_per_epoch(data, batch)
        self._order = self._drawn_order()

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, number: int) -> Batch:
        if not 0 <= number < self._steps:
            raise IndexError(number)
        chosen = self._order[number * self._batch : (number + 1) * self._batch]
        if self._data.kind == "text":
            return _windows(self._data.train, chosen, self._data.sample_shape[0])
        samples = self._data.train.inputs[chosen]
        if self._augmentation:
            samples = self._augmentation.applied(samples, _generator(*self._key, _AUGMENTATION, number))
        return Batch(self._data.prepared(samples), self._data.train.targets[chosen])

    def __iter__(self) -> Iterator[Batch]:
        return (self[number] for number in range(self._steps))

    def _drawn_order(self) -> IntArray:
        generator = _generator(*self._key, _ORDER)
        if self._data.kind == "text":
            starts = len(self._data.train) - self._data.sample_shape[0] + 1
            return generator.integers(0, starts, size=self._steps * self._batch)
        return generator.permutation(len(self._data.train))


def steps_per_epoch(data: DataSet, batch: int) -> int:
    """Steps of one epoch: whole batches of the training samples, or of windows that cover the training text once.

    Raises:
        ConfigError: not one whole batch.
    """
    samples = len(data.train) // (data.sample_shape[0] if data.kind == "text" else 1)
    if not 1 <= batch <= samples:
        raise ConfigError(
            f"batch: got {batch}, need 1 to {samples}, the training samples of {data.name}; try {min(32, samples)}"
        )
    return samples // batch


def evaluation_batches(data: DataSet, split: str, batch: int) -> Iterator[Batch]:
    """Every sample of a split once, in order, or windows of a text that do not overlap (its tail left out).

    Args:
        data: the data set.
        split: ``validation``; ``test`` for the last measurement only.
        batch: samples a batch; the last one may be smaller.

    Raises:
        ConfigError: no such split, or no positive batch.
    """
    if batch < 1:
        raise ConfigError(f"batch: got {batch}, need a positive number of samples")
    read = data.split(split)
    if data.kind == "text":
        context = data.sample_shape[0]
        starts = np.arange(len(read) // context, dtype=np.int64) * context
        return (_windows(read, starts[at : at + batch], context) for at in range(0, len(starts), batch))
    return (
        Batch(data.prepared(read.inputs[at : at + batch]), read.targets[at : at + batch].copy())
        for at in range(0, len(read), batch)
    )


def _windows(split: Split, starts: IntArray, context: int) -> Batch:
    positions = starts[:, None] + np.arange(context)
    return Batch(split.inputs[positions].astype(np.int64), split.targets[positions].astype(np.int64))


def _generator(seed: int, *key: int) -> np.random.Generator:
    # A spawn key keeps (seed, epoch) apart from (seed, epoch, 0), which a list of seeds would not.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
