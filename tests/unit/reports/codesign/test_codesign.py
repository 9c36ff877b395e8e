"""The reports of a co-design study: they say what it holds, in the terminal, in files and on a page."""

import csv
import doctest
import html
import importlib
import json
import re
from dataclasses import replace

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.reports import codesign_text, read_codesign, write_codesign
from bisparse.reports.codesign.figures import COLOURS
from bisparse.reports.codesign.page import codesign_page
from bisparse.reports.codesign.tables import comparison_table, layers_table, phases_table, seeds_table, target_table
from bisparse.reports.codesign.words import (
    accuracy_words,
    codesign_answer,
    deciding_words,
    difference_words,
    headline,
    point_name,
    verdict,
)
from bisparse.reports.shared.quantities import times
from bisparse.sim.studies.codesign.accuracy_front import pareto_front, time_to_accuracy
from bisparse.sim.studies.statistics import Estimate

from . import codesign_sample

COMMAND = "bisparse codesign --model convnet --data mnist-5k"

STUDIES = {
    "several": codesign_sample.study(),
    "one seed": codesign_sample.study(seeds=1, with_step=False),
    "two points": codesign_sample.study(sparse=codesign_sample.SPARSE[6:8], with_step=False),
    "dense alone": codesign_sample.study(sparse=(), with_step=False),
}
SEVERAL = STUDIES["several"]


@pytest.fixture(params=STUDIES.values(), ids=STUDIES.keys())
def study(request):
    return request.param


def named(study, name):
    return next(point for point in study.points if point_name(point, study) == name)


def changed(study, name, **values):
    """The study with a point that differs."""
    points = tuple(replace(each, **values) if point_name(each, study) == name else each for each in study.points)
    return replace(study, points=points)


def test_examples_in_docstrings_hold():
    tried = doctest.testmod(importlib.import_module("bisparse.reports.codesign.words"))
    assert tried.attempted
    assert not tried.failed


def test_every_point_has_a_name_of_its_own(study):
    names = [point_name(point, study) for point in study.points]
    assert len(set(names)) == len(names)
    assert names[0] == "dense"


# The answer ----------------------------------------------------------------------------------------------------------


def test_the_answer_begins_with_the_fastest_point_without_a_resolved_loss():
    best = headline(SEVERAL)
    assert point_name(best, SEVERAL) == "bdwp 2:4"
    answer = codesign_answer(SEVERAL)
    assert answer.startswith(
        "bdwp 2:4 trains convnet on mnist-5k in 0.74 of dense's time on sat-vcu1525, at 0.79 of its energy and "
        f"{difference_words(best.accuracy_difference)} points of test accuracy (3 seeds, 95% interval: unresolved)."
    )
    assert "Faster still, at a resolved loss: bdwp 2:8 in 0.62 of the time" in answer
    assert accuracy_words(SEVERAL.baseline.accuracy) in answer


def test_a_resolved_loss_is_said_when_every_faster_point_has_one():
    lost = Estimate(mean=-0.02, half_width=0.01)
    study = STUDIES["two points"]
    for name in ("bdwp 2:4", "bdwp 2:8"):
        study = changed(study, name, accuracy_difference=lost)
    answer = codesign_answer(study)
    assert answer.startswith("bdwp 2:8 trains")
    assert "−2.00 ± 1.00 points of test accuracy (3 seeds, 95% interval)" in answer
    assert "Every point that is faster than dense loses accuracy." in answer


def test_points_that_are_not_faster_are_no_gain():
    study = STUDIES["two points"]
    for name in ("bdwp 2:4", "bdwp 2:8"):
        study = changed(study, name, speedup_vs_dense=0.9)
    assert "None of the 2 points is faster than dense." in codesign_answer(study)


def test_one_seed_claims_no_interval():
    study = STUDIES["one seed"]
    assert "(one seed, so no interval)" in codesign_answer(study)
    assert {verdict(point) for point in study.sparse} == {"one seed"}
    assert "±" not in codesign_text(study)


@pytest.mark.parametrize(
    ("difference", "wanted"),
    [
        (Estimate(mean=-0.02, half_width=0.01), "lower"),
        (Estimate(mean=0.02, half_width=0.01), "higher"),
        (Estimate(mean=-0.02, half_width=0.03), "unresolved"),
        (Estimate(mean=-0.02, half_width=0.0), "no spread"),
    ],
)
def test_the_verdict_is_what_the_interval_allows(difference, wanted):
    assert verdict(replace(named(SEVERAL, "bdwp 2:8"), accuracy_difference=difference)) == wanted


# Tables --------------------------------------------------------------------------------------------------------------


def test_the_page_says_how_many_seeds_would_decide_and_only_of_what_is_not_decided():
    said = deciding_words(SEVERAL)
    told = re.findall(r"about (\d+) for ([^,.]+)", said)
    unresolved = {point_name(point, SEVERAL) for point in SEVERAL.sparse if verdict(point) == "unresolved"}
    assert {name for _, name in told} <= unresolved
    assert told
    counts = [int(count) for count, _ in told]
    assert counts == sorted(counts)
    assert min(counts) > 3
    assert deciding_words(STUDIES["one seed"]) == deciding_words(STUDIES["dense alone"]) == ""
    assert said in html.unescape(codesign_page(SEVERAL, command=COMMAND).decode())


