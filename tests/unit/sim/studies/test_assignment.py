"""Ratios by layer: against every assignment there is, and against uniform ratios."""

import dataclasses
import itertools
import json
import random
from functools import cache

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.assignment import local_search as assignment_search
from bisparse.sim.studies.assignment.local_search import LocalSearch
from bisparse.sim.studies.assignment.prices import Purse
from bisparse.sim.studies.assignment.run_assignment import Assigner
from bisparse.training.graph import Stage
from bisparse.training.layer_costs import LayerCost, LayerCosts
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.per_layer import layer_rules

from bisparse.api import load_workload

RATIOS = tuple(map(Pattern.parse, ("1:8", "2:8", "4:8")))
LIKE = Pattern(2, 8)


@cache
def simulator(hardware="sat-vcu1525", **options):
    return Simulator(
        workload=load_workload("resnet9-cifar10"),
        hardware=load_hardware(hardware),
        options=Options(batch=8, **options),
        version="test",
    )


def assigner(recipe="bdwp", ratios=RATIOS, *, dense_names=()):
    loaded = load_recipe(recipe)
    dense = loaded.model.dense.model_copy(update={"names": dense_names})
    loaded = dataclasses.replace(loaded, model=loaded.model.model_copy(update={"dense": dense}))
    return Assigner(simulator=simulator(), recipe=loaded, ratios=tuple(ratios))


def costs(asked, seed=0, *, rises=False):
    """Layers whose weights differ in size and in how unequal they are."""
    generator, layers, rows = random.Random(seed), {}, []
    for module, stage, pattern in asked.places:
        magnitude, evenness = layers.setdefault(module, (generator.uniform(1, 100), generator.uniform(0.3, 1.0)))
        kept = pattern.density**evenness * generator.uniform(0.97, 1.0)
        rise = generator.uniform(-0.01, 0.3) * (1 - kept) if rises and stage is Stage.FORWARD else None
        rows.append(
            LayerCost(
                module=module, stage=stage.value, sparsity=pattern, weights=64, magnitude=magnitude,
                kept_magnitude=kept, loss_rise=rise,
            )
        )  # fmt: skip
    return LayerCosts(sha256="0" * 64, rows=tuple(rows))


@cache
def assigned(seed=0, *, rises=False):
    """What is found for one of the random networks, by the proxy that its layers have, and its ratios."""
    asked = assigner()
    proxy = "sensitivity" if rises else "magnitude"
    return asked.assign(costs(asked, seed, rises=rises), proxy=proxy, like=LIKE)


FEW = ("1.0", "3.*", "6.*")


def test_it_is_the_best_of_all_assignments():
    asked = assigner("sr-ste", dense_names=FEW)
    known = costs(asked)
    found, _ = asked.assign(known, like=LIKE)
    pairs = list(asked.choices)
    assert 3 <= len(pairs) <= 4
    rows = known.by_place

    def lost(patterns):
        chosen = [rows[module, stage.value, each] for (module, stage), each in zip(pairs, patterns, strict=True)]
        return sum(row.magnitude * (1 - row.kept_magnitude) for row in chosen)

    limit = lost([LIKE] * len(pairs)) * (1 + 1e-12)
    within = [each for each in itertools.product(RATIOS, repeat=len(pairs)) if lost(each) <= limit]
    assert 1 < len(within) < len(RATIOS) ** len(pairs)

    def cycles(patterns):
        rules = layer_rules(dict(zip(pairs, patterns, strict=True)))
        recipe = dataclasses.replace(asked.recipe, model=asked.recipe.model.model_copy(update={"layers": rules}))
        return simulator().step(recipe, LIKE).total_cycles

    assert found.assigned.total_cycles == min(map(cycles, within))


