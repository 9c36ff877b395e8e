"""The reduction engine's machine: what its slots keep, against a plain sort."""

import numpy as np
import pytest
from bisparse.accel.engines import reduction_cycles
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.sim.witness.machines.sorter import reduce_stream
from hypothesis import given, settings
from hypothesis import strategies as st

FEW = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 6e-8, -6e-8, np.inf, -np.inf, 0.5]
"""Few values, so that ties are everywhere; 6e-8 is a denormal of float16."""


@st.composite
def streams(draw):
    group = draw(st.integers(1, 12))
    pattern = Pattern(draw(st.integers(1, group)), group)
    width = draw(st.sampled_from([16, 32]))
    rows, length = draw(st.integers(1, 3)), draw(st.integers(1, 30))
    element = st.one_of(st.sampled_from(FEW), st.floats(width=16, allow_nan=False))
    flat = draw(st.lists(element, min_size=rows * length, max_size=rows * length))
    return np.array(flat, f"float{width}").reshape(rows, length), pattern


def kept_by_sorting(row, pattern):
    """Positions kept of one stream: by falling magnitude, then by rising position, group after group."""
    kept = []
    for start in range(0, len(row), pattern.group):
        group = range(start, min(start + pattern.group, len(row)))
        kept += sorted(sorted(group, key=lambda position: (-abs(float(row[position])), position))[: pattern.kept])
    return kept


@settings(max_examples=150, deadline=None)
@given(streams())
def test_it_keeps_what_a_stable_sort_by_magnitude_keeps(case):
    values, pattern = case
    reduced = reduce_stream(values, pattern)
    for row, kept, indices, mask in zip(values, reduced.values, reduced.indices, reduced.mask, strict=True):
        positions = kept_by_sorting(row, pattern)
        assert np.flatnonzero(mask).tolist() == positions
        assert indices.tolist() == [position % pattern.group for position in positions]
        assert kept.tobytes() == row[positions].tobytes(), "values leave bit for bit, signs of zeros included"


@pytest.mark.parametrize("elements", [1, 8, 64, 100, 1000])
@pytest.mark.parametrize("lanes", [1, 4, 32])
def test_cycles_are_those_of_the_closed_form_and_every_element_meets_all_slots(elements, lanes):
    pattern = Pattern(2, 8)
    reduced = reduce_stream(np.arange(elements, dtype=np.float32), pattern, lanes=lanes)
    assert reduced.cycles == reduction_cycles(lanes, elements, 8)
    assert reduced.compares == elements * pattern.kept


def test_zeros_denormals_infinity_and_nan():
    def kept(*values, width=32):
        return reduce_stream(np.array(values, f"float{width}"), Pattern(1, len(values))).indices.item()

    assert kept(-0.0, 0.0) == kept(0.0, -0.0) == 0, "zeros of either sign tie"
    assert kept(0.0, -1e-45) == 1, "denormals are not flushed"
    assert kept(0.0, 6e-8, width=16) == 1
    assert kept(3e38, -np.inf) == 1
    assert kept(np.inf, -np.nan, np.inf) == 1, "NaN is never pruned in favour of a number"


def test_a_short_last_group_keeps_what_it_has():
    reduced = reduce_stream(np.float16([4, 3, 2, 1, -1]), Pattern(2, 4))
    assert reduced.values.tolist() == [4, 3, -1]
    assert reduced.indices.tolist() == [0, 1, 0]
    assert reduced.mask.tolist() == [True, True, False, False, True]


def test_n_equal_to_m_keeps_all_and_any_leading_axes_are_streams():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert (reduce_stream(values, Pattern(4, 4)).values == values).all()
    assert reduce_stream(values, Pattern(1, 4)).values[..., 0].tolist() == values[..., 3].tolist()
    assert reduce_stream(values[:0], Pattern(1, 4)).values.shape == (0, 3, 1)


@pytest.mark.parametrize(
    ("values", "lanes", "message"),
    [
        (np.zeros(4), 1, r"values: got float64, need float32 or float16; try values\.astype\('float32'\)"),
        (np.float32(1), 1, "values: got a scalar, need at least one axis of elements"),
        (np.zeros(4, np.float32), 0, "lanes: got 0, need at least 1"),
    ],
)
def test_what_it_does_not_take(values, lanes, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        reduce_stream(values, Pattern(2, 4), lanes=lanes)
