"""A slice of the freeze: figures that come out again to the last bit, and whether everything shipped is frozen.

All of it: ``python tests/golden/freeze.py --check``. What is frozen stands in ``frozen/__init__.py``. A change of a
frozen figure says why in CHANGELOG.md and freezes anew: ``python tests/golden/freeze.py``.
"""

from dataclasses import replace
from functools import cache

import pytest
from bisparse.accel.engines import OPTIMIZERS
from bisparse.configs.library import names
from bisparse.sim.explore.design import Design
from bisparse.sim.explore.evaluation import evaluate
from bisparse.sim.explore.figures import FIGURES

from .frozen import files, inputs, wild
from .frozen.cases import ENGINES, OPTIONS, SAT, Case, all_cases
from .frozen.differences import differences
from .frozen.differences import lines as told
from .frozen.measuring import outcome

ALL = {case.key: case for case in all_cases()}
FREEZE = "python tests/golden/freeze.py"
SMALL, SMALLER = "resnet18-tinyimagenet", "resnet9-cifar10"


def shipped(workload, recipe, hardware=SAT, engine="analytic"):
    """A case of a shipped workload, recipe and design with default options."""
    return Case(kind="step", file=f"steps-{engine}", workload=workload, recipe=recipe, hardware=hardware, engine=engine)


def found_again(cases):
    """Lines that tell what is not as it was; cases of one design and workload share their searches."""
    simulators = {}
    return [line for case in cases for line in told(case.key, frozen(case), outcome(case, simulators))]


def frozen(case):
    """What stands in the files."""
    return contents(case.file)[case.key]


contents = cache(files.read)


@pytest.mark.parametrize("workload", names("workloads"))
def test_every_workload_costs_what_it_did(workload):
    assert found_again([shipped(workload, "dense"), shipped(workload, "bdwp")]) == []


def test_every_recipe_costs_what_it_did():
    assert found_again([shipped(SMALLER, recipe) for recipe in names("recipes")]) == []


@pytest.mark.parametrize("hardware", names("hardware"))
def test_every_design_costs_what_it_did(hardware):
    whole = [case for case in ALL.values() if case.file == "documents" and case.workload == SMALL]
    cases = [case for case in whole if case.hardware == hardware and case.engine == "analytic"]
    assert cases
    assert found_again(cases) == []


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_costs_what_it_did(options):
    case = Case(kind="step", file="options", workload=SMALLER, recipe="bdwp", hardware=SAT, options=options)
    assert found_again([case]) == []


@pytest.mark.parametrize("recipe", ["dense", "bdwp", "sdgp"])
def test_steps_played_by_events_cost_what_they_did(recipe):
    assert found_again([shipped(SMALLER, recipe, engine="event")]) == []


@pytest.mark.parametrize("kind", ["ablation", "training"])
def test_documents_say_what_they_did(kind):
    case = next(case for case in ALL.values() if case.kind == kind and case.hardware == SAT)
    assert found_again([case]) == []


def test_products_cost_what_they_did():
    cases = [case for case in ALL.values() if case.kind == "product" and case.workload == "37x53x71"]
    assert found_again(cases) == []


@pytest.mark.parametrize("number", [0, 2, 3, 5, 7, 20])
def test_wild_designs_side_by_side_cost_what_they_did(number):
    known = contents("wild")
    for key, found in wild.groups()[number].together().items():
        assert told(key, known[key], found) == []


def test_shipped_designs_side_by_side_cost_what_they_did():
    names_of = [SAT, "edge-16x16", SAT, SAT, "edge-16x16", "edge-16x16"]
    recipes = ["bdwp", "bdwp", "dense", "sdgp", "dense", "sdgp"]
    network = inputs.workload(SMALLER)
    designs = [
        Design(
            hardware=inputs.hardware(hardware),
            workload=network,
            recipe=inputs.recipe(recipe),
            pattern=inputs.pattern("2:8"),
            options=inputs.options({}, network),
        )
        for hardware, recipe in zip(names_of, recipes, strict=True)
    ]
    for hardware, recipe, found in zip(names_of, recipes, evaluate(designs, "test"), strict=True):
        case = shipped(SMALLER, recipe, hardware)
        assert told(case.key, frozen(case)["figures"], found.figures) == []


# What is frozen ------------------------------------------------------------------------------------------------------


def test_everything_shipped_is_frozen():
    expected = {case.key for case in ALL.values()}
    there = {key for name in files.FILES if name != "wild" for key in contents(name)}
    assert expected - there == set(), f"not frozen; run {FREEZE}"
    assert there - expected == set(), f"no case any more; run {FREEZE}"


def test_every_wild_design_is_frozen():
    expected = {key for group in wild.groups() for key in group.outcome_keys()}
    assert contents("wild").keys() == expected, f"run {FREEZE}"
    assert len(expected) >= 150


def test_every_figure_is_frozen():
    for name in ("steps-analytic", "steps-event", "options", "documents", "wild"):
        for key, each in contents(name).items():
            assert "reason" in each or list(each["figures"]) == list(FIGURES), f"{key}: run {FREEZE}"


def test_every_optimizer_and_engine_is_among_the_options():
    cases = [case for case in ALL.values() if case.file == "options"]
    assert {case.options.get("optimizer", "sgd-momentum") for case in cases} == set(OPTIMIZERS)
    assert {case.engine for case in cases} == set(ENGINES)


def test_most_of_what_is_frozen_runs():
    for name in files.FILES:
        outcomes = contents(name).values()
        assert sum("reason" not in each for each in outcomes) > 0.5 * len(outcomes), name


# The instrument ------------------------------------------------------------------------------------------------------


def test_a_last_bit_is_told_with_operator_and_field():
    row = {"name": "conv1:FF", "cycles": 7, "energy_joules": 0.1}
    other = row | {"energy_joules": 0.1 + 2**-56}
    assert list(differences({"operators": [row]}, {"operators": [other]})) == [
        ("operators[conv1:FF].energy_joules", 0.1, 0.1 + 2**-56)
    ]


def test_an_integer_is_no_float_and_a_missing_figure_is_told():
    assert list(differences({"a": 1, "b": 2}, {"a": 1.0})) == [("a", 1, 1.0), ("b", 2, "nothing")]


def test_another_design_is_told_by_figures_and_digests():
    case = shipped(SMALLER, "dense")
    found = outcome(replace(case, changes={"update_engine": {"lanes": 31}}))
    differing = {path.split(".")[0] for path, _, _ in differences(frozen(case), found)}
    assert {"figures", "digests"} <= differing
