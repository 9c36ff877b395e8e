"""Numbers claimed in docstrings are run."""

import doctest
import importlib
import pkgutil

import pytest

import bisparse

MODULES = [
    module.name
    for module in pkgutil.walk_packages(bisparse.__path__, "bisparse.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name):
    if ".capture" in name or ".models" in name:
        pytest.importorskip("torch")
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
