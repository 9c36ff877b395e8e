"""The user's own archives, folders and texts: what is read, how missing splits are made, and every refusal."""

from __future__ import annotations

import io
import sys
import zipfile

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.data import load_data

image_module = pytest.importorskip("PIL.Image")


def as_set(images):
    return {image.tobytes() for image in images}


def test_an_archive_without_other_splits_is_cut_in_three(archive):
    images = np.random.RandomState(0).randint(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    data = load_data(archive(train_inputs=images))
    splits = [data.train, data.validation, data.test]
    assert [len(split) for split in splits] == [28, 4, 8]
    assert [np.bincount(split.targets).tolist() for split in splits] == [[14, 14], [2, 2], [4, 4]]
    assert set.union(*(as_set(split.inputs) for split in splits)) == as_set(images)
    assert data.source.endswith(
        "validation is 10% of the training samples, stratified; test is 20% of the training samples, stratified"
    )


def test_the_cut_is_the_same_every_time(archive):
    path = archive()
    assert load_data(path).sha256 == load_data(path).sha256


def test_splits_that_an_archive_brings_are_left_alone(archive):
    other = np.zeros((6, 1, 8, 8), dtype=np.uint8)
    data = load_data(archive(test_inputs=other, test_targets=np.arange(6) % 2))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [36, 4, 6]
    assert (data.test.inputs == 0).all()
    data = load_data(
        archive(
            test_inputs=other,
            test_targets=np.arange(6) % 2,
            validation_inputs=other,
            validation_targets=np.arange(6) % 2,
        )
    )
    assert [len(split) for split in (data.train, data.validation, data.test)] == [40, 6, 6]


def test_float_images_and_images_without_a_channel_are_taken(archive):
    data = load_data(archive(train_inputs=np.linspace(0, 1, 40 * 64).reshape(40, 8, 8)))
    assert data.sample_shape == (1, 8, 8)
    assert data.train.inputs.dtype == np.float32
    assert abs(data.standardised(data.train.inputs).std() - 1) < 1e-4


def test_a_constant_channel_is_not_divided_by_zero(archive):
    data = load_data(archive(train_inputs=np.full((40, 3, 8, 8), 7, dtype=np.uint8)))
    assert (data.standardised(data.train.inputs) == 0).all()


@pytest.mark.parametrize("shape", [(40, 6), (40, 2, 3, 4, 5)])
def test_other_numbers_are_standardised_along_their_second_axis(archive, shape):
    numbers = np.random.default_rng(0).normal(3, 2, shape)
    data = load_data(archive(train_inputs=numbers))
    assert (data.kind, data.sample_shape, data.vocabulary) == ("features", shape[1:], 0)
    seen = np.moveaxis(data.prepared(data.train.inputs), 1, 0).reshape(shape[1], -1)
    assert np.allclose(seen.mean(1), 0, atol=1e-5)
    assert np.allclose(seen.std(1), 1, atol=1e-4)


def test_tokens_come_with_a_class_a_row_or_one_a_position(archive):
    rows = load_data(archive(train_inputs=TOKENS))
    assert (rows.kind, rows.classes, rows.vocabulary, rows.sample_shape) == ("labelled-sequences", 2, 7, (5,))
    marked = np.where(TOKENS == 3, -100, TOKENS)
    positions = load_data(archive(train_inputs=TOKENS, train_targets=marked))
    assert (positions.kind, positions.classes, positions.by_position) == ("sequences", 7, True)
    assert (positions.prepared(positions.test.inputs) == positions.test.inputs).all()


IMAGES = np.zeros((40, 1, 8, 8), dtype=np.uint8)
TOKENS = np.arange(200).reshape(40, 5) % 7

REFUSED = {
    "no training images": ({"train_inputs": None, "train_targets": None}, "got no train_inputs, need train_inputs"),
    "no training targets": ({"train_targets": None}, "got no train_targets, need it beside the other array of train"),
    "unknown array": ({"x_train": IMAGES}, "got an array 'x_train', need arrays among train_inputs"),
    "channels last": ({"train_inputs": np.zeros((40, 8, 8, 3), np.uint8)}, r"channels last.*try numpy.transpose"),
    "one axis": ({"train_inputs": np.zeros(40, np.uint8)}, r"got an array of 1 axes, need images \[N, C, H, W\]"),
    "integers": ({"train_inputs": IMAGES.astype(np.int64)}, r"got type int64, need uint8 .* try images.astype"),
    "nan": ({"train_inputs": np.full((40, 1, 8, 8), np.nan)}, "got an element that is not finite"),
    "huge": ({"train_inputs": np.full((40, 1, 8, 8), 1e300)}, "got an element that is not finite"),
    "no pixels": ({"train_inputs": np.zeros((40, 1, 8, 0))}, "need samples with elements"),
    "endless class": ({"train_targets": np.full(40, 2**63, dtype=np.uint64)}, "need class indices that int64 holds"),
    "objects": ({"train_inputs": np.array([None] * 40)}, "need plain arrays of numbers"),
    "one-hot": ({"train_targets": np.eye(2)[np.arange(40) % 2]}, r"got shape \[40, 2\].*try targets.argmax\(1\)"),
    "float labels": ({"train_targets": np.arange(40) % 2 / 1.0}, "got type float64, need integers"),
    "too few labels": ({"train_targets": np.arange(39) % 2}, "got 39 targets, need 40, one a sample"),
    "negative label": ({"train_targets": np.arange(40) % 2 - 1}, "got class -1, need class indices from 0"),
    "gap": ({"train_targets": np.arange(40) % 2 * 2}, "got no sample of class 1, need every class from 0 to 2"),
    "one class": ({"train_targets": np.zeros(40, int)}, "got one class, need two or more"),
    "few": ({"train_inputs": IMAGES[:4], "train_targets": np.arange(4) % 2}, "validation: got no sample out of 4"),
    "none": ({"train_inputs": IMAGES[:0], "train_targets": np.arange(0)}, "train: got no sample, need one or more"),
    "negative token": ({"train_inputs": TOKENS - 1}, "got token -1, need indices from 0"),
    "classes of other rows": (
        {"train_inputs": TOKENS, "train_targets": TOKENS[:, :4]},
        r"got shape \[40, 4\], need \[40, 5\], one a token",
    ),
    "nothing to learn": (
        {"train_inputs": TOKENS, "train_targets": np.full((40, 5), -100)},
        "got -100 at every position, need classes to learn",
    ),
    "tokens beside vectors": (
        {"train_inputs": TOKENS * 1.0, "test_inputs": TOKENS, "test_targets": np.arange(40) % 2},
        "test: got rows of tokens, need samples as in train",
    ),
    "a class a row beside one a token": (
        {"train_inputs": TOKENS, "test_inputs": TOKENS, "test_targets": TOKENS},
        "test_targets: got 2 axes, need 1 as in train",
    ),
    "unseen class": (
        {"test_inputs": IMAGES[:1], "test_targets": np.array([5])},
        "test_targets: got class 5, need 0 to 1 as in train_targets",
    ),
    "other size": (
        {"test_inputs": np.zeros((2, 1, 9, 8), np.uint8), "test_targets": np.array([0, 1])},
        "test: got images of 1x9x8, need images of 1x8x8 as in train",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_archive_that_is_not_as_needed_is_refused_in_one_line(archive, case):
    changed, message = REFUSED[case]
    path = archive(**changed)
    with pytest.raises(ConfigError, match=message) as caught:
        load_data(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_only_has_the_suffix_is_refused(tmp_path):
    path = tmp_path / "false.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"got no \.npz, need one"):
        load_data(path)


@pytest.fixture
def folder(tmp_path):
    """Ten grey images of 8x6 pixels (width by height) in each of two classes."""

    def put(split, name, number, value, mode="L", size=(8, 6)):
        path = tmp_path / "mine" / split / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image_module.new(mode, size, value).save(path)
        return path

    for number in range(10):
        put("train", "cat", number, number)
        put("train", "dog", number, 100 + number)
    put.root = tmp_path / "mine"
    return put


def test_a_folder_is_read_by_its_class_folders(folder):
    folder("val", "cat", 0, 50)
    folder("test", "dog", 0, 150)
    data = load_data(folder.root)
    assert data.class_names == ("cat", "dog")
    assert data.sample_shape == (1, 6, 8)
    assert sorted(zip(data.train.inputs[:, 0, 0, 0].tolist(), data.train.targets.tolist(), strict=True)) == (
        [(number, 0) for number in range(10)] + [(100 + number, 1) for number in range(10)]
    )
    assert (data.validation.inputs.max(), data.validation.targets.tolist()) == (50, [0])
    assert (data.test.inputs.max(), data.test.targets.tolist()) == (150, [1])


def test_missing_folders_are_cut_out_of_the_training_images(folder):
    data = load_data(str(folder.root))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [14, 2, 4]


def test_images_may_lie_deeper_and_one_in_colour_makes_all_so(folder):
    folder("train", "cat/images", 0, (9, 8, 7), mode="RGB")
    data = load_data(folder.root)
    assert data.sample_shape == (3, 6, 8)
    assert [9, 8, 7] in [
        image[:, 0, 0].tolist() for split in ("train", "validation", "test") for image in data.split(split).inputs
    ]


def test_one_size_is_needed_unless_a_side_is_given(folder):
    odd = folder("train", "dog", 99, 1, size=(5, 5))
    with pytest.raises(ConfigError) as caught:
        load_data(folder.root)
    assert str(caught.value) == f"{odd}: got 5x5 pixels, need 8x6 as 0.png has; try resize"
    assert load_data(folder.root, resize=4).sample_shape == (1, 4, 4)


def test_folders_that_are_not_as_needed_are_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"got no images in train, need empty/train/CLASS/\*.png"):
        load_data(tmp_path / "empty")
    deep = folder("train", "cat", 98, 1, mode="I;16")
    with pytest.raises(ConfigError, match="got pixels of mode I;16, need 8 bits a channel"):
        load_data(folder.root)
    deep.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="got no image that pillow knows"):
        load_data(folder.root)
    deep.unlink()
    folder("val", "images", 0, 1)
    with pytest.raises(ConfigError, match="got class folder 'images' in validation, need folders among those of train"):
        load_data(folder.root)


def test_an_image_that_breaks_off_is_refused(folder):
    path = folder("train", "cat", 97, 0)
    noise = np.random.RandomState(0).randint(0, 256, (6, 8)).astype(np.uint8)
    image_module.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:70])
    with pytest.raises(ConfigError, match=r"97\.png: got .*, need an image that can be read"):
        load_data(folder.root)


