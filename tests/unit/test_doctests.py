"""Numbers claimed in docstrings are run: in every module of every room, wherever the installation keeps it."""

import doctest
import importlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-dir"]


def name_of(package, room, file):
    parts = file.relative_to(ROOT / room).with_suffix("").parts
    return ".".join([package, *(part for part in parts if part != "__init__")])


MODULES = sorted(
    name_of(package, room, file)
    for package, room in PLACES.items()
    for file in (ROOT / room).rglob("*.py")
    if file.stem != "__main__" and ">>>" in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name):
    if any(part in name for part in (".capture", ".models", ".in_torch", ".loop")):
        pytest.importorskip("torch")
    if ".onnx_files" in name:
        pytest.importorskip("onnx")
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert failed == 0


def test_rooms_have_examples():
    assert {name.split(".")[1] for name in MODULES} >= set(PLACES.values()) - {"bisparse"}
