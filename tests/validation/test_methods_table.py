"""The tables of docs/methods.md are what was simulated; every method of the catalogue and every recipe has its row."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from bisparse.configs.library import names
from bisparse.training.recipes.catalogue import catalogue
from bisparse.training.recipes.declaration import load_recipe

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    """The command that makes the page."""
    spec = importlib.util.spec_from_file_location("methods_table", ROOT / "examples" / "methods_table.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["methods_table"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["methods_table"]


def test_every_figure_that_is_asked_for_is_there_of_the_recipe_as_it_is(script):
    """Where this fails, run ``python examples/methods_table.py``: a recipe is new, or says something else."""
    there = script.read()
    assert [each.key for each in script.asked() if each.key not in there] == []


def test_the_tables_are_those_of_the_figures(script):
    assert script.written(PAGE, script.read().values()) == PAGE


def test_each_of_the_58_methods_has_one_row_and_says_what_is_here_of_it(script):
    recipes = {name: each.model for name, each in script.shipped().items()}
    assert len(catalogue()) == 58
    for method in catalogue():
        (row,) = re.findall(rf"^\| .*\(`{method}`\) \|.*$", PAGE, re.MULTILINE)
        status = row.removesuffix(" |").rpartition(" | ")[2]
        assert status == script.status(method, recipes)
        assert status.startswith(("no recipe yet", "simulated"))


def test_every_shipped_recipe_but_dense_has_a_row_with_numbers_or_a_reason(script):
    rows = {match[1]: match[0] for match in re.finditer(r"^\| `([\w-]+)` \|.*$", PAGE, re.MULTILINE)}
    assert sorted(rows) == [name for name in names("recipes") if not load_recipe(name).model.is_baseline]
    unmeasured = [each for each in script.read().values() if not each.time and not each.reason]
    assert unmeasured == []


def test_one_figure_comes_out_again(script):
    """The cheapest of them: a kernel of inference on MobileNet-v2."""
    there = script.read()
    kernels = [each for each in script.asked() if (each.recipe, each.design) == ("sparsebytenn", "sat-vcu1525")]
    (asked,) = kernels
    assert script.measured(asked) == there[asked.key]
