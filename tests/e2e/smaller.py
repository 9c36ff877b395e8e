"""What README and docs tell to type, made small enough to be run: the same command and options on less work.

Networks become one of two layers or a language model of two blocks, data sets a few samples, sweeps two designs; lists
of recipes keep their first two, whose other names are looked up all the same, lists of ratios the first. Runs that
train side by side, a process each, train here and in turn.
"""

import csv
import re
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import yaml
from bisparse.training.recipes.declaration import load_recipe

ROOT = Path(__file__).parents[2]

NETWORKS = ("resnet50-imagenet", "resnet18-tinyimagenet", "resnet9-cifar10", "vit-cifar10", "bert-base")
SWEEPS = ("sat-quick", "sat-shape", "examples/sat-design-space/fits.yaml", "mine.yaml")
DATA = {"mnist-5k": "images.npz", "digits": "images.npz", "pydoc": "words.npz"}
ONES = {"--epochs": "1", "--seeds": "1", "--jobs": "1", "--batch": "8", "--kv-length": "64"}
FEWEST = {"--recipes": 1, "--sparsity": 1, "--hardware": 1, "--batch": 1}

ELSEWHERE = {
    "ablate": "e2e/test_ablate.py",
    "validate": "e2e/test_command_line.py",
    "sensitivity": "e2e/test_unknowns.py",
    "consistent": "e2e/test_unknowns.py",
    "net.onnx": "unit/training/test_capture_onnx.py",
    "--dask": "e2e/test_explore_dask.py",
    "--from": "e2e/test_gemm.py",
}
"""Words of commands that are run small by other tests already, and where."""

NETWORK = """\
from torch import nn

def build():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 196, 10)
    )
"""

MODEL = """\
from bisparse.training.models.gpt2 import Gpt2

def build():
    return Gpt2(vocabulary=64, longest=64, width=32, depth=2, heads=2)
"""

CELLS = """\
from bisparse.training.models.recurrent import RecurrentText

def lstm():
    return RecurrentText("lstm", vocabulary=32, width=16, hidden=32)

def gru():
    return RecurrentText("gru", vocabulary=32, width=16, hidden=32)
"""

SWEEP = {
    "name": "smaller",
    "base": {"hardware": "sat-vcu1525", "workload": "small.json", "recipe": "bdwp", "sparsity": "2:8", "batch": 8},
    "axes": {"hardware.dram.channels": [1, 4]},
    "objectives": [{"minimise": "step_seconds"}, {"minimise": "energy_joules"}],
}


def lay_out(folder, run):
    """Put what smaller commands read into a folder."""
    (folder / "small.py").write_text(NETWORK)
    (folder / "language.py").write_text(MODEL)
    (folder / "cells.py").write_text(CELLS)
    (folder / "smaller.yaml").write_text(yaml.safe_dump(SWEEP, sort_keys=False))
    draw = np.random.default_rng(0)
    images, words = draw.normal(size=(256, 1, 14, 14)).astype(np.float32), draw.integers(0, 32, (128, 17))
    np.savez(folder / "images.npz", train_inputs=images, train_targets=np.arange(256) % 10)
    np.savez(folder / "words.npz", train_inputs=words[:, :-1], train_targets=words[:, 1:])
    assert run("capture", "small.py:build", "--input", "1x14x14", "--batch", 8, "--out", "small.json").code == 0
    asked = ("--input", "64:int", "--batch", 8, "--out", "language.json")
    done = run("capture", "language.py:build", *asked)
    assert done.code == 0, done.err


class InThisProcess:
    """What trains runs, without a process for each: those import torch, which takes longer than these train."""

    def __init__(self, *_):
        pass

    def submit(self, work, *arguments):
        done = Future()
        done.set_result(work(*arguments))
        return done

    def end(self):
        pass


def smaller(words, folder):
    """A command line of the docs on less work; None where another test runs it."""
    if any(word in ELSEWHERE for word in words):
        return None
    found = [_smaller(before, word, folder) for before, word in zip(["", *words], words, strict=False)]
    command = found[1]
    if command in ("train", "codesign") and "--epochs" not in found:
        found += ["--epochs", "1"]
    if command in ("explore", "codesign"):
        found += [] if "--jobs" in found or "--dry-run" in found else ["--jobs", "1"]
    return found


def smaller_text(text):
    """A block of Python on less work."""
    for name, other in {"sat-quick": "smaller.yaml", **DATA}.items():
        text = text.replace(f'"{name}"', f'"{other}"')
    return re.sub(r"\bepochs=\d+", "epochs=1", text)


def _smaller(option, word, folder):
    if option == "--recipes":
        for name in word.split(","):
            if not name.endswith(".yaml"):
                load_recipe(name.partition("@")[0])
    if option in FEWEST:
        few = word.split(",")[: FEWEST[option]]
        word = ",".join(str(ROOT / each) if each.startswith("examples/") else each for each in few)
    if option == "--input":
        return "1x14x14"
    if option == "--design":
        with (folder / "runs/quick/designs.csv").open() as study:
            return next(csv.DictReader(study))["key"][:12]
    if option == "--model" and word == "convnet":
        return "small.py:build"
    if option == "--model" and word == "resnet9":
        return "mlp"
    if option == "--model" and word in ("lstm", "gru"):
        return f"cells.py:{word}"
    if word == "mynet.py:build":
        return "small.py:build"
    if word in NETWORKS:
        return "small.json"
    if word == "gpt2-small":
        return "language.json"
    if word in SWEEPS and option == "explore":
        return "smaller.yaml"
    if word in DATA:
        return DATA[word]
    return ONES.get(option, word)
