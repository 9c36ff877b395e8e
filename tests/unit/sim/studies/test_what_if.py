"""What would help a step: each figure is that of a simulation of the changed design."""

from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.reports.run.decision_sections import verdict_section
from bisparse.reports.run.run_view import RunView
from bisparse.reports.run.verdict import help_words
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies import what_if
from bisparse.sim.studies.explore.point import Outcome
from bisparse.sim.studies.what_if import with_what_ifs
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

BDWP, PATTERN, SAT = load_recipe("bdwp"), Pattern(2, 8), load_hardware("sat-vcu1525")


def simulator(design, **options):
    said = Options(batch=2, **options)
    return Simulator(workload=load_workload("resnet9-cifar10"), hardware=design, options=said, version="test")


def test_each_change_is_simulated_and_the_best_stands_first():
    asked = simulator(SAT)
    result = with_what_ifs(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN)
    assert len(result.what_if) == 7
    for each in result.what_if[::2]:
        words = [f"{name}={str(value).lower()}" for name, value in each.fields.items()]
        changed = simulator(set_fields(SAT, words)).run(BDWP, PATTERN)
        assert each.step_seconds == changed.step_seconds
        assert each.speedup_vs_dense == changed.speedup_vs_dense
        assert each.energy_ratio_vs_dense == changed.energy_ratio_vs_dense
        assert each.gain == result.step_seconds / changed.step_seconds
    gains = [each.gain for each in result.what_if]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 1.5, "twice the array in both directions"
    assert SimulationResult.from_document(result.document()) == result


def test_what_the_options_settle_is_not_tried():
    asked = simulator(SAT, overlap_vector=False)
    result = with_what_ifs(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN)
    assert not any("policy.overlap_vector" in each.fields for each in result.what_if)


def test_a_change_that_cannot_be_is_told_with_the_reason():
    most = set_fields(SAT, ["dram.channels=65536"])
    asked = simulator(most)
    result = with_what_ifs(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN)
    assert len(result.what_if) == 7
    last = result.what_if[-1]
    assert (last.fields, last.gain) == ({"dram.channels": 131072}, None)
    assert last.reason == "dram.channels: got 131072, need a number <= 65536"
    assert not any(each.reason for each in result.what_if[:-1])
    assert SimulationResult.from_document(result.document()) == result
    assert f"What cannot be, or cannot run the step: 131072 DRAM channels ({last.reason})." in help_words(result)


def test_a_change_with_which_the_step_cannot_run_is_told_with_the_reason(monkeypatch):
    asked = simulator(SAT)
    step = asked.run(BDWP, PATTERN)
    no_tile = Outcome(figures=None, reason="no tile fits")
    monkeypatch.setattr(what_if, "evaluate", lambda points, version: [no_tile] * len(points))
    result = with_what_ifs(asked, step, BDWP, PATTERN)
    assert {(each.gain, each.reason) for each in result.what_if} == {(None, "no tile fits")}
    assert help_words(result).startswith("Nothing that was tried makes it faster by a hundredth. What cannot be")
    rows = verdict_section(RunView(name="x", result=result, results=[result])).table.rows
    assert [cell.text for cell in rows[0][2:]] == ["–"] * 4
    assert rows[0][0].text.endswith(": no tile fits")
