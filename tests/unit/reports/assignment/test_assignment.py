"""What the terminal says of ratios assigned to layers."""

import dataclasses

import pytest
from bisparse.reports.assignment.terminal import assignment_text
from bisparse.sim.results.simulation_result import Input
from bisparse.sim.studies.assignment.assignment import AssignedLayer, Assignment, Budget, RatioStep


def step(sparsity, cycles, reached, *, within=True):
    return RatioStep(
        sparsity=sparsity, total_cycles=cycles, step_seconds=cycles / 1e6, energy_joules=1.0,
        speedup_vs_dense=2000 / cycles, energy_ratio_vs_dense=0.6, reached=reached, within=within,
    )  # fmt: skip


def layer(module, stage, sparsity, kept):
    return AssignedLayer(
        module=module, stage=stage, sparsity=sparsity, weights=2048, kept_magnitude=kept, loss_rise=None, cycles=300,
        dense_cycles=600,
    )  # fmt: skip


FOUND = Assignment(
    bisparse_version="0",
    inputs={name: Input(name=name, sha256="0" * 64) for name in ("hardware", "workload", "recipe", "layer_costs")},
    title={},
    batch=32,
    optimizer="sgd",
    proxy="sensitivity",
    like="2:8",
    ratios=("1:8", "2:8"),
    budgets=(
        Budget(measure="loss rise", stages=("FF",), limit=0.125, reached=0.12),
        Budget(measure="kept magnitude", stages=("BP",), limit=0.48, reached=0.481),
    ),
    layers=(layer("a", "FF", "1:8", 0.28), layer("a", "BP", "dense", 1.0), layer("b", "FF", "2:8", 0.48)),
    assigned=step("per layer", 1000, (0.12, 0.481)),
    uniform=(step("1:8", 900, (0.5, 0.28), within=False), step("2:8", 1100, (0.125, 0.48))),
    predicted_cycles=1000.0,
    bound_cycles=1000.0,
    simulated=54,
    assumptions=(),
)


def said(assignment):
    return " ".join(assignment_text(assignment).split())


def test_the_answer_sets_the_step_beside_the_best_uniform_ratio_within_the_budget():
    text = said(FOUND)
    assert "2.00x as fast as dense, at 0.60x its energy (saves 40%)" in text
    assert "The best uniform ratio within the budget, 2:8, gives 1.82x: the step is 10% faster." in text
    assert "1,000 cycles, the fewest of 54 assignments simulated; as its layers sum to (no choice within" in text
    assert "sums to fewer: a bound of the sums, not of simulated steps). Chosen from 1:8, 2:8." in text
    assert "Equal proxies promise no equal accuracy" in text


def test_every_step_stands_with_what_it_reaches_of_each_budget():
    rows = [line.split() for line in assignment_text(FOUND).splitlines()]
    assert ["budget", "0.1250", "48.00%"] in rows
    assert ["1:8", "900", "µs", "2.22x", "0.60x", "0.5000", "28.00%", "passed"] in rows
    assert ["a", "2.05", "k", "1:8", "28%", "300", "dense", "100%", "300"] in rows
    assert ["b", "2.05", "k", "2:8", "48%", "300", "-"] in rows
    assert max(map(len, assignment_text(FOUND).splitlines())) <= 80


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"uniform": (step("2:8", 1000, (0.125, 0.48)),)}, "It is no faster than 2:8 in all layers"),
        ({"uniform": FOUND.uniform[:1]}, "No uniform ratio keeps the budget."),
        ({"predicted_cycles": 990.0, "bound_cycles": 980.1}, "its layers sum to 990 (no choice within the budget sums"),
        ({"predicted_cycles": 990.0, "bound_cycles": 980.1}, "sums to fewer than 980: a bound of the sums, not of"),
    ],
)
def test_what_is_not_as_hoped_is_said(changed, wanted):
    assert wanted in said(dataclasses.replace(FOUND, **changed))