def searched(steps, losses, limit):
    """What is found of pairs that each take 4:8 or 2:8 or 1:8; ``steps`` says the cycles of three numbers of halvings.

    The sums know of each halving that it saves 10 cycles.
    """
    pairs = [(module, Stage.FORWARD) for module in "abc"]
    choices = dict.fromkeys(pairs, RATIOS[::-1])
    tight = {pattern: number for number, pattern in enumerate(choices[pairs[0]])}

    class Sums:
        def of(self, pair, pattern):
            return 100 - 10 * tight[pattern]

    rows = {
        (module, "FF", pattern): LayerCost(
            module=module, stage="FF", sparsity=pattern, weights=1, magnitude=1.0,
            kept_magnitude=1 - losses[module] * tight[pattern],
        )
        for module, _ in pairs
        for pattern in RATIOS
    }  # fmt: skip
    purse = Purse(measure="kept magnitude", pairs=tuple(pairs), costs=rows, limit=limit)
    asked = []

    def cycles(ratios):
        asked.append(tuple(tight[ratios[pair]] for pair in pairs))
        assert purse.keeps(ratios)
        return steps(*asked[-1])

    search = LocalSearch(choices=choices, budgets=[purse], prices=Sums(), cycles=cycles)
    start = dict.fromkeys(pairs, Pattern(4, 8))
    best = search.fastest([start], [])
    return tuple(tight[best[pair]] for pair in pairs), asked


def test_the_search_goes_on_by_simulated_cycles_where_the_sums_mislead():
    """Only the third layer saves anything, and two layers must change at once: tighter a, then less of it for c."""
    found, asked = searched(lambda a, b, c: 1000 - 50 * c + 7 * a, {"a": 0.1, "b": 0.1, "c": 0.2}, 0.4)
    assert found == (0, 0, 2)
    assert len(asked) == len(set(asked)), "nothing is simulated twice"
    found, asked = searched(lambda a, b, c: 900 if (a, c) == (1, 1) else 1000 + a + b + c, dict.fromkeys("abc", 0.1), 1)
    assert found == (1, 0, 1), "neither change helps alone"


def test_the_search_ends(monkeypatch):
    monkeypatch.setattr(assignment_search, "SIMULATED_AT_MOST", 5)
    _, asked = searched(lambda a, b, c: 1000 - a - b - c, dict.fromkeys("abc", 0.0), 1)
    assert len(asked) == 5


@pytest.mark.parametrize(("seed", "rises"), [(0, False), (0, True), (1, False), (2, True)])
def test_it_is_never_worse_than_a_uniform_ratio_of_equal_proxy(seed, rises):
    found, ratios = assigned(seed, rises=rises)
    assert found.assigned.within
    for step in found.uniform:
        assert not step.within or found.assigned.total_cycles <= step.total_cycles
    assert next(step for step in found.uniform if step.sparsity == "2:8").within
    for budget in found.budgets:
        side = 1 if budget.measure == "kept magnitude" else -1
        assert side * budget.reached >= side * budget.limit - 1e-9
    assert found.bound_cycles <= found.predicted_cycles
    assert len(ratios) == len(found.layers) == len(assigner().choices)


def test_layers_that_differ_are_given_what_uniform_ratios_cannot():
    asked = assigner(ratios=(*RATIOS, Pattern(1, 1)))
    found, _ = asked.assign(costs(asked), like=LIKE)
    assert found.assigned.total_cycles < 0.97 * found.best_uniform.total_cycles
    assert len({layer.sparsity for layer in found.layers}) > 1


def test_the_step_is_that_of_the_recipe_with_these_ratios():
    asked = assigner()
    found, ratios = assigned()
    rules = layer_rules(ratios)
    recipe = dataclasses.replace(asked.recipe, model=asked.recipe.model.model_copy(update={"layers": rules}))
    for elsewhere in RATIOS:
        step = simulator().run(recipe, elsewhere)
        assert step.total_cycles == found.assigned.total_cycles, "every pruned layer is named"
        assert step.energy_joules == pytest.approx(found.assigned.energy_joules)
    pruned = {(row.module, row.stage): row for row in step.rows if row.pruned_operand}
    for layer in found.layers:
        assert (pruned[layer.module, layer.stage].sparsity, pruned[layer.module, layer.stage].cycles) == (
            layer.sparsity,
            layer.cycles,
        )


def test_sensitivity_has_a_budget_for_each_stage_and_a_fall_of_the_loss_counts_as_none():
    asked = assigner()
    known = costs(asked, rises=True)
    found, _ = assigned(rises=True)
    assert [(each.measure, each.stages) for each in found.budgets] == [
        ("loss rise", ("FF",)),
        ("kept magnitude", ("BP",)),
    ]
    rises = [row.loss_rise for row in known.rows if row.stage == "FF" and row.sparsity == LIKE]
    assert found.budgets[0].limit == pytest.approx(sum(max(rise, 0.0) for rise in rises))


