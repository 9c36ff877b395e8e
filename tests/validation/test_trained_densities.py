"""Cost and training agree: the share of weights that a run multiplied by is the one that its simulation counts.

Layer by layer, stage by stage and phase by phase: at the end of each epoch of a run against the stretch of the schedule
that the epoch ended in.
"""

from __future__ import annotations

import pytest
from bisparse.configs.formats import parse_format
from bisparse.training.densities import load_densities
from bisparse.training.graph import Stage
from bisparse.training.graph_file import load_graph
from bisparse.training.loop import train
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.run_plan import stretches
from bisparse.training.settings import settings_for

pytestmark = pytest.mark.usefixtures("one_thread")

MEASURED = {Stage.FORWARD: "forward_weight_density", Stage.BACKWARD: "backward_weight_density"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run: its summary, its graph, and its rows by epoch and layer."""
    known = {}

    def trained(recipe, sparsity, epochs=10):
        if (recipe, sparsity) not in known:
            directory = tmp_path_factory.mktemp("run")
            settings = settings_for("mlp", "digits", recipe, sparsity, epochs=epochs, batch=150)
            summary = train(settings, directory, version="test")
            rows = {(row.epoch, row.module): row for row in load_densities(directory).rows}
            known[recipe, sparsity] = summary, load_graph(directory / "graph.json"), rows
        return known[recipe, sparsity]

    return trained


def simulated(graph, summary, recipe, sparsity):
    """By epoch: the stretch that its last step lies in; by layer and stage the density there, and the weights."""
    planned = stretches(recipe, parse_format(sparsity), summary.training_steps)
    for epoch in summary.epochs:
        at = next(each for each in planned if epoch.step <= each.first_step + each.times * each.steps)
        pruned = {} if at.recipe is None else annotate(graph, at.recipe, at.pattern, pre_generation=True).prunings
        yield (
            epoch.epoch,
            at,
            {
                (each.module, each.stage): (
                    pruned[each.name].pattern.density if each.name in pruned else 1.0,
                    graph.tensors[each.parameter].elements(1),
                )
                for each in graph.products
                if each.stage in MEASURED and (each.stage is Stage.FORWARD or recipe.backward is not None)
            },
        )


@pytest.mark.parametrize(
    ("recipe", "sparsity"),
    [
        ("bdwp", "2:8"),
        ("sdgf-stepwise", "2:8"),
        ("static-masks", "75% block 2x2"),
        ("random-erk", "80%"),
        ("gradual-magnitude", "80%"),
        ("spdf", "75%"),
    ],
)
def test_layers_have_the_densities_that_are_simulated(recipe, sparsity, run):
    summary, graph, rows = run(recipe, sparsity)
    declared = load_recipe(recipe).model
    planned = {each.trains for each in stretches(declared, parse_format(sparsity), summary.training_steps)}
    seen = set()
    for epoch, stretch, layers in simulated(graph, summary, declared, sparsity):
        seen.add(stretch.trains)
        for (module, stage), (density, weights) in layers.items():
            measured = getattr(rows[epoch, module], MEASURED[stage])
            if recipe == "spdf" and stretch.trains.is_dense:
                assert measured > 0.5, "no mask: what was pruned has begun to learn, where a gradient reached it"
            else:
                # Whole blocks are kept, of up to four weights.
                assert measured == pytest.approx(density, abs=4 / weights), (epoch, module, stage)
    assert len(seen) >= min(len(planned), 3), "phases that are compared"


def test_a_list_of_the_whole_network_keeps_as_many_as_are_simulated_and_shares_them_out_itself(run):
    recipe = load_recipe("lottery-ticket").model
    summary, graph, rows = run("lottery-ticket", "80%", epochs=3)
    shares = set()
    for epoch, stretch, layers in simulated(graph, summary, recipe, "80%"):
        forward = {module: each for (module, stage), each in layers.items() if stage is Stage.FORWARD}
        kept = sum(rows[epoch, each].forward_weight_density * weights for each, (_, weights) in forward.items())
        planned = sum(density * weights for density, weights in forward.values())
        assert kept == pytest.approx(planned, abs=len(forward))
        shares.add(stretch.trains)
    assert len(shares) == 8
    densities = [rows[summary.epochs[-1].epoch, module].forward_weight_density for module in forward]
    assert max(densities) > 1.5 * min(densities)
