"""A network that multiplies nothing is a step like any other: told, drawn, and drawn again."""

import pytest

pytest.importorskip("torch")

STILL = "from torch import nn\n\ndef build():\n    return nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten())\n"


def test_a_step_without_products_has_a_report_and_what_would_help(run, tmp_path):
    (tmp_path / "still.py").write_text(STILL)
    assert run("capture", "still.py:build", "--input", "3x8x8", "--batch", 8, "--out", "still.json").code == 0
    done = run("simulate", "still.json", "--what-if", "--out", "here")
    assert done.code == 0, done.err
    assert "Nothing could be pruned" in " ".join(done.out.split())
    page = tmp_path / "here" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert run("report", "here").code == 0
    assert page.read_bytes() == before
    assert b'"roofline"' not in before
