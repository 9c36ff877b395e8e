"""The tables of docs/validation.md are those that the code prints today, and the published bounds hold."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names

ROOT = Path(__file__).parents[2]
OTHER_RATIOS = ("2:4", "1:8", "2:16")


def tables(text):
    """Every Markdown table row with a figure in it, white space folded."""
    return [re.sub(r"\s+", " ", line) for line in text.splitlines() if re.match(r"\| .*\d\.\d", line)]


@cache
def printed():
    """What the example prints, by ratio: the one that it takes by itself, and the others that the page has."""
    script = [sys.executable, ROOT / "examples" / "paper_networks.py", "--also", *OTHER_RATIOS]
    text = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    sections = re.split(r"^Speedup over dense of the whole step, (\S+) on .*$", text, flags=re.MULTILINE)[1:]
    return dict(zip(sections[::2], sections[1::2], strict=True))


def test_the_tables_of_the_five_networks_are_what_the_example_prints():
    written = tables((ROOT / "docs" / "validation.md").read_text())
    assert [row for row in tables(printed()["2:8"]) if row not in written] == []
    assert list(printed()) == ["2:8", *OTHER_RATIOS]


@pytest.mark.parametrize("pattern", ["2:8", *OTHER_RATIOS])
def test_the_averages_at_other_ratios_are_what_the_example_prints(pattern):
    average = next(row for row in tables(printed()[pattern]) if "average" in row)
    _, _, sr_ste, sdgp, sdwp, bdwp, bound = [cell.strip() for cell in average.strip("|").split("|")]
    kept, group = map(int, pattern.split(":"))
    ideal = f"{3 / (1 + 2 * kept / group):.1f}"
    wanted = f"| {pattern} | {sr_ste} | {sdgp} | {sdwp} | {bdwp} | {bound} | {ideal} |"
    assert wanted in tables((ROOT / "docs" / "validation.md").read_text())


@pytest.mark.parametrize("design", names("hardware"))
def test_every_shipped_parameter_states_its_status_and_source(design):
    provenance = load_hardware(design).provenance
    assert {known.status for known in provenance.values()} <= {"published", "derived", "fitted", "assumed"}
    assert all(known.source and "not annotated" not in known.source for known in provenance.values())
