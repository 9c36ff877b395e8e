import dataclasses
import itertools

import pytest
from bisparse.reports.run.ladder import ladder

from .sample import sample_result

RECIPES = ("sr-ste", "sdgp", "sdwp", "bdwp")


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("sparsity", ["2:4", "2:8", "1:16"])
def test_changes_between_two_totals_sum_to_their_difference(recipe, sparsity):
    result = sample_result(recipe, sparsity)
    rungs = ladder(result)
    totals = [position for position, rung in enumerate(rungs) if rung.kind == "total"]
    assert len(totals) == 3
    for start, end in itertools.pairwise(totals):
        changes = sum(rung.cycles for rung in rungs[start + 1 : end])
        assert changes == pytest.approx(rungs[end].cycles - rungs[start].cycles, abs=0.005 * rungs[0].cycles)
    below = sum(rung.cycles for rung in rungs[totals[1] + 1 : totals[2]])
    assert below == pytest.approx(result.total_cycles - result.dense.total_cycles / result.flop_bound_speedup, abs=1)


def test_the_totals_are_the_dense_step_the_bound_and_the_prediction():
    result = sample_result("bdwp")
    totals = [rung.cycles for rung in ladder(result) if rung.kind == "total"]
    dense = result.dense.total_cycles
    assert totals == [dense, dense / result.flop_bound_speedup, result.total_cycles]


def test_what_stays_dense_weighs_what_its_multiply_accumulates_do():
    result = sample_result("sr-ste", "2:8")
    rungs = {rung.name: rung for rung in ladder(result)}
    kept = sum(row.useful_macs for row in result.rows if row.stage == "WU")
    share = kept / (result.useful_macs * result.flop_bound_speedup)
    assert rungs["WU stays dense"].cycles == pytest.approx(result.dense.total_cycles * share * (1 - 2 / 8))
    assert "BP left dense" in rungs


def test_vector_work_stands_below_the_bound_because_it_does_not_shrink():
    result = sample_result("bdwp")
    rung = next(rung for rung in ladder(result) if rung.name == "waits for the vector engine")
    assert rung.cycles == pytest.approx(result.by_stage["vector"] * (1 - 1 / result.flop_bound_speedup))
    assert rung.note == "1.00 of the dense step's, where the bound supposes 0.50"


def test_a_step_with_several_patterns_does_not_pretend_to_one():
    result = sample_result("bdwp")
    rows = list(result.rows)
    position = next(i for i, row in enumerate(rows) if row.sparsity == "2:8")
    rows[position] = dataclasses.replace(rows[position], sparsity="4:8")
    names = [rung.name for rung in ladder(dataclasses.replace(result, rows=tuple(rows)))]
    assert names[1] == "MACs pruned away"
