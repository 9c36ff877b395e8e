"""Runs of recipes that rewrite layers: what they train, that they go on where they were, and what is refused."""

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.densities import load_densities
from bisparse.training.graph_file import load_graph
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.rewrites.apply import rewritten
from bisparse.training.settings import settings_for

from .short_runs import KilledError, digits, killed_at, run

pytestmark = pytest.mark.usefixtures("one_thread")

MINE = """
name: mine
title: "Wider, pruned, with a low rank beside each layer"
source: "a test"
forward: {operand: weight}
mask_search: {method: given}
weight_gradient: kept
dense: {names: ["*.doped_a", "*.doped_b"]}
rewrites:
  - {kind: keep, neurons: 2}
  - {kind: doped, zeros_percent: 75}
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE)
    return digits(recipe=str(tmp_path / "mine.yaml"), sparsity="75%", epochs=1)


def test_what_it_trains_is_the_rewritten_graph_of_the_model_that_it_saves(settings, tmp_path):
    run(settings, tmp_path / "run")
    recipe = load_recipe(settings.recipe).model
    graph = load_graph(tmp_path / "run" / "graph.json")
    planned = rewritten(graph, recipe.rewrites, deployed=False).graph
    weights = torch.load(tmp_path / "run" / "weights.pt", weights_only=True)
    parameters = {each.name: each.elements(1) for each in planned.tensors.values() if each.role == "parameter"}
    assert {name: value.numel() for name, value in weights.items()} == parameters
    densities = load_densities(tmp_path / "run")
    assert densities.trained_as == ("mine", "75%")
    kept = densities.weights_at_last("mine")
    layers = [name for name in kept if "doped" not in name]
    assert layers
    assert all(kept[name] == pytest.approx(0.25, abs=0.01) for name in layers)


def test_heads_of_a_shipped_transformer_go_too(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINE.replace("neurons: 2", "heads: 0.5").replace("75}", "75, layers: [head]}"))
    settings = settings_for("vit", "digits", str(tmp_path / "mine.yaml"), "75%", epochs=1)
    with pytest.raises(KilledError):
        run(settings, tmp_path / "run", progress=killed_at(1))


FIXED = """
from torch import nn


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 48), nn.Linear(48, 10)

    def forward(self, images):
        return self.second(self.first(images.flatten(1)).relu().view(-1, 48))


def fixed():
    return Fixed()
"""


def test_a_size_that_the_models_code_fixes_is_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_fixed_size.py").write_text(FIXED)
    (tmp_path / "mine.yaml").write_text(MINE)
    settings = settings_for("of_fixed_size:fixed", "digits", str(tmp_path / "mine.yaml"), "75%", epochs=1)
    with pytest.raises(ConfigError, match=r"mine.yaml.*: rewrites: got a model that does not run once they are made"):
        run(settings, tmp_path / "run")
