"""Recipes listed by kind, and told in words."""

from __future__ import annotations

import json

import pytest
from bisparse.configs.library import names
from bisparse.training.recipes.declaration import load_recipe

from bisparse.commands.recipe_words import recipe_words, usual_command
from bisparse.commands.recipes import list_recipes, show

RECIPES = names("recipes")


def words(name):
    told = {}
    for label, sentence in recipe_words(load_recipe(name).model):
        told.setdefault(label, []).append(sentence)
    return told


def test_the_list_has_every_recipe_once_under_its_kind(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    list_recipes()
    _, *rows = capsys.readouterr().out.splitlines()
    listed, kind = [], ""
    for row in rows:
        if not row.startswith("  "):
            kind = row
            continue
        name = row.split()[0]
        assert load_recipe(name).model.kind == kind
        listed.append(name)
    assert sorted(listed) == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_told_with_what_it_prunes_whether_it_trains_and_every_published_figure(name):
    recipe, told = load_recipe(name).model, words(name)
    assert (told["FF"] == ["nothing"]) == (recipe.forward is None)
    assert ("BP" in told) == (recipe.pass_ == "training")
    assert (told["runs"] == ["simulated and trained"]) == (not recipe.simulated_only)
    assert recipe.simulated_only in told["runs"][0]
    assert len(told.get("published", [])) == len(recipe.published)
    assert len(told.get("work", [])) == len(recipe.extra_work)
    assert "" not in [sentence for sentences in told.values() for sentence in sentences]


@pytest.mark.parametrize(
    ("name", "label", "sentences"),
    [
        ("bdwp", "BP", ["weights: the N largest of every M along what it sums over, anew in each step"]),
        ("sr-ste", "BP", ["nothing; it multiplies by the weights of FF, whose zeros save nothing there"]),
        ("spdf", "when", ["sparse pre-training: 0.95 of the steps, at the full ratio",
                          "dense fine-tuning: the rest, dense"]),
        ("pst", "FF", ["weights: a mask that is given, where scores that learn are highest"]),
        ("pst", "pruned weights", ["stay as they were"]),
        ("sora", "when", ["tuning: 1 of the steps, sets rewrites.0.rank (steps)"]),
        ("step", "when", ["dense until Adam's variance settles, between 10% and 50% of the steps; then pruned"]),
        ("cpu-spmm", "pass", ["inference alone, of weights pruned before"]),
    ],
)  # fmt: skip
def test_what_is_pruned_where_and_when(name, label, sentences):
    assert words(name)[label] == sentences


def test_a_measured_difference_is_told_with_its_interval_network_and_data():
    assert (
        "2:8: −5.46 ± 0.37 points of accuracy against dense, lower (gpt on pydoc, 362 steps, 10 seeds)"
        in words("bdwp")["measured here"]
    )


def test_the_usual_run_is_a_command_that_holds_for_a_shell():
    assert usual_command(load_recipe("cpu-spmm").model) == (
        "bisparse simulate bert-base --recipe cpu-spmm --sparsity '80% block 4x1 as index' --pass inference"
    )


def test_show_has_the_fields_that_a_file_says_and_json_all(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    show("sdgp")
    shown = capsys.readouterr().out
    assert "backward.online   True" in shown
    assert "backward.rescale" not in shown
    show("sdgp", as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["values"]["backward"]["rescale"] is False
    assert document["simulated_only"] == ""
