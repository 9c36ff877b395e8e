"""What recipes say of the methods that they are, and the catalogue that they are rows of."""

from __future__ import annotations

import importlib.util

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.catalogue import METHOD_KINDS, catalogue
from bisparse.training.recipes.declaration import load_recipe

RECIPES = names("recipes")
HEAD = 'name: mine\ntitle: "Mine"\nsource: "a test"\n'


def test_the_catalogue_has_58_methods_of_known_kinds_in_the_order_of_kinds():
    kinds = [method.kind for method in catalogue().values()]
    assert len(kinds) == 58
    assert set(kinds) == set(METHOD_KINDS) - {"baseline"}
    assert kinds == sorted(kinds, key=METHOD_KINDS.index)
    assert all(method.title and method.phases and method.published for method in catalogue().values())
    assert all(method.apart for method in catalogue().values())


def test_a_method_has_a_recipe_or_a_reason_why_there_is_none_and_not_both():
    """Where this fails for a recipe that is new, empty ``without_recipe`` of its method in the catalogue."""
    realised = {load_recipe(name).model.method for name in RECIPES}
    assert [each.id for each in catalogue().values() if (each.id in realised) == bool(each.without_recipe)] == []


def test_a_method_outside_of_deep_network_training_has_a_module_with_its_mathematics():
    for method in catalogue().values():
        assert method.mathematics or method.kind != "outside of deep-network training"
        if method.mathematics:
            own = [recipe for recipe in map(load_recipe, RECIPES) if recipe.model.method == method.id]
            assert all(recipe.model.simulated_only for recipe in own)
            assert importlib.util.find_spec(method.mathematics)
            assert importlib.util.find_spec(method.arithmetic.partition(":")[0] or "bisparse")


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_has_a_kind_and_that_of_its_method(name):
    recipe = load_recipe(name).model
    assert recipe.kind is not None
    assert not recipe.method or catalogue()[recipe.method].kind == recipe.kind


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_shipped_recipe_is_usually_run_with_is_shipped_and_suits_it(name):
    recipe = load_recipe(name).model
    assert (recipe.usual is None) == recipe.is_baseline
    if recipe.usual is not None:
        assert recipe.usual.workload in names("workloads")
        assert (recipe.usual.sparsity == "0%") == (not recipe.prunes)
    if recipe.prunes:
        assert recipe.mask_search.method != "top-n" or isinstance(parse_format(recipe.usual.sparsity), Pattern)


@pytest.mark.parametrize("name", [name for name in RECIPES if load_recipe(name).model.method])
def test_a_figure_that_a_recipe_quotes_of_an_abstract_stands_in_the_catalogue(name):
    """The catalogue has the figures of the abstracts; typography apart."""
    recipe = load_recipe(name).model
    of_catalogue = catalogue()[recipe.method].published.replace("times", "x")
    for figure in recipe.published:
        if figure.where.startswith("abstract"):
            assert figure.text in of_catalogue


def test_a_recipe_that_extends_another_is_not_what_was_published_of_that(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: bdwp\nname: mine\ndense: {first_convolution: false}\n")
    recipe = load_recipe(str(file)).model
    assert (recipe.method, recipe.published) == ("", ())
    assert recipe.kind == "N:M training"
    file.write_text(
        "extends: bdwp\nname: mine\npublished:\n  - {text: twice, what: time, where: our notes}\nmethod: granet\n"
    )
    recipe = load_recipe(str(file)).model
    assert (recipe.method, [figure.text for figure in recipe.published]) == ("granet", ["twice"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: grannet\n", "method: got 'grannet', need the id of a method of the catalogue; try granet"),
        ("kind: sparse\n", "kind: got 'sparse', need"),
        ("published: [{text: twice}]\n", "published.0"),
        ("usual: {sparsity: 0.8}\n", "usual.sparsity: got 0.8"),
    ],
)
def test_a_wrong_word_of_a_recipe_of_itself_is_told_with_file_and_line(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + text)
    with pytest.raises(ConfigError) as wrong:
        load_recipe(str(file))
    assert f"mine.yaml:4: {message}" in str(wrong.value)
