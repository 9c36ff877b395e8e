"""What reports say of a step's memory, and what they leave out of a result that does not know it."""

import dataclasses
import json

import pytest
from bisparse.reports import text_summary
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.memory import memory_sentence, memory_table, memory_warning, on_chip_sentence
from bisparse.reports.run.memory_figure import memory_figure
from bisparse.reports.run.page import page
from bisparse.sim.results.memory_results import OnChip
from bisparse.sim.results.simulation_result import SimulationResult

from .sample import sample_memory, sample_result

SMALL_CARD = 1_000_000_000


def tight():
    return dataclasses.replace(sample_result(), memory=sample_memory(SMALL_CARD))


def test_a_terminal_gets_one_line_of_a_step_that_fits():
    text = " ".join(text_summary([sample_result()]).split())
    assert "Memory at its peak: 1.75 GB of 16.0 GB, at fc:BP; the largest batch that fits is 4,100." in text
    assert "Warning" not in text


def test_of_a_network_that_becomes_narrower_the_peak_is_said_to_be_of_the_last_phase():
    """Phases before it take more."""
    assert memory_sentence(sample_memory(), narrowed=True).startswith("Memory at its peak, in the last phase: 1.75 GB")


def test_a_step_that_does_not_fit_is_said_not_to_with_the_batch_that_does():
    said = "does not fit: needs 1.75 GB of 1.00 GB; the largest batch that fits is 96"
    assert f"Warning: the step {said}." in " ".join(text_summary([tight()]).split())
    assert f"> **The step {said}.**" in markdown([tight()], command="x")
    assert f"The step {said}." in page([tight()], command="x").decode()


def test_of_several_runs_that_differ_the_one_that_fills_its_card_most_is_named():
    several = [sample_result("dense"), tight()]
    text = " ".join(text_summary(several).split())
    assert "Memory at its peak (bdwp 2:8): 1.75 GB of 1.00 GB, at fc:BP." in text
    text = " ".join(text_summary([sample_result("dense"), sample_result()]).split())
    assert "Memory at its peak: 1.75 GB of 16.0 GB" in text, "all alike"


def test_of_several_runs_only_those_that_do_not_fit_are_warned_of():
    text = " ".join(text_summary([sample_result("dense"), tight()]).split())
    assert "Warning: bdwp 2:8 does not fit" in text
    assert text.count("does not fit") == 1


def test_a_card_that_not_even_one_sample_fits_is_said_to_take_no_batch():
    memory = dataclasses.replace(sample_memory(SMALL_CARD), largest_batch=0)
    assert memory_warning(memory).endswith("; no batch fits")


def test_a_step_that_misses_by_little_is_shown_in_whole_bytes():
    memory = dataclasses.replace(sample_memory(), capacity_bytes=1_764_999_999, peak_bytes=1_765_000_000, fits=False)
    assert "needs 1,765,000,000 B of 1,764,999,999 B" in memory_warning(memory)


def test_the_table_sums_to_the_peak():
    *rows, total = memory_table(sample_result()).rows
    peak = sample_result().memory.peak_bytes
    assert sum(int(row[1].exact.replace(",", "")) for row in rows) == peak == int(total[1].exact.replace(",", ""))


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        (OnChip(tensors=0, saved_bytes=0), "Nothing stays on chip between operators."),
        (OnChip(tensors=1, saved_bytes=5), "1 tensor stays on chip until its last use, which saves 5 B"),
        (OnChip(tensors=2, saved_bytes=5), "2 tensors stay on chip until their last use, which saves 5 B"),
    ],
)
def test_what_stays_on_chip_in_words(kept, sentence):
    assert on_chip_sentence(dataclasses.replace(sample_result(), on_chip=kept)).startswith(sentence)


def test_the_picture_stacks_to_the_peak_and_draws_a_capacity_that_is_near():
    memory = sample_memory(2 * SMALL_CARD)
    figure = memory_figure(memory)
    areas = [trace for trace in figure["data"] if "stackgroup" in trace]
    tops = [sum(heights) for heights in zip(*(area["y"] for area in areas), strict=True)]
    assert max(tops) * 1e9 == pytest.approx(memory.peak_bytes)
    assert [area["name"] for area in areas] == [
        "weights and state",
        "activations and data",
        "gradients",
        "weight gradients",
    ]
    capacity = next(trace for trace in figure["data"] if trace.get("line", {}).get("color") == "@loss")
    assert capacity["y"] == [2.0, 2.0]
    assert figure["layout"]["yaxis"]["range"][1] > 2.0


def test_the_picture_only_names_a_capacity_that_is_far():
    figure = memory_figure(sample_memory(100 * SMALL_CARD))
    assert not [trace for trace in figure["data"] if trace.get("line", {}).get("color") == "@loss"]
    assert any("card: 100 GB, 57.1 times the peak" in str(trace.get("text")) for trace in figure["data"])


def test_a_result_from_before_memory_was_tracked_is_reported_without_it():
    document = json.loads(json.dumps(sample_result().document()))
    del document["memory"], document["on_chip"]
    old = SimulationResult.from_document(document)
    assert (old.memory, old.on_chip) == (None, None)
    assert "Memory at its peak" not in text_summary([old])
    assert "Memory over the step" not in markdown([old], command="x")
    assert "Memory over the step" not in page([old], command="x").decode()
