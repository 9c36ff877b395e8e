"""The tables of docs/accuracy.md are what the studies left in docs/accuracy/*.csv."""

import csv
import runpy
import sys
from pathlib import Path

import pytest
from bisparse.configs.library import find

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "docs" / "accuracy").glob("*.csv"))


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.stem)
def test_every_row_of_a_study_stands_in_the_page(study, monkeypatch, capsys):
    script = str(ROOT / "examples" / "accuracy" / "tables.py")
    monkeypatch.setattr(sys, "argv", [script, str(study)])
    runpy.run_path(script, run_name="__main__")
    written = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) > 3
    assert [row for row in rows if row not in written] == []


def test_what_recipes_show_reads_is_what_the_studies_left(monkeypatch, capsys):
    script = str(ROOT / "examples" / "accuracy" / "shipped.py")
    monkeypatch.setattr(sys, "argv", [script, *map(str, STUDIES)])
    runpy.run_path(script, run_name="__main__")
    assert capsys.readouterr().out == find("methods", "accuracy").read_text(encoding="utf-8")


def test_the_paper_asks_for_ten_seeds_and_has_them():
    assert len(STUDIES) == 6
    for study in STUDIES:
        with study.open(newline="", encoding="utf-8") as file:
            seeds = {row["seeds"] for row in csv.DictReader(file)}
        assert seeds == ({"5"} if "five" in study.stem else {"10"})