def cells(table):
    return [tuple(cell.text for cell in row) for row in table.rows]


def test_the_comparison_has_every_point_and_calls_the_unresolved_so():
    rows = {row[0]: row for row in cells(comparison_table(SEVERAL))}
    assert list(rows) == [point_name(point, SEVERAL) for point in SEVERAL.points]
    assert rows["dense"][2:4] == ("–", "baseline")
    assert rows["bdwp 2:4"][3] == "unresolved"
    assert rows["bdwp 2:8"][3] == "lower"
    assert rows["bdwp 2:8"][2] == difference_words(named(SEVERAL, "bdwp 2:8").accuracy_difference)
    assert {name for name, row in rows.items() if row[-1] == "yes"} == {
        point_name(point, SEVERAL) for point in pareto_front(SEVERAL.points)
    }


def test_targets_are_shares_of_what_dense_ends_with_and_may_never_be_reached():
    low = tuple(replace(each, validation_accuracy=0.9 * each.validation_accuracy) for each in SEVERAL.points[-1].curve)
    study = changed(SEVERAL, "step 2:8", curve=low)
    rows = {row[0]: row for row in cells(target_table(study))}
    assert rows["step 2:8"][1:7] == ("never", "–", "–", "never", "–", "–")
    assert rows["dense"][3] == rows["dense"][6] == "1.00"
    target = 0.95 * study.baseline.curve[-1].validation_accuracy
    assert rows["bdwp 2:8"][1] == str(time_to_accuracy(named(study, "bdwp 2:8"), target).epoch)


def test_layers_stand_in_the_order_of_the_network_with_the_ratio_or_the_reason():
    table = layers_table(SEVERAL)
    rows = cells(table)
    assert [row[:2] for row in rows[:3]] == [("conv1", "FF"), ("conv1", "BP"), ("conv2", "FF")]
    bdwp = table.headings.index("bdwp")
    assert rows[0][bdwp] == "dense: first convolution"
    assert rows[2][bdwp] == "2:4, 2:8"


def test_every_seed_and_every_switch_can_be_read():
    rows = {row[0]: row for row in cells(seeds_table(SEVERAL))}
    assert rows["dense"] == ("dense", "97.10%", "97.40%", "97.25%", "")
    assert rows["step 2:8"][-1] == "100, 101, 102"
    assert len(seeds_table(STUDIES["two points"]).headings) == 4


def test_phases_say_why_they_cost_as_dense():
    (own,) = named(SEVERAL, "bdwp 2:8").phases
    leak = replace(own, kind="leak", costs_as="dense", reason="pruned weights still count", steps=100.5)
    study = changed(SEVERAL, "bdwp 2:8", phases=(leak, own))
    rows = cells(phases_table(study))
    place = [row[0] for row in rows].index("bdwp 2:8")
    assert rows[place][1:5] == ("leak", "2:8", "dense", "100.5")
    assert rows[place][-1] == "pruned weights still count"
    assert rows[place + 1][0] == "", "a point is named once"


# The terminal --------------------------------------------------------------------------------------------------------


def test_the_terminal_has_every_point_in_80_columns_and_in_the_picture(study):
    text = codesign_text(study)
    assert max(map(len, text.splitlines())) <= 80
    picture = "\n".join(line.partition("|")[2] for line in text.splitlines() if "|" in line)
    for place, point in enumerate(study.points):
        letter = "abcdefghijklmnopqrstuvwxyz"[place]
        mark = "*" if point in pareto_front(study.points) else " "
        assert f"\n{letter}{mark} {point_name(point, study)} " in text
        assert times(point.speedup_vs_dense) in text
    assert set(picture) - set(" \n") <= set("abcdefghijklmnopqrstuvwxyz"[: len(study.points)])
    fastest = min(range(len(study.points)), key=lambda place: study.points[place].training_seconds)
    if len(study.points) > 1:
        assert any(line.startswith("abcdefghijklmnopqrstuvwxyz"[fastest]) for line in picture.splitlines())


def test_unresolved_points_carry_a_mark():
    lines = codesign_text(SEVERAL).splitlines()
    assert "?" in next(line for line in lines if " bdwp 2:4 " in line and "x" in line and "trains" not in line)
    assert "?" not in next(line for line in lines if line.startswith("j* bdwp 2:8"))


# Files ---------------------------------------------------------------------------------------------------------------


def test_a_study_read_again_is_the_study_that_was_written(tmp_path, study):
    page = write_codesign(study, tmp_path / "run", command=COMMAND)
    assert page == tmp_path / "run" / "codesign.html"
    names = ["codesign.csv", "codesign.html", "codesign.json", "codesign.md"]
    assert sorted(each.name for each in page.parent.iterdir()) == names
    assert read_codesign(tmp_path / "run") == study


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "broken JSON"),
        ("[]", "got no JSON object"),
        ('{"schema_version": 99}', "got 99, need 1 or older"),
        ('{"schema_version": 1, "points": []}', "bisparse_version: got nothing, need this field"),
    ],
)
def test_a_broken_study_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "codesign.json").write_text(text)
    with pytest.raises(ConfigError, match=message) as refused:
        read_codesign(tmp_path)
    assert "\n" not in str(refused.value)


