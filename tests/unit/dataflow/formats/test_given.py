"""A design takes of a weight's own zeros the tightest format that it skips, and says why it skips none."""

from __future__ import annotations

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import DENSE, Pattern
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.formats.given import given_format
from bisparse.training.graph import Stage
from bisparse.training.own_weights.found_zeros import FoundZeros

FORWARD, BACKWARD = Stage.FORWARD, Stage.BACKWARD


def design(name):
    return load_hardware(name).model


def random(density=0.2, rows=1, cols=1):
    mask = Unstructured(100 * (1 - density), rows, cols).mask(np.random.default_rng(0), 256, 256)
    return FoundZeros.of(mask[None, :, :, None])


def regular(kept, group):
    """N:M along inputs, at random places."""
    ranks = np.random.default_rng(0).random((256, 256 // group, group)).argsort(-1).argsort(-1)
    return FoundZeros.of((ranks < kept).reshape(1, 256, 256, 1))


def test_n_of_m_that_the_array_has_is_skipped_along_its_own_axis():
    sat, found = design("sat-vcu1525"), regular(2, 8)
    assert given_format(found, FORWARD, sat).format == Pattern(2, 8)
    assert given_format(found, FORWARD, sat).unskipped == ""
    across = given_format(found, BACKWARD, sat)
    assert across.format == Unstructured(75.0)
    assert across.unskipped == "2:8 along inputs is no rule along outputs, over which BP sums"


def test_a_looser_pattern_that_the_array_has_will_do():
    sat = design("sat-vcu1525")
    engine = sat.tensor_engine.model_copy(update={"patterns": ("2:4",)})
    found = regular(1, 4)
    narrow = sat.model_copy(update={"tensor_engine": engine})
    assert found.meant(FORWARD) == Pattern(1, 4)
    assert given_format(found, FORWARD, narrow).format == Pattern(2, 4)


def test_n_of_m_that_the_array_lacks_takes_time():
    sat = design("sat-vcu1525")
    taken = given_format(regular(5, 8), FORWARD, sat)
    assert taken.format == Unstructured(37.5)
    assert taken.unskipped.startswith("sat-vcu1525 has no 5:8 (")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (random(), "sat-vcu1525 skips no zeros that lie without a rule"),
        (random(0.5, 16, 16), "sat-vcu1525 skips no blocks of zeros"),
        (
            random(0.5, 1, 256),
            "channels of zeros are multiplied like any others, until the network is captured without",
        ),
    ],
)
def test_why_zeros_take_time_on_sat(found, why):
    taken = given_format(found, FORWARD, design("sat-vcu1525"))
    assert taken.format == found.anywhere
    assert taken.unskipped.startswith(why)


def test_an_array_that_skips_zeros_without_a_rule_takes_them_as_they_lie():
    skips = design("sat-unstructured")
    assert given_format(random(), FORWARD, skips).format == random().anywhere
    blocks = random(0.5, 16, 4)
    assert blocks.block == (16, 4)
    assert given_format(blocks, FORWARD, skips).format == blocks.in_blocks
    assert given_format(blocks, BACKWARD, skips).format == blocks.in_blocks.turned
    # Skipped by name, without waiting.
    assert given_format(regular(2, 8), FORWARD, skips).format == Pattern(2, 8)
    # Few happen to lie 7:8 by chance: less is gained by it than by skipping them one by one.
    assert given_format(random(0.05), FORWARD, skips).format == random(0.05).anywhere


def test_a_design_without_zero_insertion_stores_zeros_like_other_values():
    plain = design("systolic-textbook")
    taken = given_format(random(), FORWARD, plain)
    assert taken.format == DENSE
    assert taken.unskipped == "systolic-textbook skips no zeros that lie without a rule"


def test_weights_without_a_format_are_dense_and_say_why():
    sat = design("sat-vcu1525")
    ones, nothing = np.ones((1, 64, 64, 1), dtype=bool), np.zeros((1, 64, 64, 1), dtype=bool)
    few = ones.copy()
    few[0, 0, 0] = False
    assert [given_format(FoundZeros.of(mask), FORWARD, sat) for mask in (ones, few, nothing)] == [
        given_format(FoundZeros.of(ones), BACKWARD, sat),
        given_format(FoundZeros.of(few), BACKWARD, sat),
        given_format(FoundZeros.of(nothing), BACKWARD, sat),
    ]
    assert given_format(FoundZeros.of(ones), FORWARD, sat).unskipped == "no zeros in the checkpoint"
    assert given_format(FoundZeros.of(few), FORWARD, sat).unskipped.startswith("too few zeros")
    assert given_format(FoundZeros.of(nothing), FORWARD, sat).unskipped.startswith("zero throughout")
