"""Batches are a pure function of seed, epoch and number, and evaluation reads every sample once."""

from __future__ import annotations

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.data import Augmentation, TrainingBatches, evaluation_batches, load_data, steps_per_epoch


@pytest.fixture
def images(archive):
    pixels = np.arange(1, 41, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 5, 6), dtype=np.uint8)
    return load_data(archive(train_inputs=pixels))


@pytest.fixture
def text(text_file):
    return load_data(text_file, context=16)


def raw(data, batch):
    """What the batch holds in the unit of the stored images."""
    return np.rint(batch.inputs * data.deviation[0] + data.mean[0]).astype(int)


def test_an_epoch_reads_every_sample_once_but_for_an_incomplete_batch(images):
    batches = TrainingBatches(images, batch=8, seed=0, epoch=0)
    assert len(batches) == steps_per_epoch(images, 8) == 3
    read = [number for batch in batches for number in raw(images, batch)[:, 0, 0, 0].tolist()]
    assert len(read) == len(set(read)) == 24
    assert set(read) <= set(images.train.inputs[:, 0, 0, 0].tolist())
    target_of = dict(zip(images.train.inputs[:, 0, 0, 0].tolist(), images.train.targets.tolist(), strict=True))
    for batch in batches:
        assert [target_of[number] for number in raw(images, batch)[:, 0, 0, 0].tolist()] == batch.targets.tolist()


@pytest.mark.parametrize("kind", ["images", "text"])
def test_a_batch_depends_on_seed_epoch_and_number_alone(kind, request):
    data = request.getfixturevalue(kind)
    augmentation = Augmentation(shift=2, flip=True) if kind == "images" else None

    def batches(seed, epoch):
        return TrainingBatches(data, batch=4, seed=seed, epoch=epoch, augmentation=augmentation)

    whole = list(batches(3, 5))
    for number in reversed(range(len(whole))):
        again = batches(3, 5)[number]
        assert (again.inputs == whole[number].inputs).all()
        assert (again.targets == whole[number].targets).all()
    for other in (batches(3, 6), batches(4, 5), batches(5, 3)):
        assert any((mine.inputs != theirs.inputs).any() for mine, theirs in zip(whole, other, strict=True))


def test_a_batch_has_the_types_that_a_network_takes(images, text):
    batch = TrainingBatches(images, batch=4, seed=0, epoch=0)[0]
    assert (batch.inputs.dtype, batch.inputs.shape) == (np.float32, (4, 1, 5, 6))
    assert (batch.targets.dtype, batch.targets.shape) == (np.int64, (4,))
    batch = TrainingBatches(text, batch=4, seed=0, epoch=0)[0]
    assert (batch.inputs.dtype, batch.inputs.shape) == (np.int64, (4, 16))
    assert (batch.targets.dtype, batch.targets.shape) == (np.int64, (4, 16))
    assert (batch.inputs[:, 1:] == batch.targets[:, :-1]).all()


def test_an_epoch_of_text_covers_its_length_once(text):
    assert steps_per_epoch(text, 8) == 799 // 16 // 8


def test_shifted_images_move_as_a_whole_and_leave_zeros():
    image = np.arange(1, 31).reshape(1, 1, 5, 6)
    moved = Augmentation(shift=1).applied(np.repeat(image, 200, axis=0), np.random.default_rng(0))
    padded = np.pad(image[0, 0], 1)
    places = [padded[row : row + 5, column : column + 6] for row in range(3) for column in range(3)]
    found = {next(at for at, place in enumerate(places) if (place == each[0]).all()) for each in moved}
    assert found == set(range(9)), "every place occurs and nothing else"


def test_about_half_of_the_images_are_mirrored():
    image = np.arange(30).reshape(1, 1, 5, 6)
    varied = Augmentation(flip=True).applied(np.repeat(image, 400, axis=0), np.random.default_rng(0))
    mirrored = (varied == image[..., ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (varied == image).all(axis=(1, 2, 3))).all()
    assert 150 < mirrored.sum() < 250


def test_augmentation_leaves_the_order_alone(images):
    plain = TrainingBatches(images, batch=4, seed=0, epoch=0)
    varied = TrainingBatches(images, batch=4, seed=0, epoch=0, augmentation=Augmentation(flip=True))
    assert all((one.targets == other.targets).all() for one, other in zip(plain, varied, strict=True))


def test_evaluation_reads_every_image_in_order(images):
    batches = list(evaluation_batches(images, "test", 3))
    assert [len(batch.targets) for batch in batches] == [3, 3, 2]
    assert (np.concatenate([raw(images, batch) for batch in batches]) == images.test.inputs).all()


def test_evaluation_of_a_text_reads_windows_that_do_not_overlap(text):
    batches = list(evaluation_batches(text, "validation", 4))
    tokens = np.concatenate([batch.inputs.ravel() for batch in batches])
    assert (tokens == text.validation.inputs[: 99 // 16 * 16]).all()
    assert [len(batch.targets) for batch in batches] == [4, 2]


def test_arrays_of_a_split_refuse_to_be_written(images):
    with pytest.raises(ValueError, match="read-only"):
        images.train.inputs[0] = 0


def test_what_does_not_fit_is_refused(images, text):
    with pytest.raises(ConfigError, match=r"batch: got 29, need 1 to 28, the training samples of .*; try 28"):
        TrainingBatches(images, batch=29, seed=0, epoch=0)
    with pytest.raises(ConfigError, match=r"augmentation: got it for .*, need images"):
        TrainingBatches(text, batch=4, seed=0, epoch=0, augmentation=Augmentation(flip=True))
    with pytest.raises(ConfigError, match="seed: got -1, need an integer from 0"):
        TrainingBatches(images, batch=4, seed=-1, epoch=0)
    with pytest.raises(ConfigError, match="got a shift of -1"):
        Augmentation(shift=-1)
    with pytest.raises(ConfigError, match="split: got 'tests', need one of train, validation, test"):
        evaluation_batches(images, "tests", 4)
    with pytest.raises(ConfigError, match="batch: got 0"):
        evaluation_batches(images, "test", 0)
    with pytest.raises(IndexError):
        TrainingBatches(images, batch=4, seed=0, epoch=0)[7]
