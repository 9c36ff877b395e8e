"""The tables of docs/accuracy.md are what the studies left in docs/accuracy/*.csv."""

import csv
import math
import runpy
import sys
from pathlib import Path

import pytest
from bisparse.configs.library import find

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "accuracy.md"
STUDIES = sorted((ROOT / "docs" / "accuracy").glob("*.csv"))

SEEDS = {"five": "5", "three": "3"}
"""Of studies that say so in their names; the others have ten."""


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.stem)
def test_every_row_of_a_study_stands_in_the_page(study, monkeypatch, capsys):
    script = str(ROOT / "examples" / "accuracy" / "tables.py")
    monkeypatch.setattr(sys, "argv", [script, str(study)])
    runpy.run_path(script, run_name="__main__")
    written = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) > 3
    assert [row for row in rows if row not in written] == []


def test_what_recipes_show_reads_is_what_the_studies_left(monkeypatch, capsys):
    script = str(ROOT / "examples" / "accuracy" / "shipped.py")
    monkeypatch.setattr(sys, "argv", [script, *map(str, STUDIES)])
    runpy.run_path(script, run_name="__main__")
    assert capsys.readouterr().out == find("methods", "accuracy").read_text(encoding="utf-8")


def test_the_paper_asks_for_ten_seeds_and_has_them():
    assert len(STUDIES) == 9
    for study in STUDIES:
        with study.open(newline="", encoding="utf-8") as file:
            seeds = {row["seeds"] for row in csv.DictReader(file)}
        said = [number for word, number in SEEDS.items() if f"-{word}-seeds" in study.name]
        assert seeds == set(said or ["10"])


@pytest.mark.parametrize("begun", ["drawn", "trained"])
def test_what_has_one_seed_stands_in_a_table_without_intervals(begun):
    page = PAGE.read_text(encoding="utf-8").splitlines()
    with (PAGE.parent / "accuracy" / "one-seed" / f"{begun}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["seeds"] for row in rows} == {"1"}
    assert len(rows) > 5
    for row in rows:
        against = f"{100 * float(row['accuracy_difference_mean']):+.2f}".replace("-", "−")
        against = "" if row["verdict"] == "baseline" else against
        accuracy, perplexity = 100 * float(row["accuracy_mean"]), math.exp(float(row["loss_mean"]))
        assert f"| {row['point']}, {begun} | {accuracy:.2f} | {against} | {perplexity:.2f} |" in page
