"""The update lane in SystemVerilog computes its definition in numpy, which is SGD with momentum."""

import numpy as np
import pytest
from bisparse.sim.witness.rtl import icarus
from bisparse.sim.witness.rtl.update import COPY_BITS, FACTOR_BITS, WORD_BITS, Factors, Weights, definition, play

LARGEST = (1 << WORD_BITS - 1) - 1
STAGES = 3
WEIGHTS = 300

STEPS = (
    Factors(momentum=58982, rate=6554, decay_of_kept=33, decay_of_pruned=33),
    Factors(momentum=0, rate=1),
    Factors(momentum=65535, rate=65535, decay_of_kept=0, decay_of_pruned=13107),
)
"""0.9, 0.1 and 0.0005; plain, and as slow as can be; as fast as can be, with SR-STE's decay of pruned weights."""


def drawn(seed, size):
    draw = np.random.default_rng(seed)
    weight, velocity, gradient = draw.integers(-size, size, (3, WEIGHTS), endpoint=True)
    # The corners of a word, all against all of them.
    corners = np.array([-LARGEST - 1, -LARGEST, -1, 0, 1, LARGEST])
    weight[:216], velocity[:216], gradient[:216] = (each.ravel() for each in np.meshgrid(corners, corners, corners))
    return Weights(weight=weight, velocity=velocity, gradient=gradient, kept=draw.random(WEIGHTS) < 0.5)


@pytest.mark.skipif(not icarus.found(), reason="no iverilog on this machine; see tests/rtl/test_array.py")
def test_every_word_is_the_definitions_and_leaves_three_cycles_after_it_came():
    given = [(drawn(seed, LARGEST >> 8 * seed), factors) for seed, factors in enumerate(STEPS)]
    for (weights, factors), (found, cycles) in zip(given, play(given), strict=True):
        wanted = definition(weights, factors)
        assert found.weight.tolist() == wanted.weight.tolist()
        assert found.velocity.tolist() == wanted.velocity.tolist()
        assert found.copy.tolist() == wanted.copy.tolist()
        assert cycles.tolist() == list(range(STAGES, STAGES + WEIGHTS))


def test_the_definition_is_sgd_with_momentum():
    draw = np.random.default_rng(1)
    unit, one = 1 << 24, 1 << FACTOR_BITS
    weight, velocity, gradient = draw.uniform(-1, 1, (3, WEIGHTS))
    kept = draw.random(WEIGHTS) < 0.5
    momentum, rate, decay = 0.9, 0.1, np.where(kept, 5e-4, 2e-2)
    factors = Factors(
        momentum=round(momentum * one),
        rate=round(rate * one),
        decay_of_kept=round(5e-4 * one),
        decay_of_pruned=round(2e-2 * one),
    )
    words = (np.round(each * unit).astype(np.int64) for each in (weight, velocity, gradient))
    found = definition(Weights(**dict(zip(("weight", "velocity", "gradient"), words, strict=True)), kept=kept), factors)
    moved = momentum * velocity + gradient + decay * weight
    # A factor is off by half of its last place at most, of numbers below 3; words by less.
    assert np.abs(found.velocity / unit - moved).max() < 2 / one
    assert np.abs(found.weight / unit - (weight - rate * moved)).max() < 3 / one
    assert np.abs(found.copy / (unit >> WORD_BITS - COPY_BITS) - found.weight / unit).max() < 0.51 / (1 << 8)
