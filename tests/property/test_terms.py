"""Sums of N:M terms: times and bytes add up, the machine plays them, and searches agree."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.accel.tensor_engine import ArrayTiming, output_stationary_cycles
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.compiled import numba_build
from bisparse.dataflow.design_table import DesignTable
from bisparse.dataflow.formats.stored import Stored, stored_bytes
from bisparse.dataflow.forms import best_form, search_forms
from bisparse.dataflow.product_cost import product_cost
from bisparse.dataflow.search import best_mapping
from bisparse.dataflow.search_compiled import compiled_choice
from bisparse.sim.event.sparse_depth import SparseDepth
from bisparse.sim.product.single_product import plain_product
from bisparse.sim.witness.machines.machine import Machine, Mapping, run
from hypothesis import given, settings
from hypothesis import strategies as st

SAT = load_hardware("sat-vcu1525").model

TERMS = st.sampled_from(["2:8+1:8", "2:4+1:4", "1:4+2:8", "1:4+1:8+1:16", "4:8+2:8+1:8"])


@given(TERMS, st.integers(1, 200), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_slots_groups_and_kept_elements_add_up(text, channels, taps):
    sparse = parse_format(text)
    every = taps * len(sparse.terms)
    assert sparse.slots(channels, every) == sum(term.slots(channels, taps) for term in sparse.terms)
    assert sparse.groups(channels, every) == sum(term.groups(channels, taps) for term in sparse.terms)
    depth = SparseDepth(sparse=sparse, taps=every)
    assert depth.slots(channels * every) == sparse.slots(channels, every)
    assert sparse.slots(channels, every) <= channels * taps + len(sparse.terms) * taps * 32


@given(TERMS, st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_bytes_are_those_of_the_terms_of_a_real_mask(text, groups, outputs, seed):
    sparse = parse_format(text)
    channels = groups * sparse.unit
    mask = sparse.mask(np.random.default_rng(seed), outputs, channels)
    assert mask.sum() == outputs * sparse.slots(channels, len(sparse.terms)), "terms take different elements"
    stored = Stored.of(sparse, 2)
    bits = sum(16 + max(term.index_bits for term in sparse.terms) for _ in range(int(mask.sum())))
    assert stored_bytes(int(mask.sum()), mask.size, stored) == -(-bits // 8)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.integers(2, 3), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_the_machine_runs_term_after_term_over_the_same_values(m, n, groups, times, seed):
    machine = Machine(rows=3, cols=4, mac_latency=2, accumulate_latency=1, register_depth=2, overlapped=True)
    draw, term = np.random.default_rng(seed), Pattern(1, 4)
    sparse = parse_format("+".join(["1:4"] * times))
    channels = 4 * groups
    weight = draw.integers(1, 9, (n, channels)).astype(float)
    left, parts = np.ones_like(weight, dtype=bool), []
    for _ in range(times):
        # The largest of what is left of each group.
        order = np.where(left, weight + draw.random(weight.shape) / 2, -1).reshape(n, groups, 4)
        chosen = (order.argsort(axis=2).argsort(axis=2) == 3).reshape(n, channels)
        parts.append(weight * chosen)
        left &= ~chosen
    a = draw.integers(1, 9, (m, channels)).astype(float)
    b = np.concatenate(parts, axis=1).T
    outcome = run(machine, Mapping(dataflow="os"), np.tile(a, (1, times)), b, taps=times, pattern=term, compressed="b")
    assert np.array_equal(outcome.product, a @ (weight * ~left).T)
    array = ArrayTiming(3, 4, 2, 1, 2, overlapped=True, shifted_drain=machine.drain == "shift", chained_load=True)
    slots = int(sparse.slots(channels, times))
    assert outcome.cycles == output_stationary_cycles(array, m, n, slots, 1, 1)


def test_a_product_takes_the_time_of_its_terms_and_fetches_the_other_operand_once():
    both = plain_product(1024, 512, 512, parse_format("2:8+1:8"))
    choice = best_form(both, SAT)
    apart = [best_form(plain_product(1024, 512, 512, Pattern(kept, 8)), SAT).cycles for kept in (2, 1)]
    assert 0.97 * sum(apart) < choice.cycles < 1.03 * sum(apart)
    small = plain_product(64, 64, 64, parse_format("2:8+1:8"))
    cost = product_cost(small, SAT, best_form(small, SAT).mapping)
    kept = 64 * 64 * 3 // 8
    burst = SAT.dram.burst_bytes
    assert cost.read_bytes == 64 * 64 * 2 + -(-(kept * 19 // 8) // burst) * burst


@pytest.mark.parametrize("dataflows", [("ws",), ("is",)])
def test_groups_of_several_counts_stay_in_no_pe(dataflows):
    gemm = plain_product(64, 64, 64, parse_format("2:8+1:8"))
    only = SAT.model_copy(update={"tensor_engine": SAT.tensor_engine.model_copy(update={"dataflows": ("ws", "os")})})
    assert best_form(gemm, only).mapping.array.dataflow == "os"
    with pytest.raises(Exception, match="need"):
        best_mapping(gemm, only, dataflows=dataflows)


@pytest.mark.parametrize(("m", "n", "k"), [(33, 100, 96), (512, 16, 576), (100, 512, 64)])
def test_kernels_and_tables_of_designs_find_the_same(m, n, k):
    gemm = plain_product(m, n, k, parse_format("2:8+1:4"))
    by_numpy = best_mapping(gemm, SAT)
    if numba_build.is_installed():
        found = compiled_choice(gemm, SAT)
        assert found == replace(by_numpy, timed_exactly=found.timed_exactly)
    forms = search_forms(gemm, DesignTable(designs=[SAT]), np.array([0]))
    ((_, mapped),) = forms.mapped(np.array([0]))
    assert int(mapped.pipeline().cycles[0]) == best_form(gemm, SAT).cycles
