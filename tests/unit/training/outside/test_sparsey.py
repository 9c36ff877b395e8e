"""Sparsey: one presentation stores a pattern, similar patterns get similar codes, and codes are recalled."""

from __future__ import annotations

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.outside.sparsey import CHI, GAMMA, LEAST_FAMILIARITY, MIDDLE, STEEPNESS, Sparsey

INPUTS, ACTIVE, MODULES, UNITS = 200, 20, 40, 10


def field(seed: int = 0) -> Sparsey:
    return Sparsey(inputs=INPUTS, modules=MODULES, units=UNITS, seed=seed)


def pattern(first: int, count: int = ACTIVE) -> np.ndarray:
    made = np.zeros(INPUTS)
    made[first : first + count] = 1
    return made


def test_learning_sets_the_weights_from_active_inputs_to_winners_and_no_other():
    sparsey = field()
    winners = sparsey.learn(pattern(0))
    wanted = np.zeros((INPUTS, MODULES, UNITS), dtype=bool)
    for module, unit in enumerate(winners):
        wanted[:ACTIVE, module, unit] = True
    assert np.array_equal(sparsey.weights, wanted)


def test_the_odds_of_a_unit_are_those_of_the_definition_in_plain_loops():
    sparsey, seen = field(), pattern(5)
    for first in (0, 30, 60):
        sparsey.learn(pattern(first))
    support = [[sum(sparsey.weights[i, q, k] for i in range(5, 25)) / 20 for k in range(UNITS)] for q in range(MODULES)]
    familiar = max(0, (sum(map(max, support)) / MODULES - LEAST_FAMILIARITY) / (1 - LEAST_FAMILIARITY))
    for q, own in enumerate(support):
        psi = [1 + GAMMA * UNITS * familiar**CHI / (1 + np.exp(-STEEPNESS * (v - MIDDLE))) for v in own]
        assert sparsey.odds(seen)[q] == pytest.approx([each / sum(psi) for each in psi])


def test_the_more_of_a_stored_pattern_is_there_the_more_of_its_code_is_chosen():
    shared = []
    for moved in (0, 5, 10, 15, 20):
        same = 0.0
        for seed in range(20):
            sparsey = field(seed)
            same += float((sparsey.learn(pattern(0)) == sparsey.code(pattern(moved))).mean()) / 20
        shared.append(same)
    assert shared == sorted(shared, reverse=True)
    assert shared[0] > 0.95
    assert shared[-1] == pytest.approx(1 / UNITS, abs=0.03)


def test_a_pattern_that_was_seen_once_is_recalled_exactly_and_with_a_quarter_of_it_missing():
    sparsey = field()
    drawn = np.random.default_rng(1)
    stored = [np.isin(np.arange(INPUTS), drawn.choice(INPUTS, ACTIVE, replace=False)) for _ in range(10)]
    codes = [sparsey.learn(each) for each in stored]
    assert all(np.array_equal(sparsey.recall(each), code) for each, code in zip(stored, codes, strict=True))
    assert all(sparsey.familiarity(each) == 1 for each in stored)
    partly = [each & (np.cumsum(each) > ACTIVE // 4) for each in stored]
    right = [float((sparsey.recall(each) == code).mean()) for each, code in zip(partly, codes, strict=True)]
    assert min(right) > 0.9


def test_a_pattern_of_another_size_or_with_nothing_active_is_refused():
    for wrong in (np.ones(3), np.zeros(INPUTS)):
        with pytest.raises(ConfigError, match="pattern: got shape"):
            field().learn(wrong)
    with pytest.raises(ConfigError, match="units: got 0"):
        Sparsey(inputs=4, modules=2, units=0)
