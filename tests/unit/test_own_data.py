"""Any torch data set trains; ratios and recipes mean the same wherever Python is asked."""

import logging

import pytest

torch = pytest.importorskip("torch")

import bisparse  # noqa: E402
from bisparse.own_data import data_name  # noqa: E402
from bisparse.telling import Telling  # noqa: E402


class Bright(torch.utils.data.Dataset):
    """Images that are bright, class 1, or dark, class 0."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, number):
        if number >= self.size:
            raise IndexError
        label = number % 2
        return torch.full((1, 8, 8), label - 0.5) + 0.01 * number / self.size, label


def test_a_data_set_trains_and_is_gone_on_with(tmp_path):
    settings = {"recipe": "dense", "out": tmp_path / "run", "epochs": 2, "batch": 16}
    first = bisparse.train("mlp", {"train": Bright(96), "test": Bright(32)}, **settings)
    assert first.test_accuracy == 1.0
    again = bisparse.train("mlp", {"train": Bright(96), "test": Bright(32)}, **settings)
    assert again == first


def test_vectors_and_tokens_train_too(tmp_path):
    classes = torch.arange(96) % 2
    vectors = torch.utils.data.TensorDataset(classes[:, None] + 0.01 * torch.rand(96, 5), classes)
    trained = bisparse.train("mlp", vectors, "dense", out=tmp_path / "vectors", epochs=3, batch=16)
    assert trained.test_accuracy == 1.0
    tokens = (torch.arange(9) + torch.arange(64)[:, None]) % 4
    after = tokens[:, 1:].clone()
    after[:, 0] = -100
    rows = [{"input_ids": row, "labels": target} for row, target in zip(tokens[:, :-1], after, strict=True)]
    trained = bisparse.train("gpt", rows, "bdwp", out=tmp_path / "tokens", epochs=6, batch=8)
    assert trained.test_accuracy == 1.0, "the next of four symbols in turn, where it is counted"


def test_a_name_stays_a_name(tmp_path):
    assert data_name("digits", tmp_path / "run") == "digits"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (7, "data: train: got int"),
        ([1, 2], "data: train: got list"),
        ([(torch.zeros(3), 0.5)], "data: train: got list (a target is 0.5, no class index)"),
        ([{"x": 1, "mask": 2, "label": 0}], "data: train: got list (an item holds x, mask, label; of a mapping one"),
        ({"test": Bright(4)}, "data: got no train, need splits among train, validation, test"),
        ({"train": Bright(4), "extra": Bright(4)}, "data: got 'extra', need splits among"),
        ([(torch.zeros(1, 8, 8), 0), (torch.zeros(1, 9, 9), 1)], "data: train: got samples of 2 shapes, need one"),
    ],
)
def test_what_is_no_data_set_is_told_in_a_line(tmp_path, data, message):
    with pytest.raises(bisparse.ConfigError) as told:
        data_name(data, tmp_path / "run")
    assert str(told.value).startswith(message)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sparsity": "2:4", "sparsities": ["2:8"]}, "sparsity: got sparsity beside sparsities, need one of them"),
        ({"recipe": "bdwp"}, "recipe: got recipe, need recipes, a list; try recipes=['bdwp']"),
        ({"sparsity": "2:9"}, "sat-vcu1525"),
        ({"sparsities": "2:4,2:9"}, "sat-vcu1525"),
    ],
)
def test_codesign_takes_ratios_as_the_rest_does(tmp_path, given, message):
    with pytest.raises(bisparse.BisparseError) as told:
        bisparse.codesign("mlp", "digits", out=tmp_path, **given)
    assert message in str(told.value)


def test_how_far_a_study_is_goes_to_the_log(caplog):
    caplog.set_level(logging.INFO, logger="bisparse")
    with Telling("explore") as told:
        told("designs", 1, 2000)
        told("designs", 2, 2000)
        told("designs", 2000, 2000)
    assert caplog.messages == ["explore: 1 of 2,000, designs", "explore: 2,000 of 2,000, designs"]


def test_a_module_is_told_how_a_run_makes_its_own(tmp_path):
    with pytest.raises(bisparse.ConfigError, match=r"model: got a Linear, need a name or package\.module:factory"):
        bisparse.train(torch.nn.Linear(2, 2), "digits", out=tmp_path / "run")
