"""The fast front is the one of the definition: no design of it is beaten, and every other one is."""

import numpy as np
from bisparse.sim.studies.explore.front import hypervolume, knee, oriented, pareto_mask, scaled
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


@st.composite
def studies(draw, most=40):
    """Values with many ties, and which objectives to maximise."""
    objectives = draw(st.integers(1, 4))
    shape = (draw(st.integers(1, most)), objectives)
    values = draw(arrays(float, shape, elements=st.integers(1, 6).map(float)))
    return values, draw(st.lists(st.booleans(), min_size=objectives, max_size=objectives))


def beats(one, other, maximise):
    signs = [-1 if more else 1 for more in maximise]
    pairs = [(sign * a, sign * b) for sign, a, b in zip(signs, one, other, strict=True)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(studies())
@settings(max_examples=200, deadline=None)
def test_the_front_is_that_of_the_definition(study):
    values, maximise = study
    wanted = [not any(beats(other, own, maximise) for other in values) for own in values]
    assert pareto_mask(values, maximise).tolist() == wanted


@given(st.integers(0, 2**32 - 1), st.integers(3, 4))
@settings(max_examples=5, deadline=None)
def test_many_designs_in_blocks_give_the_same_front(seed, objectives):
    values = np.random.default_rng(seed).integers(0, 12, (3000, objectives)).astype(float)
    mask = pareto_mask(values, [False] * objectives)
    front = values[mask]
    beaten = ((front[:, None] <= values).all(-1) & (front[:, None] < values).any(-1)).any(0)
    assert (mask == ~beaten).all()


@given(studies(most=12))
@settings(max_examples=100, deadline=None)
def test_the_knee_is_on_the_front_and_no_sum_is_smaller(study):
    values, maximise = study
    front = values[pareto_mask(values, maximise)]
    sums = scaled(front, maximise).sum(axis=1)
    assert sums[knee(front, maximise)] == sums.min()


@given(studies(most=10))
@settings(max_examples=60, deadline=None)
def test_a_hypervolume_is_a_share_that_more_designs_never_make_smaller(study):
    values, maximise = study
    every = hypervolume(values, maximise, values)
    some = hypervolume(values[:-1], maximise, values) if len(values) > 1 else 0.0
    assert -1e-12 <= some <= every + 1e-12
    assert every <= 1 + 1e-12


@given(studies(most=8))
@settings(max_examples=40, deadline=None)
def test_a_hypervolume_is_what_counting_cells_gives(study):
    values, maximise = study
    costs = oriented(np.floor(scaled(values, maximise) * 4) / 4, [False] * values.shape[1])
    box = np.vstack((np.zeros(values.shape[1]), np.ones(values.shape[1])))
    middles = np.stack(np.meshgrid(*[(np.arange(4) + 0.5) / 4] * values.shape[1], indexing="ij"), -1)
    middles = middles.reshape(-1, values.shape[1])
    counted = (costs[:, None] <= middles).all(-1).any(0).mean()
    # Zeros among the costs: the scale is linear.
    assert np.isclose(hypervolume(costs, [False] * values.shape[1], box), counted)
