"""The numpy witness, for modules that pytest imports by path."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.declared_rules import DenseRule


def _load() -> ModuleType:
    spec = util.spec_from_file_location("recipes_numpy_witness", Path(__file__).with_name("numpy_witness.py"))
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


WITNESS = _load()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``case``: every recipe in every phase, as the witness lists them."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", WITNESS.CASES, ids=str)


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """In every test of this folder."""


@pytest.fixture
def witness() -> ModuleType:
    return WITNESS


@pytest.fixture
def shipped():
    """A shipped recipe whose first convolution is pruned too, with fields of its own."""

    def load(name: str, *, first_convolution: bool = False, indivisible: bool = True, **fields) -> Recipe:
        rule = DenseRule(first_convolution=first_convolution, indivisible=indivisible)
        return load_recipe(name).model.model_copy(update={"dense": rule, **fields})

    return load
