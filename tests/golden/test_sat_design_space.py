"""The page docs/sat-design-space.md says what the study gives: some of its rows, evaluated again on all five networks.

Made by ``python examples/sat-design-space/findings.py``; a change of the hardware model changes these figures, and then
the study must be run again.
"""

import importlib.util
import re
from pathlib import Path

import pytest
from bisparse.accel.specification import load_hardware

pytest.importorskip("simpleeval")

ROOT = Path(__file__).parents[2]
PAGE, STUDY = ROOT / "docs" / "sat-design-space.md", ROOT / "examples" / "sat-design-space"
CHECKED = (
    "as it is",
    "16 x 64",
    "half of the PEs (32 x 16)",
    "a quarter of the buffers",
    "all three",
    "64 vector lanes",
    "1:8",
)


def findings():
    spec = importlib.util.spec_from_file_location("findings", STUDY / "findings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_of_the_page_come_out_again():
    study = findings()
    rows = study.evaluated(dict.fromkeys(CHECKED))
    page = PAGE.read_text(encoding="utf-8")
    for name, own in rows.items():
        told = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", page, re.MULTILINE)
        ratios = [f"{own[figure] / rows['as it is'][figure]:.3f}" for figure in study.FIGURES]
        assert told[1] == " | ".join([f"{own['pe_count']:,}", *ratios, f"{own['speedup_vs_dense']:.3f}"])


def test_the_best_designs_are_hardware_files():
    for file in sorted((ROOT / "docs" / "sat-design-space" / "best").glob("*.yaml")):
        hardware = load_hardware(str(file)).model
        assert hardware.peak_macs_per_cycle <= 1024