def test_a_share_to_keep_may_stand_in_place_of_a_ratio():
    asked = assigner(ratios=(*RATIOS, Pattern(1, 1)))
    known = costs(asked)
    steps = [asked.assign(known, keep=keep)[0] for keep in (0.0, 0.6, 1.0)]
    cycles = [each.assigned.total_cycles for each in steps]
    assert cycles == sorted(cycles)
    assert {layer.sparsity for layer in steps[0].layers} == {"1:8"}
    assert {layer.sparsity for layer in steps[-1].layers} == {"dense"}
    assert steps[-1].assigned.total_cycles == simulator().dense.total_cycles
    assert steps[-1].best_uniform is None
    with pytest.raises(ConfigError, match=r"keep: got 1.0, need a share that some choice of 1:8, 2:8, 4:8 keeps"):
        assigner().assign(costs(assigner()), keep=1.0)


def test_a_layer_may_have_only_what_the_recipe_s_rules_let_it_have():
    """The classifier has 10 outputs: no ratio divides them in BP; and the first convolution stays dense."""
    asked = assigner(ratios=(Pattern(1, 8), Pattern(1, 16)))
    modules = {module for module, _ in asked.choices}
    assert "0.0" not in modules
    assert all(Pattern(1, 1) not in mine for mine in asked.choices.values())
    assert not any(module == "11" and stage is Stage.BACKWARD for module, stage in asked.choices)
    named = assigner(dense_names=("1.0",))
    assert "1.0" not in {module for module, _ in named.choices}


def test_a_file_says_dense_of_what_no_ratio_offered_could_prune():
    """The classifier, ``11``, has 10 outputs; the first convolution is dense by the recipe's rules at any ratio."""
    asked = assigner()
    _, ratios = assigned()
    said = asked.said(ratios)
    assert {place: said[place] for place in said.keys() - ratios.keys()} == {("11", Stage.BACKWARD): Pattern(1, 1)}
    assert ratios.items() <= said.items()
    recipe = asked.recipe.model.model_copy(update={"layers": layer_rules(said)})
    graph = simulator().workload.graph
    at = [annotate(graph, recipe, Pattern(*each), pre_generation=True).prunings for each in ((1, 2), (2, 8), (1, 1))]
    assert at[0] == at[1] == at[2], "the ratio asked for says nothing more"


@pytest.mark.parametrize(
    ("recipe", "ratios", "message"),
    [
        ("sdgp", RATIOS, "recipe: got sdgp, need one that keeps the N largest weights of each group; try bdwp"),
        ("transposable", RATIOS, "recipe: got transposable, need one that keeps the N largest weights"),
        ("dense", RATIOS, "recipe: got dense, need one that keeps the N largest weights"),
        ("bdwp", (Pattern(1, 1),), "ratios: got none that prunes, need N:M with N below M"),
        ("bdwp", (Pattern(3, 8),), "ratios: got 3:8, need those that sat-vcu1525 has: 1:4, "),
    ],
)
def test_what_cannot_be_assigned_is_refused(recipe, ratios, message):
    with pytest.raises(ConfigError) as wrong:
        assigner(recipe, ratios)
    assert str(wrong.value).startswith(message)


def test_budgets_and_costs_that_are_not_known_are_refused():
    asked = assigner()
    known = costs(asked)
    for budget in ({}, {"like": LIKE, "keep": 0.5}, {"keep": 2.0}, {"keep": 0.5, "proxy": "sensitivity"}):
        with pytest.raises(ConfigError, match="like, keep: got"):
            asked.assign(known, **budget)
    with pytest.raises(ConfigError, match="like: got 2:4, need one of the ratios 1:8, 2:8, 4:8"):
        asked.assign(known, like=Pattern(2, 4))
    with pytest.raises(ConfigError, match=r"layers.csv: got no loss_rise of 1.0 FF at 1:8"):
        asked.assign(known, proxy="sensitivity", like=LIKE)
    fewer = dataclasses.replace(known, rows=known.rows[1:])
    with pytest.raises(ConfigError, match=r"layers.csv: got no row of 1.0 FF at 1:8"):
        asked.assign(fewer, like=LIKE)


def test_an_assignment_is_plain_data():
    document = json.loads(json.dumps(assigned()[0].document()))
    assert (document["kind"], document["schema_version"], document["like"]) == ("assignment", 1, "2:8")
    assert set(document["inputs"]) == {"hardware", "workload", "recipe", "energy_table", "layer_costs"}
    assert {layer["stage"] for layer in document["layers"]} == {"FF", "BP"}
