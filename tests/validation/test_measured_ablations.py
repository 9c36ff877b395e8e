"""The tables of docs/ablation.md are what the example prints today; the small workloads stand for the rest."""

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "asked",
    [
        ("resnet9-cifar10",),
        ("vgg19-cifar100",),
        ("resnet9-cifar10", "1"),
        ("vgg19-cifar100", "1"),
        ("vgg19-cifar100", "16"),
        ("resnet18-tinyimagenet", "--hardware", "edge-16x16"),
    ],
    ids=" ".join,
)
def test_a_row_of_the_tables_is_what_the_example_prints(asked, monkeypatch, capsys):
    script = str(ROOT / "examples" / "ablate_networks.py")
    monkeypatch.setattr(sys, "argv", [script, *asked])
    runpy.run_path(script, run_name="__main__")
    written = re.sub(r" +", " ", (ROOT / "docs" / "ablation.md").read_text()).splitlines()
    assert capsys.readouterr().out.splitlines()[-1] in written
