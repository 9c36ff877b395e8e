"""What the reports say of a whole training run, and of a recipe that changes over one."""

import dataclasses
import json

import pytest
from bisparse.reports.run.answer import answer, comparison
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.page import page
from bisparse.reports.run.terminal import text_summary
from bisparse.reports.run.whole_training import (
    beyond_the_step,
    event_table,
    last_phase_sentence,
    phase_table,
    training_comparison,
    training_notes,
    training_sentence,
)
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.results.training_figures import TrainingEvent, TrainingPhase, TrainingRun

from .sample import sample_result


def phase(kind, first_step, steps, sparsity, costs_as, reason=""):
    return TrainingPhase(
        kind=kind, first_step=first_step, steps=steps, sparsity=sparsity, costs_as=costs_as, reason=reason,
        optimizer="sgd-momentum", step_cycles=200, step_seconds=0.25, step_joules=2.0,
    )  # fmt: skip


TRAINING = TrainingRun(
    steps=4000,
    switch_step=None,
    switch_assumed=False,
    phases=(
        phase("dense", 0, 1000, "dense", "dense"),
        phase("frame", 1000, 2000, "7:8", "dense", "sat-vcu1525 has no 7:8"),
        phase("sparse", 3000, 1000, "2:8", "2:8"),
    ),
    total_cycles=800_000,
    seconds=1000.0,
    joules=8000.0,
    dense_cycles=1_000_000,
    dense_seconds=1250.0,
    dense_joules=10_000.0,
    speedup_vs_dense=1.25,
    energy_ratio_vs_dense=0.8,
)


def scheduled(training=TRAINING):
    return dataclasses.replace(sample_result(), changes_over_time=True, training=training)


def test_a_run_is_a_sentence_with_its_steps_time_and_energy():
    assert training_sentence(TRAINING) == (
        "The whole training run: 4,000 steps take 16.7 min and 8.00 kJ, 1.25x as fast as dense, "
        "at 0.80x its energy (saves 20%)."
    )


def test_the_phases_sum_to_the_run():
    table = phase_table(scheduled())
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["dense", "1,000", "dense", "dense", "250 ms", "2.00 J", "4.17 min", "2.00 kJ"],
        ["frame", "2,000", "7:8", "dense", "250 ms", "2.00 J", "8.33 min", "4.00 kJ"],
        ["sparse", "1,000", "2:8", "2:8", "250 ms", "2.00 J", "4.17 min", "2.00 kJ"],
        ["total", "4,000", "", "", "", "", "16.7 min", "8.00 kJ"],
    ]
    assert phase_table(sample_result()) is None


EVENTFUL = dataclasses.replace(
    TRAINING,
    phases=(
        dataclasses.replace(TRAINING.phases[0], name="warm-up", pass_="inference"),
        dataclasses.replace(TRAINING.phases[2], name="cycle 1", times=3, event_seconds=50.0, event_joules=400.0),
    ),
    seconds=1050.0,
    joules=8400.0,
    events=(
        TrainingEvent(
            name="sort of weights", engine="reduction", every_steps=100, times=30, cycles=1, seconds=42.0, joules=300.0,
            useful_macs=0,
        ),
        TrainingEvent(
            name="average", engine="vector", every_steps=0, times=1, cycles=1, seconds=8.0, joules=100.0, useful_macs=0
        ),
    ),
)  # fmt: skip


def test_what_happens_beside_the_steps_has_a_row_each_with_its_share():
    table = event_table(EVENTFUL)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["sort of weights", "reduction", "100 steps", "30", "1.40 s", "4.0%", "3.6%"],
        ["average", "vector", "once", "1", "8.00 s", "0.8%", "1.2%"],
    ]
    assert event_table(TRAINING) is None


def test_a_phase_has_its_name_its_repetitions_and_the_time_of_its_events():
    rows = [[cell.text for cell in row] for row in phase_table(scheduled(EVENTFUL)).rows]
    assert [row[:3] + row[6:] for row in rows] == [
        ["warm-up (forward passes)", "1,000", "dense", "0 s", "4.17 min", "2.00 kJ"],
        ["cycle 1", "3 x 1,000", "2:8", "50.0 s", "13.3 min", "6.40 kJ"],
        ["total", "4,000", "", "50.0 s", "17.5 min", "8.40 kJ"],
    ]


def test_every_report_tells_the_events():
    result = scheduled(EVENTFUL)
    assert "sort of weights" in text_summary([result])
    assert "sort of weights" in markdown([result], command="bisparse report")
    assert "sort of weights" in page([result], command="bisparse report").decode()


