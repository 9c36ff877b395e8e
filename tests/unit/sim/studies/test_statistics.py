"""Intervals over a few seeds, by hand and against scipy's own test."""

import doctest
import importlib

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.sim.studies.statistics import Estimate, estimate, paired_difference, seeds_to_resolve, student_quantile


def test_examples_in_docstrings_hold():
    tried = doctest.testmod(importlib.import_module("bisparse.sim.studies.statistics"))
    assert tried.attempted
    assert not tried.failed


def test_the_paired_interval_by_hand():
    # Differences -1, -2, -3, -2: mean -2, deviation sqrt(2/3), 3.1824 = t(0.975, 3).
    found = paired_difference([9.0, 18.0, 27.0, 38.0], [10.0, 20.0, 30.0, 40.0])
    assert found.mean == -2.0
    assert found.half_width == pytest.approx(3.182446 * (2 / 3) ** 0.5 / 4**0.5, rel=1e-6)
    assert found.resolved


def test_the_paired_interval_is_that_of_scipys_t_test():
    from scipy.stats import ttest_rel

    ours, theirs = [0.912, 0.934, 0.921, 0.905, 0.931], [0.921, 0.930, 0.933, 0.914, 0.939]
    found = paired_difference(ours, theirs)
    low, high = ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))
    assert found.resolved == (ttest_rel(ours, theirs).pvalue < 0.05)


def test_pairing_drops_what_a_seed_does_to_both():
    seeds = (0.90, 0.95, 0.92)
    paired = paired_difference([value - 0.01 + step for value, step in zip(seeds, (0, 1e-3, 0), strict=True)], seeds)
    assert paired.half_width < estimate(seeds).half_width / 10
    assert paired.resolved


@pytest.mark.parametrize(("degrees", "wanted"), [(1, 12.7062), (2, 4.3027), (9, 2.2622)])
def test_quantiles_are_those_of_the_tables(degrees, wanted):
    assert student_quantile(degrees) == pytest.approx(wanted, abs=1e-4)


def test_one_sample_has_no_interval_and_resolves_nothing():
    assert estimate([0.9]) == Estimate(mean=0.9, half_width=None)
    assert not estimate([0.9]).resolved


def test_differences_all_alike_resolve_nothing_whatever_their_rounding():
    found = paired_difference([0.8, 0.7, 0.6], [0.9, 0.8, 0.7])
    assert found.half_width == 0.0
    assert not found.resolved


def test_an_interval_that_includes_nought_is_unresolved():
    assert not Estimate(mean=-0.2, half_width=0.3).resolved
    assert Estimate(mean=-0.4, half_width=0.3).resolved
    assert Estimate(mean=0.4, half_width=0.3).resolved


@pytest.mark.parametrize("samples", [([], []), ([1.0], [1.0, 2.0])])
def test_samples_must_be_there_and_paired(samples):
    with pytest.raises(ConfigError, match="need"):
        paired_difference(*samples)


def test_seeds_that_resolve_are_the_fewest_whose_interval_excludes_zero_as_scipy_has_it():
    for apart in ([0.4, -0.1, 0.3], [1.0, 1.2, 0.9, -0.7], [0.02, -0.011, 0.004, 0.013, -0.009]):
        count = seeds_to_resolve(apart, [0.0] * len(apart))
        mean, deviation = abs(np.mean(apart)), np.std(apart, ddof=1)
        more, fewer = (student_quantile(seeds - 1) * deviation / np.sqrt(seeds) for seeds in (count + 1, count - 1))
        assert more < mean < fewer
        assert count >= len(apart)


def test_no_number_of_seeds_resolves_nothing():
    assert seeds_to_resolve([1.0, -1.0, 0.0], [0.0, 0.0, 0.0]) is None
    assert seeds_to_resolve([1.0], [0.0]) is None
    assert seeds_to_resolve([2.0, 2.0], [1.0, 1.0]) == 2
