"""What a shell is told while somebody types."""

import os
import subprocess
import sys

import pytest


def completed(*words):
    """What bash would offer for the last word."""
    asked = {
        "_BISPARSE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("bisparse", *words)),
        "COMP_CWORD": str(len(words)),
    }
    code = "from bisparse.command_line import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("simulate", "resnet9"), ["resnet9-cifar10"]),
        (
            ("simulate", "resnet9-cifar10", "--hardware", "sat"),
            ["sat-intersection", "sat-unstructured", "sat-vcu1525", "sat-vcu1525-timed"],
        ),
        (("simulate", "resnet9-cifar10", "--recipe", "bd"), ["bdwp"]),
        (("compare", "resnet9-cifar10", "--recipes", "dense,bd"), ["dense,bdwp"]),
        (("simulate", "resnet9-cifar10", "--pass", ""), ["training", "inference", "decode"]),
        (("simulate", "resnet9-cifar10", "--objective", "energy-"), ["energy-delay"]),
    ],
)
def test_names_and_choices_are_completed(words, offered):
    assert completed(*words) == offered
