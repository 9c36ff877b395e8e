"""Methods side by side: what they save, split, says the same on the page, in the Markdown and in a terminal."""

from dataclasses import replace

import pytest
from bisparse.reports.run.markdown import markdown
from bisparse.reports.run.page import page
from bisparse.reports.run.split_figure import split_figure
from bisparse.reports.run.splits import (
    OTHER_KIND,
    REST,
    SplitRow,
    Splits,
    kind_of,
    split_lines,
    split_table,
    split_words,
    splits_of,
)
from bisparse.reports.run.terminal import text_summary
from bisparse.sim.results.method_split import BETWEEN, MethodSplit
from bisparse.sim.results.simulation_result import Input
from bisparse.training.recipes.declaration import load_recipe

from .sample import sample_result


def row(name, kind, promised, **between):
    split = MethodSplit(
        dense_cycles=1000,
        promised_cycles=promised,
        taken_cycles=promised + sum(between.values()),
        between_cycles=dict.fromkeys(BETWEEN, 0) | between,
    )
    return SplitRow(name=name, kind=kind, split=split)


SPLITS = Splits(
    of="step",
    rows=(
        row("bdwp 2:8", "N:M training", 500, vector=70, fill=1),
        row("slope 2:4", "N:M training", 500, gradients=140, vector=70, fill=3),
        row("prosparse", "activation sparsity", 1000, vector=-40),
    ),
)


def test_a_row_adds_up_and_its_kind_stands_at_the_first_of_it():
    assert [[cell.text for cell in cells] for cells in split_table(SPLITS).rows] == [
        ["N:M training", "bdwp 2:8", "50.0", "–", "+7.0", "+0.1", "57.1"],
        ["", "slope 2:4", "50.0", "+14.0", "+7.0", "+0.3", "71.3"],
        ["activation sparsity", "prosparse", "100.0", "–", "−4.0", "–", "96.0"],
    ]
    assert split_table(SPLITS).rows[1][3].exact == "+140 cycles"


def test_parts_too_small_in_every_method_are_the_rest():
    assert (SPLITS.told, SPLITS.parts) == (("gradients", "vector"), ("gradients", "vector", REST))
    without = replace(SPLITS, rows=SPLITS.rows[2:])
    assert without.parts == ("vector",)


def test_a_terminal_has_a_line_for_each_kind_above_its_methods():
    assert list(split_lines(SPLITS)) == [
        "% of dense             pruned  vector   the       ",
        "             promised   grads    work  rest  taken",
        "N:M training",
        "  bdwp 2:8       50.0       –    +7.0  +0.1   57.1",
        "  slope 2:4      50.0   +14.0    +7.0  +0.3   71.3",
        "Activation sparsity",
        "  prosparse     100.0       –    −4.0     –   96.0",
    ]


def test_the_bars_of_a_method_end_where_it_is_taken():
    drawn = split_figure(SPLITS)
    *bars, taken, told = drawn["data"]
    assert [sum(values) for values in zip(*(bar["x"] for bar in bars), strict=True)] == pytest.approx(taken["x"])
    # Told behind all that is drawn: what is taken may lie within the promise.
    assert (told["text"][2].strip(), told["x"][2]) == ("96.0%", 100.0)
    assert drawn["layout"]["barmode"] == "relative"
    assert drawn["layout"]["xaxis"]["range"][0] == pytest.approx(-4.4)


def test_methods_that_promise_nothing_beyond_are_told_without_parts():
    alone = Splits(of="step", rows=(row("a", "N:M training", 500),))
    assert list(split_lines(alone))[-1].split() == ["a", "50.0", "50.0"]
    assert split_figure(alone)["data"][1]["x"] == [50.0]


def test_the_kind_is_that_of_a_shipped_recipe_that_says_the_same():
    bdwp = load_recipe("bdwp")

    def of(sha256):
        result = sample_result()
        return replace(result, inputs=result.inputs | {"recipe": Input(name="bdwp", sha256=sha256)})

    assert kind_of(of(bdwp.sha256)) == "N:M training"
    assert kind_of(of("0" * 64)) == OTHER_KIND


def test_dense_runs_are_no_method_and_one_run_alone_is_not_split():
    dense, bdwp = sample_result("dense"), sample_result()
    assert [[each.name for each in splits.rows] for splits in splits_of([dense, bdwp])] == [["bdwp 2:8"]]
    assert splits_of([dense]) == []
    assert "% of dense  " not in text_summary([bdwp])


def test_page_markdown_and_terminal_have_the_split():
    results = [sample_result("dense"), sample_result(), sample_result("sr-ste")]
    heading = "What each method saves, split"
    assert f"## {heading}" in markdown(results, command="x")
    assert "% of dense  " in text_summary(results)
    text = page(results, command="x").decode()
    assert f'<h3 id="split-step">{heading}</h3>' in text
    assert 'data-figure="split-step"' in text


def test_a_step_of_a_last_phase_is_said_to_be_one():
    narrowed, steady = replace(sample_result(), changes_over_time=True), sample_result("sr-ste")
    assert split_words([narrowed, steady]).endswith("Of bdwp 2:8 the step is one of the last phase.")
    assert "last phase" not in split_words([steady])
