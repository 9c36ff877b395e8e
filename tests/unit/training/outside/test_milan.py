"""Units described by the words of the highest pointwise mutual information with what excites them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.data import load_data
from bisparse.training.outside.milan import captions_of_digits, describe, held_out


def test_a_word_is_worth_what_it_is_more_probable_among_the_exemplars():
    captions = [frozenset(words) for words in ({"a", "c"}, {"a", "c"}, {"b", "c"}, {"b", "c"}, {"b", "c"})]
    activations = np.array([[5, 0], [4, 0], [1, 0], [0, 0], [0, 0]])
    excited, dead = describe(activations, captions, exemplars=2, words=3)
    wanted = {"a": math.log((2 + 0.4) / 3 / 0.4), "b": math.log((0 + 0.6) / 3 / 0.6), "c": math.log((2 + 1) / 3 / 1)}
    assert [word for word, _ in excited.words] == ["a", "c", "b"]
    assert dict(excited.words) == pytest.approx(wanted)
    assert dead.words == ()


def test_held_out_inputs_say_whether_a_word_tells_what_excites():
    captions = [frozenset("a"), frozenset("a"), frozenset("b"), frozenset("b")]
    (unit,) = describe(np.array([[2.0], [2], [1], [1]]), captions, exemplars=2)
    assert unit.words[0][0] == "a"
    assert held_out(unit, np.array([[3.0], [2], [1], [0]]), captions) == 1
    assert held_out(unit, np.array([[0.0], [3], [1], [2]]), captions) == 0.5
    assert held_out(unit, np.array([[1.0], [1], [1], [1]]), captions) == 0.5
    assert math.isnan(held_out(unit, np.ones((1, 1)), captions[:1]))


def test_ink_is_told_in_words():
    stroke = np.zeros((3, 9, 9))
    stroke[0, :, 4] = 1
    stroke[1, range(2, 7), range(6, 1, -1)] = 1
    stroke[2, 2:4, :] = 1
    upright, slanted, lying = captions_of_digits(stroke, np.array([1, 1, 7]))
    assert {"one", "straight", "open", "narrow"} <= upright
    assert "leaning right" in slanted
    assert {"seven", "wide", "high", "bold"} <= lying


def test_captions_that_are_not_one_an_input_are_refused():
    with pytest.raises(ConfigError, match="captions: got 1 of 2 inputs and 1 exemplars"):
        describe(np.ones((2, 1)), [frozenset("a")], exemplars=1)


def test_hidden_units_of_a_network_that_was_trained_here_are_told_in_words_that_hold_of_other_images():
    torch = pytest.importorskip("torch")
    from bisparse.training.loop.hidden_units import hidden_units

    data = load_data("digits")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    inputs = torch.from_numpy(data.prepared(data.train.inputs))
    targets = torch.from_numpy(data.train.targets.copy())
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), targets).backward()
        optimizer.step()
    seen, captions = {}, {}
    for split in ("train", "test"):
        part = data.split(split)
        seen[split] = hidden_units(network, data, split, "2")
        captions[split] = captions_of_digits(part.inputs[:, 0], part.targets)
    found = describe(seen["train"], captions["train"])
    told = [held_out(each, seen["test"], captions["test"]) for each in found if each.words]
    assert len(told) >= 24
    assert np.median(told) > 0.7
    # The same of captions that belong to other images says nothing.
    order = np.random.default_rng(0).permutation(len(captions["train"]))
    mixed = describe(seen["train"], [captions["train"][at] for at in order])
    assert 0.4 < np.median([held_out(each, seen["test"], captions["test"]) for each in mixed if each.words]) < 0.6
    with pytest.raises(ConfigError, match="layer: got '9'"):
        hidden_units(network, data, "test", "9")