def test_a_step_says_what_the_whole_run_has_beside_it():
    result = dataclasses.replace(sample_result(), left_to_run=("dense fine-tuning", "sort of weights"))
    told = beyond_the_step([result])
    assert told.startswith("Beside such steps: ")
    assert told.endswith("dense fine-tuning, sort of weights. The whole run: --training-steps N.")
    assert beyond_the_step([sample_result()]) is None
    assert beyond_the_step([dataclasses.replace(result, training=TRAINING)]) is None


def test_a_phase_that_costs_otherwise_than_it_trains_says_why():
    assert training_notes(TRAINING) == ["Frame 7:8: sat-vcu1525 has no 7:8."]


def test_a_switch_that_nobody_measured_and_a_wrong_optimizer_are_told():
    switching = dataclasses.replace(TRAINING, phases=TRAINING.phases[:1], switch_step=1000, switch_assumed=True)
    assert training_notes(switching) == [
        "The switch is taken to come at its latest, after 1,000 steps.",
        "The switch waits for Adam's variance, but these updates are sgd-momentum's.",
    ]
    measured = dataclasses.replace(
        switching, switch_assumed=False, phases=(dataclasses.replace(TRAINING.phases[0], optimizer="adam-watched"),)
    )
    assert training_notes(measured) == []


@pytest.mark.parametrize("write", [text_summary, lambda results: markdown(results, command="bisparse simulate x")])
def test_terminal_and_markdown_show_the_phases(write):
    text = write([scheduled()])
    words = " ".join(text.split())
    for wanted in ("The whole training run", "16.7 min", "frame", "7:8", "sat-vcu1525 has no 7:8"):
        assert wanted in words
    assert "The whole training run" not in write([sample_result()])


def test_the_terminal_stays_within_its_width_and_sets_whole_runs_side_by_side():
    for results in ([scheduled()], [sample_result("dense"), scheduled()]):
        text = text_summary(results)
        assert max(map(len, text.splitlines())) <= 80
    assert "whole run" in text
    assert [[cell.text for cell in row] for row in training_comparison(results).rows] == [
        ["bdwp 2:8", "4,000", "16.7 min", "1.25x", "8.00 kJ", "0.80x"]
    ]
    assert training_comparison([sample_result()]) is None


def test_the_page_has_the_table_and_says_that_the_rest_is_one_step():
    text = page([scheduled()], command="bisparse simulate x").decode()
    assert "<h2>The whole training run</h2>" in text
    assert "Everything below is one step of the last phase." in text
    assert "<h2>The whole training run</h2>" not in page([sample_result()], command="x").decode()
    assert "<h3>Whole training runs</h3>" in page([sample_result("dense"), scheduled()], command="x").decode()


def test_a_step_of_a_recipe_that_changes_is_said_to_be_of_its_last_phase():
    changing = scheduled(None)
    told = "bdwp 2:8 changes over a training run: this is a step of its last phase."
    assert last_phase_sentence([changing]).startswith(told)
    assert last_phase_sentence([sample_result()]) is None
    assert last_phase_sentence([scheduled()]) is None, "the run is there"
    assert "change over a training run" in last_phase_sentence([changing, sample_result("sdgp"), changing])
    assert told in " ".join(text_summary([changing]).split())
    assert told in markdown([changing], command="x")
    assert told in page([changing], command="x").decode()
    assert answer(changing).startswith("In its last phase bdwp 2:8 trains")
    assert answer(sample_result()).startswith("bdwp 2:8 trains")


def test_a_result_with_a_training_run_is_a_document_and_back():
    result = scheduled()
    document = json.loads(json.dumps(result.document()))
    assert document["training"]["phases"][1]["costs_as"] == "dense"
    assert SimulationResult.from_document(document) == result
    for name in ("training", "changes_over_time"):
        del document[name]
    assert SimulationResult.from_document(document).training is None, "written before it was tracked"


def test_several_runs_say_which_is_fastest_over_a_whole_run_and_that_a_step_is_of_the_last_phase():
    slower = dataclasses.replace(scheduled(), training=dataclasses.replace(TRAINING, speedup_vs_dense=1.1))
    told = comparison([slower, dataclasses.replace(sample_result("sr-ste"), training=TRAINING)])
    assert "bdwp 2:8 in its last phase is the fastest of 2 runs" in told
    assert f"Over a whole training run sr-ste 2:8 is the fastest: {TRAINING.speedup_vs_dense:.2f}x as fast" in told
    assert "Over a whole" not in comparison([scheduled(), sample_result("sr-ste")]), "one was not asked for its own"