def test_the_csv_has_a_row_a_point_whole_figures_and_empty_cells(tmp_path, study):
    write_codesign(study, tmp_path, command=COMMAND)
    rows = list(csv.DictReader((tmp_path / "codesign.csv").open()))
    assert [row["point"] for row in rows] == [point_name(point, study) for point in study.points]
    for row, point in zip(rows, study.points, strict=True):
        assert float(row["accuracy_mean"]) == point.accuracy.mean
        assert float(row["training_seconds"]) == point.training_seconds
        half = point.accuracy_difference.half_width
        assert row["accuracy_difference_half_width"] == ("" if half is None else str(half))
        assert row["baseline"] == point_name(study.baseline_of(point), study)


def test_the_page_and_the_markdown_say_the_answer_every_point_and_the_command(tmp_path, study):
    page = write_codesign(study, tmp_path, command=COMMAND).read_text()
    # Jinja and Markdown escape what they would read as marks.
    page_words = page[: page.index("<script>")].replace("&#39;", "'")
    for text in (page_words, (tmp_path / "codesign.md").read_text().replace("\\", "")):
        assert codesign_answer(study) in text
        assert COMMAND in text
        for point in study.points:
            assert point_name(point, study) in text
            assert accuracy_words(point.accuracy) in text


def drawn(page):
    return json.loads(re.search(r'id="figures">(.*?)</script>', page)[1])["codesign"]


def test_the_figures_hold_every_point_where_the_study_has_it(tmp_path, study):
    page = write_codesign(study, tmp_path, command=COMMAND).read_text()
    figures = drawn(page)
    for name, costs in (
        ("time", [point.training_seconds for point in study.points]),
        ("energy", [point.training_joules for point in study.points]),
    ):
        dots = [trace for trace in figures[name]["data"] if trace.get("text")]
        accuracies = sorted(y for trace in dots for y in trace["y"])
        assert accuracies == pytest.approx(sorted(100 * point.accuracy.mean for point in study.points))
        places = sorted(x for trace in dots for x in trace["x"])
        assert [x / places[-1] for x in places] == pytest.approx([cost / max(costs) for cost in sorted(costs)])
        across, upwards = (figures[name]["layout"][axis]["range"] for axis in ("xaxis", "yaxis"))
        assert all(across[0] < x < across[1] for x in places)
        assert all(upwards[0] < y < upwards[1] for y in accuracies)
    assert len(figures["curves"]["data"]) == len(study.points)
    used = set(re.findall(r'"@(\w+)"', json.dumps(figures)))
    assert {name for name in used if f"--{name}:" not in page} == set()


def test_bars_are_the_intervals_of_the_paired_difference(tmp_path):
    page = write_codesign(SEVERAL, tmp_path, command=COMMAND).read_text()
    (bdwp,) = (trace for trace in drawn(page)["time"]["data"] if trace["name"] == "bdwp")
    wanted = [100 * point.accuracy_difference.half_width for point in SEVERAL.points if point.recipe == "bdwp"]
    assert bdwp["error_y"]["array"] == pytest.approx(wanted)


def test_every_colour_of_a_recipe_is_one_of_the_page(tmp_path):
    page = write_codesign(SEVERAL, tmp_path, command=COMMAND).read_text()
    assert all(page.count(f"--recipe{number}:") == 2 for number in range(1, COLOURS + 1)), "light and dark"


def test_more_recipes_than_colours_and_hostile_names_are_drawn(tmp_path):
    sparse = [(f"<b>{number}&", "2:8", 0.001 * number, 0.9, 0.9) for number in range(13)]
    study = codesign_sample.study(sparse=sparse, with_step=False)
    page = write_codesign(study, tmp_path, command=COMMAND).read_text()
    assert "<b>3&" not in page[: page.index('id="figures"')]
    assert any(trace["name"] == "&lt;b&gt;10&amp;" for trace in drawn(page)["time"]["data"])


def test_intervals_far_wider_than_the_accuracies_do_not_flatten_the_picture(tmp_path):
    study = changed(SEVERAL, "sr-ste 2:4", accuracy_difference=Estimate(mean=0.0, half_width=0.4))
    upwards = drawn(write_codesign(study, tmp_path, command=COMMAND).read_text())["time"]["layout"]["yaxis"]["range"]
    assert upwards[1] - upwards[0] < 4


def test_the_page_loads_nothing_from_anywhere(tmp_path):
    page = write_codesign(SEVERAL, tmp_path, command=COMMAND).read_text()
    own = page[: page.index("<script>")]
    assert not re.search(r'(src|href)="(?!#|data:)', own)
    assert "http://" not in own
