"""What each axis explains, where the answer is known beforehand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from bisparse.sim.studies.explore.effects import MOST_GROUPS, level_codes, main_effects, shares

A, B, C = np.array(list(product(range(2), range(3), range(2)))).T
CODES = np.column_stack((A, B, C)).astype(np.int64)
AXES = ("a", "b", "c")


def by_axis(found):
    return {share.axis: (share.first, share.total) for share in found}


def test_factors_that_multiply_explain_their_own_part_alone():
    logs = 3.0 * A + 1.0 * B
    found = by_axis(shares(AXES, CODES, np.exp(logs), factorial=True))
    own = {"a": (3.0 * A).var(), "b": (1.0 * B).var()}
    for axis, variance in own.items():
        assert found[axis] == (pytest.approx(variance / logs.var()), pytest.approx(variance / logs.var()))
    assert found["c"] == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))


def test_the_most_important_axis_comes_first():
    assert [share.axis for share in shares(AXES, CODES, np.exp(A + 2.0 * C), factorial=True)] == ["c", "a", "b"]


def test_what_axes_do_together_is_in_the_total_only():
    found = by_axis(shares(AXES, CODES, np.exp((2.0 * A - 1) * (2.0 * C - 1)), factorial=True))
    for axis in ("a", "c"):
        assert found[axis] == (pytest.approx(0, abs=1e-12), pytest.approx(1))
    assert found["b"][1] == pytest.approx(0, abs=1e-12)


def test_an_objective_that_may_be_zero_is_taken_as_it_is():
    found = by_axis(shares(AXES, CODES, A.astype(float), factorial=True))
    assert found["a"] == (pytest.approx(1), pytest.approx(1))


def test_an_objective_that_nothing_moves_is_explained_by_nothing():
    assert {share.first for share in shares(AXES, CODES, np.full(len(A), 7.0), factorial=True)} == {0.0}


def test_in_a_sample_chance_explains_nothing_and_there_is_no_total():
    random = np.random.default_rng(3)
    codes = np.column_stack((random.integers(0, 4, 4000), random.integers(0, 500, 4000)))
    objective = np.exp(codes[:, 0] + random.normal(size=4000) * 0.1)
    found = {share.axis: share for share in shares(("real", "noise"), codes, objective, factorial=False)}
    assert found["real"].first > 0.98
    assert found["noise"].first < 0.01
    assert found["real"].total is None


def test_a_sampled_axis_of_many_values_is_cut_into_groups():
    random = np.random.default_rng(3)
    codes = random.integers(0, 500, (4000, 1))
    found = shares(("long",), codes, np.exp(codes[:, 0] / 100), factorial=False)
    # Eight groups of a straight line leave a 64th of its variance.
    assert found[0].first == pytest.approx(1 - 1 / MOST_GROUPS**2, abs=0.005)


def test_codes_are_positions_and_a_missing_setting_comes_last():
    assert level_codes(pd.Series([32, 16, None, 16]), (16, 32)).tolist() == [1, 0, 2, 0]
    assert level_codes(pd.Series(["2:8", "2:4"]), ("2:4", "2:8")).tolist() == [1, 0]
    assert level_codes(pd.Series([True, False]), (False, True)).tolist() == [1, 0]


def test_main_effects_are_over_the_median_of_all():
    codes = np.array([0, 0, 0, 2, 2, 2], dtype=np.int64)
    low, none = main_effects(codes, ("x", "y"), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    assert (low.value, low.count, low.median) == ("x", 3, pytest.approx(2 / 3.5))
    assert (low.low, low.high) == (pytest.approx(1.5 / 3.5), pytest.approx(2.5 / 3.5))
    assert none.value is None
