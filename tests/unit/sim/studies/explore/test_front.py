"""Fronts, knees and volumes of small cases that can be read off."""

import numpy as np
import pytest
from bisparse.sim.studies.explore.front import hypervolume, knee, pareto_mask, scaled, share_found


def test_designs_alike_share_their_fate():
    assert pareto_mask([[1, 2], [1, 2], [2, 2], [2, 2]], [False, False]).tolist() == [True, True, False, False]


def test_more_may_be_better():
    values = [[1, 1], [2, 2], [3, 1]]
    assert pareto_mask(values, [False, True]).tolist() == [True, True, False]
    assert pareto_mask(values, [True, True]).tolist() == [False, True, True]


def test_a_single_objective_has_one_best_value():
    assert pareto_mask([[3], [1], [2], [1]], [False]).tolist() == [False, True, False, True]


def test_what_has_no_figure_is_not_on_the_front():
    assert pareto_mask([[np.nan, 0], [1, 1]], [False, False]).tolist() == [False, True]
    assert pareto_mask([[np.nan, 0]], [False, False]).tolist() == [False]


def test_the_knee_is_measured_between_logarithms():
    # Between the plain values (10, 10) would be the farthest below the line.
    front = [[1, 1000], [3, 12], [10, 10], [1000, 1]]
    assert knee(front, [False, False]) == 1


def test_the_knee_of_one_design_is_itself():
    assert knee([[3.0, 4.0]], [False, False]) == 0


def test_an_objective_with_zeros_is_scaled_plainly():
    assert scaled([[0, 1], [5, 10], [10, 100]], [False, False]).tolist() == [[0, 0], [0.5, 0.5], [1, 1]]
    assert scaled([[1], [100]], [True]).tolist() == [[1], [0]]


def test_a_perfect_design_beats_the_whole_box():
    box = [[1, 1, 1], [2, 4, 8]]
    assert hypervolume([[1, 1, 1]], [False] * 3, box) == pytest.approx(1)
    assert hypervolume([[2, 1, 1]], [False] * 3, box) == 0
    assert hypervolume([[2**0.5, 2, 8**0.5]], [False] * 3, box) == pytest.approx(1 / 8)


def test_volumes_that_overlap_count_once():
    box = [[1, 1], [16, 16]]
    # Quarters of the logarithms: 3/4 x 1/4 + 1/4 x 3/4 less 1/4 x 1/4.
    assert hypervolume([[2, 8], [8, 2]], [False, False], box) == pytest.approx(5 / 16)


def test_the_share_found_counts_points_of_the_whole_front():
    assert share_found([[1, 4], [4, 1]], [[1, 4], [2, 2], [4, 1]]) == pytest.approx(2 / 3)
