"""How often a dendrite's segment takes an unknown sparse code for its own."""

from __future__ import annotations

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.outside.dendrites import Segment


@pytest.mark.parametrize(
    ("synapses", "threshold", "published"),
    [(6, 6, 6.35308872941916e-11), (8, 8, 2.52507239284961e-14), (10, 10, 1.00163216178113e-17),
     (12, 6, 5.29386836275369e-8), (16, 8, 2.81724528327272e-10), (20, 10, 1.5419276725872e-12)],
)  # fmt: skip
def test_the_chance_of_a_false_match_is_the_published_one(synapses, threshold, published):
    """Hawkins and Ahmad, 2016, tables 1B and 1C: 2,000 of 100,000 units active."""
    segment = Segment(units=100_000, active=2000, synapses=synapses, threshold=threshold)
    assert segment.false_match_rate() == pytest.approx(published, rel=1e-12)


@pytest.mark.parametrize(("active", "synapses", "threshold"), [(20, 10, 3), (40, 12, 5), (10, 10, 2)])
def test_codes_that_are_drawn_match_as_often_as_the_closed_form_says(active, synapses, threshold):
    segment = Segment(units=160, active=active, synapses=synapses, threshold=threshold)
    counted, deviation = segment.counted_false_matches(40_000)
    assert deviation < 0.1 * counted
    assert abs(counted - segment.false_match_rate()) < 4 * deviation


def test_sparser_codes_and_higher_thresholds_are_confused_less():
    by_active = [Segment(units=1000, active=n, synapses=20, threshold=8).false_match_rate() for n in (20, 60, 200)]
    assert by_active == sorted(by_active)
    by_threshold = [Segment(units=1000, active=60, synapses=20, threshold=n).false_match_rate() for n in (1, 8, 20)]
    assert by_threshold == sorted(by_threshold, reverse=True)


def test_a_stored_code_is_known_until_more_of_it_is_lost_than_the_threshold_leaves():
    segment = Segment(units=1000, active=40, synapses=20, threshold=10)
    assert [segment.match_rate(lost) for lost in (0, 10, 31, 40)] == [1, 1, 0, 0]
    # Of 30 lost, the 10 left must all be synapses: C(20, 10) of C(40, 10).
    assert segment.match_rate(30) == pytest.approx(184_756 / 847_660_528)


@pytest.mark.parametrize(("synapses", "threshold"), [(5, 6), (50, 10), (5, 0)])
def test_a_segment_that_cannot_be_is_refused(synapses, threshold):
    with pytest.raises(ConfigError, match=f"threshold: got {threshold} of {synapses} synapses, 40 of 1000 units"):
        Segment(units=1000, active=40, synapses=synapses, threshold=threshold)
