"""The tables of docs/ablation.md are what the example prints today; the small workloads stand for the rest."""

import re
import subprocess
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
def test_a_row_of_the_tables_is_what_the_example_prints(asked):
    script = ROOT / "examples" / "ablate_networks.py"
    done = subprocess.run([sys.executable, script, *asked], capture_output=True, text=True, check=True)
    written = re.sub(r" +", " ", (ROOT / "docs" / "ablation.md").read_text()).splitlines()
    assert done.stdout.splitlines()[-1] in written
