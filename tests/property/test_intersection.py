"""Zeros of both operands: the expectation against real masks, the machine that plays them, and laws."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.exploits import Exploits, Intersection
from bisparse.accel.specification import load_hardware
from bisparse.accel.tensor_engine import ArrayTiming, output_stationary_cycles
from bisparse.configs.errors import MappingError
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE
from bisparse.configs.unstructured import Unstructured
from bisparse.dataflow.compiled import numba_build
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.formats.intersected import Meeting, at_most_met, expected_met_slots, met_slots
from bisparse.dataflow.formats.skipped import met_by, why_not_skipped
from bisparse.dataflow.formats.waiting import expected_slots
from bisparse.dataflow.forms import best_form, check_form, forms_of, search_forms
from bisparse.dataflow.gemm import PLAIN, Form
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.search_compiled import compiled_choice
from bisparse.sim.product.single_product import plain_product
from bisparse.sim.witness.machines.intersecting import fullest_of_meetings, run_intersecting
from bisparse.sim.witness.machines.specification import Machine, Mapping
from hypothesis import given, settings
from hypothesis import strategies as st

SAT, BOTH = (load_hardware(name).model for name in ("sat-vcu1525", "sat-intersection"))

CASES = [
    (8, 1, 0.44, 0.25, 32, 32),
    (8, 4, 0.44, 0.25, 32, 32),
    (8, 4, 0.1, 0.2, 32, 32),
    (8, 1, 0.5, 0.5, 8, 8),
    (4, 4, 0.9, 0.1, 16, 32),
    (8, 2, 0.3, 0.3, 1, 32),
]


def drawn(draw, meeting, a, b, windows, rounds):
    """[rounds] slots of so many windows with masks drawn at random, in each as many as the fullest PE multiplies."""
    window = meeting.group * meeting.queue
    rows = (draw.random((rounds, windows, meeting.rows, window)) < a).astype(np.float32)
    columns = (draw.random((rounds, windows, window, meeting.cols)) < b).astype(np.float32)
    return (rows @ columns).max(axis=(2, 3)).sum(axis=1)


@pytest.mark.parametrize(("group", "queue", "a", "b", "rows", "cols"), CASES)
def test_the_mean_of_many_masks_is_the_expectation(group, queue, a, b, rows, cols):
    """An error of one in a hundred falls outside: of that the draws take less than half, the closed form a half."""
    meeting, windows, draw = Meeting(group=group, queue=queue, rows=rows, cols=cols), 10, np.random.default_rng(5)
    slots = np.concatenate([drawn(draw, meeting, a, b, windows, 500) for _ in range(10)])
    expected = expected_met_slots(meeting, a, b, windows * group * queue, 1)
    interval = 3 * slots.std() / np.sqrt(len(slots))
    assert interval < 0.0045 * expected, "else an error of one in a hundred would go unnoticed"
    assert abs(slots.mean() - expected) < interval + 0.005 * expected


@given(
    st.integers(1, 32),
    st.floats(0.02, 1.0),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 90),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=60)
def test_one_dense_operand_is_what_the_other_alone_takes(window, density, rows, cols, channels, taps):
    meeting = Meeting(group=window, queue=1, rows=rows, cols=cols)
    alone = expected_slots(meeting.windows(channels, taps), density, cols, 1)
    assert expected_met_slots(meeting, 1.0, density, channels, taps) == pytest.approx(alone, rel=1e-9)
    alone = expected_slots(meeting.windows(channels, taps), density, rows, 1)
    assert expected_met_slots(meeting, density, 1.0, channels, taps) == pytest.approx(alone, rel=1e-9)
    assert met_slots(meeting, 1.0, 1.0, channels, taps) == channels * taps


@given(st.integers(1, 32), st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None, max_examples=80)
def test_both_are_never_slower_than_either_and_a_probability(window, a, b, rows, cols):
    both = at_most_met(window, a, b, rows, cols)
    assert both[-1] == pytest.approx(1.0)
    assert (np.diff(both) >= 0).all()
    for one in (at_most_met(window, 1.0, b, rows, cols), at_most_met(window, a, 1.0, rows, cols)):
        assert (both >= one - 1e-9).all()
    assert (
        expected_met_slots(Meeting(group=window, queue=1, rows=rows, cols=cols), a, b, window, 1)
        >= window * a * b - 1e-9
    )


# The machine ----------------------------------------------------------------------------------------------------------


@st.composite
def machines(draw):
    latency = draw(st.integers(1, 4))
    return Machine(
        rows=draw(st.integers(1, 5)),
        cols=draw(st.integers(1, 5)),
        mac_latency=latency + draw(st.integers(0, 2)),
        accumulate_latency=latency,
        register_depth=1,
        overlapped=draw(st.booleans()),
        drain=draw(st.sampled_from(["shift", "wire"])),
    )


def timing_of(machine):
    drains = machine.drain == "shift"
    sides = machine.rows, machine.cols, machine.mac_latency, machine.accumulate_latency
    return ArrayTiming(*sides, machine.register_depth, machine.overlapped, drains, True)


@given(machines(), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1), st.integers(1, 16), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_the_machine_multiplies_and_takes_the_cycles_of_its_masks(machine, k, of_a, of_b, window, seed):
    draw = np.random.default_rng(seed)
    m, n = draw.integers(1, machine.rows, endpoint=True), draw.integers(1, machine.cols, endpoint=True)
    a, b = (
        draw.integers(1, 9, shape) * (draw.random(shape) < kept) for shape, kept in (((m, k), of_a), ((k, n), of_b))
    )
    outcome = run_intersecting(machine, Mapping(dataflow="os"), a, b, window=window)
    assert np.array_equal(outcome.product, a @ b)
    slots = max(1, int(fullest_of_meetings(a != 0, b.T != 0, window).sum()))
    assert outcome.cycles == output_stationary_cycles(timing_of(machine), m, n, slots, 1, 1)


@pytest.mark.parametrize(("a", "b"), [(0.44, 0.25), (0.2, 0.2), (0.6, 0.5)])
def test_the_closed_form_is_the_mean_of_many_machines(a, b):
    machine, channels, draw = (
        Machine(rows=4, cols=4, mac_latency=2, accumulate_latency=1),
        256,
        np.random.default_rng(3),
    )
    meeting, cycles = Meeting(group=8, queue=2, rows=4, cols=4), []
    for _ in range(60):
        x, y = (draw.random(shape) < kept for shape, kept in (((4, channels), a), ((channels, 4), b)))
        cycles.append(run_intersecting(machine, Mapping(dataflow="os"), x * 1.0, y * 1.0, window=16).cycles)
    expected = int(output_stationary_cycles(timing_of(machine), 4, 4, met_slots(meeting, a, b, channels, 1)))
    interval = 4 * np.std(cycles) / np.sqrt(60)
    assert -1 - interval - 0.005 * expected < np.mean(cycles) - expected < interval + 0.005 * expected
    assert interval < 0.05 * expected


def test_what_does_not_fit_one_fold_is_refused():
    with pytest.raises(MappingError, match="got 1x3 outputs, need at most 1x2"):
        run_intersecting(Machine(rows=1, cols=2), Mapping(dataflow="os"), np.ones((1, 4)), np.ones((4, 3)), window=4)


# On a design ----------------------------------------------------------------------------------------------------------


def both_sparse(m, n, k, a, b):
    return plain_product(m, n, k, parse_format(b), inputs=parse_format(a))


def test_nothing_zero_on_both_sides_is_dense_to_the_bit():
    assert both_sparse(64, 48, 96, "0%", "0%") == plain_product(64, 48, 96)


@pytest.mark.parametrize(("a", "b"), [("56%", "75%"), ("30%", "90%"), ("95%", "95%"), ("5%", "80%")])
def test_two_sparse_operands_are_never_slower_than_one(a, b):
    """On a design whose one operand takes the array: neither is slowed by its bitmap."""
    met = met_by(both_sparse(512, 512, 512, a, b), BOTH)
    only_b, only_a = (met_by(both_sparse(512, 512, 512, *one), BOTH) for one in (("0%", b), (a, "0%")))
    assert met.slots <= min(only_b.slots, only_a.slots)
    fastest = best_form(met, BOTH).cycles
    assert fastest <= 1.001 * best_form(only_b, BOTH).cycles + 2


def test_a_design_that_skips_one_operand_multiplies_by_the_zeros_of_the_other():
    gemm = met_by(both_sparse(256, 256, 512, "56%", "75%"), load_hardware("sat-unstructured").model)
    skipping = load_hardware("sat-unstructured").model
    assert PLAIN not in forms_of(gemm, skipping)
    best = best_form(gemm, skipping)
    assert best.mapping.form == Form(alone="b")
    formed = gemm.formed(best.mapping.form)
    assert (formed.expanded, formed.form) == ("a", Form(alone="b"))
    assert why_not_skipped(formed, skipping) == "sat-unstructured skips zeros of one operand at a time"
    with pytest.raises(MappingError, match="need one of them multiplied densely: sat-unstructured skips zeros of one"):
        check_form(PLAIN, gemm, skipping)


def test_nothing_is_gained_where_no_zeros_are_skipped():
    gemm = both_sparse(256, 256, 512, "56%", "75%")
    assert all(form.expanded for form in forms_of(gemm, SAT))
    assert best_form(gemm, SAT).mapping.form.expanded


def test_operands_that_lie_dense_in_memory_move_as_values_and_are_held_as_pairs():
    met = met_by(both_sparse(512, 512, 512, "56%", "75%"), BOTH)
    streamed = replace(met, encoded_on_load="a")
    assert (met.in_pairs("a"), streamed.in_pairs("a"), streamed.compressed) == (True, False, "ab")
    stored, written = (best_mapping(each, BOTH) for each in (met, streamed))
    dense_a, pairs_a = 512 * 512 * 2, 512 * 512 * 2 * 0.44 + 512 * 512 / 8
    assert written.moved_bytes - stored.moved_bytes == pytest.approx(dense_a - pairs_a, rel=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_kernels_tables_of_designs_and_numpy_find_the_same(seed):
    draw = np.random.default_rng(seed)
    m, n, k = (int(draw.integers(20, 600)) for _ in range(3))
    both = Intersection(group=int(draw.choice([4, 8])), queue=int(draw.choice([1, 4])))
    engine = BOTH.tensor_engine.model_copy(
        update={
            "exploits": Exploits(intersection=both),
            "rows": int(draw.choice([8, 32])),
            "swap_operands": bool(seed % 2),
        }
    )
    hardware = BOTH.model_copy(update={"tensor_engine": engine})
    gemm = both_sparse(m, n, k, f"{draw.integers(1, 99)}%", f"{draw.integers(1, 99)}%")
    gemm = replace(gemm, encoded_on_load="a" if draw.random() < 0.5 else "")
    met = met_by(gemm, hardware)
    by_numpy = best_mapping(met, hardware)
    if numba_build.is_installed():
        found = compiled_choice(met, hardware)
        assert found == replace(by_numpy, timed_exactly=found.timed_exactly)
    one_by_one = best_form(met, hardware)
    forms = search_forms(gemm, DesignTable(designs=[hardware]), np.array([0]))
    ((_, mapped),) = forms.mapped(np.array([0]))
    assert int(mapped.pipeline().cycles[0]) == one_by_one.cycles


def test_blocks_and_rules_are_skipped_alone():
    for text in ("75% block 4x8", "2:8"):
        gemm = met_by(both_sparse(64, 64, 64, "50%", text), BOTH)
        assert PLAIN not in forms_of(gemm, BOTH)
        assert Form(alone="b") in forms_of(gemm, BOTH)


def test_what_is_left_out_on_the_way_in_is_a_value_elsewhere():
    gemm = replace(plain_product(64, 64, 64, inputs=Unstructured(50.0)), encoded_on_load="a")
    assert met_by(gemm, SAT).a is DENSE
    assert met_by(gemm, load_hardware("sat-unstructured").model).sparse == ""
    assert met_by(gemm, BOTH).compressed == "a"
