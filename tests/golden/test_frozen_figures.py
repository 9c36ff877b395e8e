"""A slice of the freeze: figures that come out again to the last bit, and whether everything shipped is frozen.

All of it: ``python tests/golden/freeze.py --check``. What is frozen stands in ``frozen/__init__.py``. A change of a
frozen figure says why in CHANGELOG.md and freezes anew: ``python tests/golden/freeze.py``.
"""

from dataclasses import replace
from functools import cache

import pytest
from bisparse.accel.engines import OPTIMIZERS
from bisparse.configs.library import names
from bisparse.sim.studies.explore.figures import FIGURES

from .frozen import files, wild
from .frozen.cases import ENGINES, SAT, Case, all_cases
from .frozen.differences import differences
from .frozen.differences import lines as told
from .frozen.measuring import outcome

ALL = {case.key: case for case in all_cases()}
FREEZE = "python tests/golden/freeze.py"
SMALL, SMALLER = "resnet18-tinyimagenet", "resnet9-cifar10"
WILD = (0, 10, 12)
"""Groups of wild designs that are evaluated here, 24 designs."""

RECIPES = ("dense", "sdgp", "bi-mask", "step")
OPTIONS_HERE = [
    {"batch": 3, "optimizer": "adam"},
    {"objective": "energy"},
    {"pre_generation": False, "overlap_update": False, "optimizer": "adam"},
    {"overlap_vector": True},
    {"overlap_vector": True, "keep_on_chip": True},
    {"keep_on_chip": False},
    {"dataflows": ["ws"]},
    {"interleave": False},
    {"densities": True},
]

SIMULATORS = {}
"""By design and workload: what one test has searched serves the others."""


def shipped(workload, recipe, hardware=SAT, engine="analytic"):
    """A case of a shipped workload, recipe and design with default options."""
    return Case(kind="step", file=f"steps-{engine}", workload=workload, recipe=recipe, hardware=hardware, engine=engine)


def found_again(cases):
    """Lines that tell what is not as it was."""
    return [line for case in cases for line in told(case.key, frozen(case), outcome(case, SIMULATORS))]


def frozen(case):
    """What stands in the files."""
    return contents(case.file)[case.key]


contents = cache(files.read)


@pytest.mark.parametrize("workload", names("workloads"))
def test_every_workload_costs_what_it_did(workload):
    # The textbook design searches fastest; ResNet-9 and ResNet-18 stand on the others below.
    assert found_again([shipped(workload, "dense", "systolic-textbook")]) == []


@pytest.mark.parametrize("hardware", names("hardware"))
def test_every_design_costs_what_it_did(hardware):
    assert found_again([shipped(SMALLER, "bdwp", hardware)]) == []


def test_recipes_and_options_cost_what_they_did():
    recipes = [shipped(SMALLER, recipe) for recipe in RECIPES]
    options = [
        Case(kind="step", file="options", workload=SMALLER, recipe="bdwp", hardware=SAT, options=each)
        for each in OPTIONS_HERE
    ]
    assert found_again([*recipes, *options]) == []


def test_the_whole_document_says_what_it_did():
    case = Case(kind="step", file="documents", workload=SMALL, recipe="bdwp", hardware=SAT, whole=True)
    assert found_again([case]) == []


def test_a_step_played_by_events_costs_what_it_did():
    assert found_again([shipped(SMALLER, recipe, engine="event") for recipe in ("dense", "bdwp")]) == []


def test_ablations_and_training_runs_say_what_they_did():
    ablation = Case(kind="ablation", file="ablations", workload=SMALLER, recipe="dense", hardware="systolic-textbook")
    training = Case(
        kind="training",
        file="trainings",
        workload=SMALLER,
        recipe="step",
        hardware=SAT,
        options={"optimizer": "adam"},
        training_steps=1000,
    )
    assert found_again([ablation, training]) == []


def test_products_cost_what_they_did():
    cases = [case for case in ALL.values() if case.kind == "product" and case.workload == "33x7x100"]
    assert found_again(cases) == []


@pytest.mark.parametrize("number", WILD)
def test_wild_designs_side_by_side_cost_what_they_did(number):
    known = contents("wild")
    for key, found in wild.groups()[number].together().items():
        assert told(key, known[key], found) == []


# What is frozen ------------------------------------------------------------------------------------------------------


def test_everything_shipped_is_frozen():
    expected = {case.key for case in ALL.values()}
    there = {key for name in files.FILES if name != "wild" for key in contents(name)}
    assert expected - there == set(), f"not frozen; run {FREEZE}"
    assert there - expected == set(), f"no case any more; run {FREEZE}"


def test_every_wild_design_is_frozen():
    expected = {key for group in wild.groups() for key in group.outcome_keys()}
    assert contents("wild").keys() == expected, f"run {FREEZE}"
    assert len(expected) >= 160


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
