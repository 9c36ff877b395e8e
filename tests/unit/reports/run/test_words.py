import dataclasses
import doctest
import importlib

import pytest
from bisparse.dataflow.cycle_causes import CYCLE_CAUSES
from bisparse.reports import text_summary
from bisparse.reports.run.answer import answer, labels
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.operator_list import cost_most, saved_most
from bisparse.reports.run.roofline import points
from bisparse.reports.run.verdict import BOUNDS
from bisparse.reports.shared.quantities import byte_count, joules, seconds, times
from bisparse.sim.results.simulation_result import Input

from .sample import sample_result

RECIPES = ("dense", "sr-ste", "sdgp", "sdwp", "bdwp")


@pytest.mark.parametrize("name", ["quantities", "against_dense", "plotly_data"])
def test_examples_in_docstrings_hold(name):
    tried = doctest.testmod(importlib.import_module(f"bisparse.reports.shared.{name}"))
    assert tried.attempted
    assert not tried.failed


def test_every_number_carries_its_unit_and_three_digits():
    assert [seconds(v) for v in (19.3093, 0.0012345, 999.6e-6)] == ["19.3 s", "1.23 ms", "1.00 ms"]
    assert [joules(v) for v in (0, 5.47e-6, 88.94)] == ["0 J", "5.47 µJ", "88.9 J"]
    assert [byte_count(v) for v in (0, 64, 43_200_000_000)] == ["0 B", "64 B", "43.2 GB"]


def test_the_answer_of_a_slower_recipe_says_so():
    result = sample_result("bdwp")
    step = dataclasses.replace(result.by_scope["step"], speedup_vs_dense=0.8, energy_ratio_vs_dense=1.2)
    slower = dataclasses.replace(result, speedup_vs_dense=0.8, by_scope={**result.by_scope, "step": step})
    text = answer(slower)
    assert "0.80x as fast as dense (slower)" in text
    assert "costs 20% more" in text
    assert "of the gain" not in text


def test_the_answer_of_a_step_faster_than_its_bound_says_why():
    result = dataclasses.replace(sample_result("bdwp"), speedup_vs_dense=2.5)
    assert "its traffic and waits shrink by more than its arithmetic" in answer(result)


def test_the_answer_of_a_dense_run_claims_no_gain():
    assert answer(sample_result("dense")).endswith("This is the baseline: nothing is pruned.")


def test_runs_are_told_apart_by_what_they_do_not_share():
    one = sample_result("bdwp")
    other = dataclasses.replace(one, inputs={**one.inputs, "hardware": Input(name="edge-16x16", sha256="0" * 64)})
    assert labels([one, other]) == ["bdwp 2:8, sat-vcu1525", "bdwp 2:8, edge-16x16"]
    assert labels([one, sample_result("bdwp", "2:4")]) == ["bdwp 2:8", "bdwp 2:4"]
    assert labels([one, one]) == ["bdwp 2:8 (run 1)", "bdwp 2:8 (run 2)"]


@pytest.mark.parametrize("recipes", [("bdwp",), ("dense",), RECIPES])
def test_the_terminal_gets_a_screen_of_text_with_both_scopes(recipes):
    results = [sample_result(recipe) for recipe in recipes]
    text = text_summary(results)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert len(text.splitlines()) < 30
    for result in results:
        assert seconds(result.step_seconds) in text
        assert joules(result.energy_joules) in text
        if result.sparsity != "dense":
            assert times(result.by_scope["gemm"].speedup_vs_dense) in text
            assert times(result.by_scope["step"].speedup_vs_dense) in text
            assert times(result.flop_bound_speedup) in text
    assert "Rests on 3 assumed, 2 published" in text


def test_the_terminal_is_warned_of_unknown_operators():
    assert "Warning" in text_summary([sample_result(unknown=["aten.foo"])])


def test_the_markdown_says_the_same_answer_in_tables_of_even_width():
    results = [sample_result(recipe) for recipe in RECIPES]
    text = markdown(results, command="bisparse compare x")
    assert answer(results[-1]) in text
    assert "    bisparse compare x" in text
    width = 0
    for line in text.splitlines():
        cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
        assert cells in (0, width) or not width
        width = cells


def test_the_markdown_lets_no_name_break_a_table():
    text = markdown([sample_result(module_prefix="a|b<i>_")], command="x")
    assert "a\\|b\\<i>\\_" in text


def test_the_operators_that_changed_most_come_first_and_a_loss_counts_too():
    result = sample_result("bdwp")
    table = saved_most(result)
    assert table is not None
    rows = {row.name: row for row in result.rows}
    groups = [[rows[name] for name in row[0].exact.split(", ")] for row in table.rows]
    changes = [abs(sum((row.dense_cycles or 0) - row.cycles for row in group)) for group in groups]
    assert changes == sorted(changes, reverse=True)
    assert sum(changes) > 0.9 * (result.dense.total_cycles - result.total_cycles)
    assert saved_most(sample_result("dense")) is None


def test_operators_alike_share_a_line_and_their_cycles_are_added():
    result = sample_result("bdwp")
    first = cost_most(result).rows[0]
    names = first[0].exact.split(", ")
    spent = sum(row.cycles for row in result.rows if row.name in names)
    assert first[0].text == f"layer1.0.conv1 and {len(names) - 1} alike"
    assert first[4].exact == f"{spent:,}"
    assert len({row.cycles for row in result.rows if row.name in names}) == 1


def test_a_dense_product_says_why():
    table = cost_most(sample_result("bdwp"))
    why = table.headings.index("why dense")
    sparsity = table.headings.index("sparsity")
    assert all(row[why].text for row in table.rows if row[sparsity].text == "dense")


def test_no_point_stands_above_the_array_peak():
    result = sample_result("bdwp")
    assert points(result)
    assert max(point.macs_per_cycle for point in points(result)) <= result.peak_macs_per_cycle


def test_what_bounds_a_step_is_every_cause_of_its_cycles_once():
    causes = [cause for each in BOUNDS.values() for cause in each]
    assert sorted(causes) == sorted(CYCLE_CAUSES)
