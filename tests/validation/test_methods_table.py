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


def here() -> dict[str, dict[str, str]]:
    """Cells of the table that says what is here of each method, by method and heading."""
    table = PAGE.partition("## The 58 methods: what is here of each\n\n")[2].partition("\n\n")[0]
    headings, _, *rows = (
        re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |")) for line in table.split("\n")
    )
    return {cells[0].strip("`"): dict(zip(headings, cells, strict=True)) for cells in rows}


def test_each_of_the_58_methods_has_a_row_with_its_recipes_or_the_reason_why_there_is_none():
    assert list(here()) == list(catalogue())
    assert len(here()) == 58
    for method, cells in here().items():
        named = re.findall(r"`([\w-]+)`", cells["recipes"])
        assert named == [name for name in names("recipes") if load_recipe(name).model.method == method]
        assert named or cells["recipes"].removeprefix("none: ") == catalogue()[method].without_recipe


def test_a_method_says_that_it_is_simulated_where_a_recipe_has_figures_and_that_it_runs_where_one_trains(script):
    priced = {each.recipe for each in script.read().values() if each.time}
    for method, cells in here().items():
        own = [load_recipe(name).model for name in re.findall(r"`([\w-]+)`", cells["recipes"])]
        beside = catalogue()[method]
        simulated = bool(beside.arithmetic) or any(recipe.name in priced for recipe in own)
        runs = bool(beside.mathematics) or any(not recipe.simulated_only for recipe in own)
        assert (cells["simulated"], cells["runs on data"]) == tuple(
            "yes" if each else "no" for each in (simulated, runs)
        )
        assert (cells["of inference"] != "–") == bool(own), method


def test_a_published_figure_stands_beside_the_reason_why_ours_is_not_it():
    for method, cells in here().items():
        quoted = catalogue()[method].published.startswith('"')
        assert (cells["published"] != "–") == quoted
        assert (cells["why the two stand apart"] == "the abstract has no figure") == (not quoted)


def test_every_shipped_recipe_but_dense_has_a_row_with_numbers_or_a_reason(script):
    table = PAGE.partition("## The 58 methods")[0]
    rows = {match[1]: match[0] for match in re.finditer(r"^\| `([\w-]+)` \|.*$", table, re.MULTILINE)}
    assert sorted(rows) == [name for name in names("recipes") if not load_recipe(name).model.is_baseline]
    unmeasured = [each for each in script.read().values() if not each.time and not each.reason]
    assert unmeasured == []


def test_one_figure_comes_out_again(script):
    """The cheapest of them: a kernel of inference on MobileNet-v2."""
    there = script.read()
    kernels = [each for each in script.asked() if (each.recipe, each.design) == ("sparsebytenn", "sat-vcu1525")]
    (asked,) = kernels
    assert script.measured(asked) == there[asked.key]