def test_without_pillow_a_folder_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ConfigError, match=r"got no package 'pillow', .* try pip install pillow"):
        load_data(folder.root)


def test_a_text_is_read_by_characters(text_file):
    data = load_data(text_file, context=16)
    assert data.class_names == (" ", "a", "b", "c", "d")
    assert (data.train.targets[:-1] == data.train.inputs[1:]).all()
    assert (len(data.train), len(data.validation), len(data.test)) == (799, 99, 99)


def test_texts_that_cannot_be_used_are_refused(text_file, tmp_path):
    with pytest.raises(ConfigError, match="got 1000 characters, need more than 1010 for windows of 100"):
        load_data(text_file, context=100)
    with pytest.raises(ConfigError, match="context: got 0, need a positive number"):
        load_data(text_file, context=0)
    text_file.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="need a text in UTF-8"):
        load_data(text_file)


def test_words_that_name_no_data_are_refused(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_data("mnist5k")
    assert str(caught.value) == (
        "data: got 'mnist5k', need one of digits, mnist-5k, pydoc, kjv or a path to an .npz, a .txt or a folder of "
        "images; try mnist-5k"
    )
    table = tmp_path / "table.csv"
    table.touch()
    with pytest.raises(ConfigError, match=r"got a file .csv, need .npz or .txt, or a folder of images"):
        load_data(table)


@pytest.mark.parametrize(("name", "option"), [("digits", {"context": 8}), ("pydoc", {"resize": 8})])
def test_an_option_that_does_not_fit_is_refused(name, option):
    with pytest.raises(ConfigError, match=f"for {name}, need it left out"):
        load_data(name, **option)


def test_an_array_that_claims_more_than_memory_holds_is_a_line(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 1, 32, 32)})
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("train_inputs.npy", header.getvalue())
    with pytest.raises(ConfigError, match=r"lie\.npz: got Unable to allocate .*, need plain arrays of numbers"):
        load_data(tmp_path / "lie.npz")


def test_a_member_that_is_no_array_is_a_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("train_targets.npy", b"no array")
    with pytest.raises(ConfigError, match=r"odd\.npz: train_targets: got no array, need one as numpy.savez writes it"):
        load_data(tmp_path / "odd.npz")


def test_an_image_of_more_pixels_than_pillow_opens_is_a_line(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / "train" / name).mkdir(parents=True)
        image_module.new("L", (8, 8)).save(tmp_path / "train" / name / "x.png")
    monkeypatch.setattr(image_module, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ConfigError, match=r"x\.png: got Image size \(64 pixels\) exceeds limit .*; try smaller ones"):
        load_data(tmp_path)
