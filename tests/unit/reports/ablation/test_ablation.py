"""The reports of an ablation: they say what it holds, in the terminal, in files and on a page."""

import csv
import doctest
import importlib
import json
import re
from dataclasses import replace
from functools import cache

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.reports import ablation_text, read_ablation, write_ablation
from bisparse.reports.ablation.terminal import MARKS
from bisparse.reports.ablation.words import ablation_answer, fine, gains, parts, row_name
from bisparse.reports.shared.quantities import seconds, times
from bisparse.sim.studies.ablation.ablation import Ablation

import bisparse

COMMAND = "bisparse ablate resnet9-cifar10 --batch 16"


@cache
def sat():
    return bisparse.ablate("resnet9-cifar10", batch=16)


@cache
def textbook():
    """Two of the four switches cannot be set."""
    return bisparse.ablate("resnet9-cifar10", hardware="systolic-textbook", recipe="dense", batch=4)


@pytest.fixture(params=[sat, textbook], ids=["sat", "textbook"])
def ablation(request) -> Ablation:
    return request.param()


def test_examples_in_docstrings_hold():
    tried = doctest.testmod(importlib.import_module("bisparse.reports.ablation.words"))
    assert tried.attempted
    assert not tried.failed


def test_every_row_has_a_name_of_its_own(ablation):
    names = [row_name(row) for row in ablation.rows]
    assert len(set(names)) == len(names)
    assert names[0] == "all off, OS only"
    assert names[-1] == "all on"


def test_the_parts_of_a_bar_are_the_whole_step(ablation):
    for row in ablation.rows:
        if row.figures is not None:
            assert sum(parts(row).values()) == row.figures.total_cycles


def test_the_choice_of_a_dataflow_is_set_against_each_one_alone():
    against = {gain.against: gain for gain in gains(sat()) if gain.switch == "dataflow_choice"}
    only_ws, (choice,) = sat().of("all off")[1], sat().of("alone", "dataflow_choice")
    assert list(against) == ["os", "ws"]
    assert against["os"].alone == choice.gain
    assert against["ws"].alone == only_ws.figures.total_cycles / choice.figures.total_cycles


def test_the_answer_names_what_matters_first_what_does_not_and_what_is_not_there():
    answer = ablation_answer(sat())
    assert times(sat().all_on.speedup) in answer
    (interleave,) = sat().of("alone", "interleave")
    assert f"Interleave buys {fine(interleave.gain)} alone" in answer
    assert answer.index("Interleave buys") < answer.index("Dataflow choice buys")
    assert "No gain here, within 0.5%: pre-generation." in answer
    assert "Interleave: not on this design: register_depth 1 holds one accumulation." in ablation_answer(textbook())


def test_the_terminal_has_every_setting_in_80_columns_and_bars_as_long_as_the_steps(ablation):
    text = ablation_text(ablation)
    assert max(map(len, text.splitlines())) <= 80
    for row in ablation.rows:
        if row.figures is None:
            assert row.reason.split(":")[0] in text
        else:
            (line,) = (line for line in text.splitlines() if line.startswith(f"{row_name(row)} ") and "|" in line)
            assert line.endswith(seconds(row.figures.step_seconds))
    bars = {line.split("|")[0].strip(): line.split("|")[1].split()[0] for line in text.splitlines() if "|" in line}
    cycles = {row_name(row): row.figures.total_cycles for row in ablation.rows if row.figures}
    scale = len(bars["all off, OS only"]) / cycles["all off, OS only"]
    for name, bar in bars.items():
        assert set(bar) <= set(MARKS.values())
        assert len(bar) == pytest.approx(cycles[name] * scale, abs=1.1)


def test_a_wider_terminal_has_longer_bars():
    wide = ablation_text(sat(), width=120)
    assert 100 < max(map(len, wide.splitlines())) <= 120


def test_a_run_read_again_is_the_run_that_was_written(tmp_path, ablation):
    page = write_ablation(ablation, tmp_path / "run", command=COMMAND)
    assert page == tmp_path / "run" / "ablation.html"
    assert sorted(each.name for each in page.parent.iterdir()) == [
        "ablation.csv",
        "ablation.html",
        "ablation.json",
        "ablation.md",
    ]
    assert read_ablation(tmp_path / "run") == ablation


def test_the_csv_has_a_row_a_setting_whole_figures_and_empty_cells(tmp_path, ablation):
    write_ablation(ablation, tmp_path, command=COMMAND)
    rows = list(csv.DictReader((tmp_path / "ablation.csv").open()))
    assert [row["setting"] for row in rows] == [row_name(row) for row in ablation.rows]
    for written, row in zip(rows, ablation.rows, strict=True):
        if row.figures is None:
            assert (written["total_cycles"], written["speedup"], written["stall_busy_cycles"]) == ("", "", "")
            assert written["reason"] == row.reason
        else:
            assert int(written["total_cycles"]) == row.figures.total_cycles
            stalls = {name: int(value) for name, value in written.items() if name.startswith("stall_")}
            assert sum(stalls.values()) == row.figures.total_cycles


def test_the_page_and_the_markdown_say_the_answer_every_setting_and_the_command(tmp_path, ablation):
    page = write_ablation(ablation, tmp_path, command=COMMAND).read_text()
    # Markdown escapes what it would read as a mark.
    for text in (page, (tmp_path / "ablation.md").read_text().replace("\\", "")):
        assert ablation_answer(ablation) in text
        assert COMMAND in text
        for row in ablation.rows:
            assert row_name(row) in text
            assert row.reason in text
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', page)[1])["ablation"]
    drawn = figures["time"]["data"]
    seconds_drawn = [sum(bars) for bars in zip(*(trace["x"] for trace in drawn), strict=True)]
    scale = seconds_drawn[0] / ablation.base.figures.step_seconds
    wanted = [row.figures.step_seconds * scale for row in ablation.rows if row.figures]
    assert seconds_drawn == pytest.approx(wanted)
    used = set(re.findall(r'"@(\w+)"', json.dumps(figures)))
    assert {name for name in used if f"--{name}:" not in page} == set()


def test_the_page_loads_nothing_from_anywhere(tmp_path):
    page = write_ablation(sat(), tmp_path, command=COMMAND).read_text()
    own = page[: page.index("<script>")]
    assert not re.search(r'(src|href)="(?!#|data:)', own)
    assert "http://" not in own
    assert "url(" not in own


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "ablation.json:1: got broken JSON"),
        ("[]", "ablation.json: got no JSON object"),
        ("{}", "ablation.json: schema_version: got nothing, need 1"),
        ('{"schema_version": 2}', "ablation.json: schema_version: got 2, need 1 or older; try a newer bisparse"),
        ('{"schema_version": 1, "rows": []}', "ablation.json: bisparse_version: got nothing, need this field"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "ablation.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_ablation(tmp_path)
    assert f"{tmp_path}/{message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_ablation_is_refused_and_the_message_says_what_writes_one(tmp_path):
    with pytest.raises(ConfigError, match=r"got no readable ablation\.json, .*; try one that bisparse ablate wrote"):
        read_ablation(tmp_path)


def test_a_base_without_figures_has_no_speedup_and_the_answer_says_why():
    first, *rest = (replace(row, speedup=None, gain=None) for row in sat().rows)
    blind = replace(sat(), rows=(replace(first, figures=None, reason="no mapping"), *rest))
    assert ablation_answer(blind).endswith("no figure for all off, OS only, so no speedup: no mapping.")
    ablation_text(blind)
