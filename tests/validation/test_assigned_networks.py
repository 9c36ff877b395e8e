"""A row of docs/assignment.md's table of ratios for each layer is what the example prints today."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_row_of_the_table_is_what_the_example_prints():
    script = ROOT / "examples" / "assign_networks.py"
    done = subprocess.run([sys.executable, script, "resnet9-cifar10"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (ROOT / "docs" / "assignment.md").read_text(encoding="utf-8").splitlines()
