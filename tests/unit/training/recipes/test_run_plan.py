"""Whole runs as stretches of equal steps: each kind of schedule against numbers worked out by hand."""

import json
from pathlib import Path

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.library import names
from bisparse.training.recipes.courses import Course, Repeats
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.extra_work import ExtraWork
from bisparse.training.recipes.phases import phases
from bisparse.training.recipes.run_plan import follows_stretches, stretches, training_phases
from pydantic import ValidationError


def recipe(base="static-masks", **fields) -> Recipe:
    whole = json.loads(load_recipe(base).model.model_dump_json(by_alias=True)) | fields
    return Recipe.model_validate_json(json.dumps(whole))


def phased(*declared, sparsity="80%", steps=100, **fields):
    method = recipe(schedule={"phases": list(declared)}, **fields)
    return stretches(method, parse_format(sparsity), steps)


def told(found):
    return [(each.name, each.first_step, each.steps, str(each.trains)) for each in found]


# A parameter over time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("course", "values"),
    [
        ({"shape": "linear", "updates": 4}, [25, 50, 75, 100]),
        # 100 (1 - (1 - t)^3) at t = 1/4, 1/2, 3/4, 1.
        ({"shape": "cubic", "updates": 4}, [57.8125, 87.5, 98.4375, 100]),
        # 100 (1 - (1 - cos(pi t)) / 2 at 1 - t): 1/2 - cos(45 deg)/2 = 0.146447 at t = 1/4.
        ({"shape": "cosine", "updates": 4}, [14.64466, 50, 85.35534, 100]),
        ({"shape": "constant"}, [100]),
        ({"shape": "steps", "values": [7, 3, 5]}, [7, 3, 5]),
        ({"shape": "linear", "start": 50, "end": 90, "updates": 2}, [70, 90]),
        # A thousandth in three equal ratios.
        ({"shape": "geometric", "start": 1000, "end": 1, "updates": 3}, [100, 10, 1]),
    ],
)
def test_a_course_takes_its_values_in_turn(course, values):
    assert Course(**course).over(0.0, 100.0) == pytest.approx(values)


def test_a_course_says_no_more_than_its_shape_has_use_for():
    with pytest.raises(ValidationError, match=r"values: got .* of linear, need none"):
        Course(values=(1.0,))
    with pytest.raises(ValidationError, match=r"values: got \[\] of steps, need values"):
        Course(shape="steps")
    with pytest.raises(ValidationError, match="need one that is"):
        Course(shape="geometric", end=0.0)


# Phases one by one ----------------------------------------------------------------------------------------------------


def test_phases_share_the_steps_out_and_one_takes_the_rest():
    found = phased(
        {"name": "calibration", "steps": 7, "pass": "inference"},
        {"name": "warm-up", "share": 0.1, "sparsity": "dense"},
        {"name": "main"},
        {"name": "cool-down", "share": 0.25, "sparsity": "50%"},
    )
    assert told(found) == [
        ("calibration", 0, 7, "80%"),
        ("warm-up", 7, 10, "1:1"),
        ("main", 17, 58, "80%"),
        ("cool-down", 75, 25, "50%"),
    ]
    assert [each.kind for each in found] == ["sparse", "dense", "sparse", "frame"]
    assert [each.pass_ for each in found] == ["inference", "training", "training", "training"]
    assert [each.begins for each in found] == [True, False, False, False]


def test_shares_that_are_all_leave_no_step_over():
    found = phased(*({"name": str(number), "share": share} for number, share in enumerate((0.333, 0.333, 0.334))))
    assert sum(each.steps for each in found) == 100


def test_phases_that_do_not_come_to_all_steps_are_refused():
    with pytest.raises(ConfigError, match=r"schedule.phases: got 50 steps together, need all 100 of the run"):
        phased({"name": "half", "share": 0.5})
    with pytest.raises(ConfigError, match=r"got 120 steps together, need at most 100"):
        phased({"name": "long", "steps": 120}, {"name": "rest"})


def test_zeros_change_over_a_phase():
    found = phased(
        {"name": "dense", "share": 0.2, "sparsity": "dense"},
        {"name": "ramp", "share": 0.8, "zeros_percent": {"shape": "linear", "updates": 4}},
    )
    assert told(found)[1:] == [("ramp", 20, 20, "20%"), ("ramp", 40, 20, "40%"), ("ramp", 60, 20, "60%"), (
        "ramp", 80, 20, "80%")]  # fmt: skip
    assert [each.begins for each in found] == [False, True, False, False, False]


def test_n_m_goes_through_the_ratios_that_are_given_and_is_at_its_full_ratio_at_once_elsewhere():
    frames = phased({"name": "tighter", "sparsity": ["7:8", "4:8", "2:8"]}, sparsity="2:8", steps=90)
    assert told(frames) == [("tighter", 0, 30, "7:8"), ("tighter", 30, 30, "4:8"), ("tighter", 60, 30, "2:8")]
    ramp = phased({"name": "ramp", "zeros_percent": {"shape": "linear"}}, sparsity="2:8")
    assert told(ramp) == [("ramp", 0, 100, "2:8")]


def test_any_field_of_the_recipe_changes_over_a_phase():
    found = phased(
        {
            "name": "rarer",
            "set": {
                "extra_work.0.every_steps": {"shape": "steps", "values": [10, 20]},
                "dense.names": ["head"],
            },
        },
        extra_work=[{"work": "sort", "every_steps": 5}],
    )
    assert [(each.steps, each.recipe.extra_work[0].every_steps) for each in found] == [(50, 10), (50, 20)]
    assert {each.recipe.dense.names for each in found} == {("head",)}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("extra_work.0.rank", 8, "set: got .*rank"),
        ("no.such", 1, "got 'no.such', need the path of a field of the recipe"),
        ("title", {"shape": "linear"}, "title: got a course, need a number"),
    ],
)
def test_a_field_that_cannot_be_so_is_refused(path, value, message):
    with pytest.raises(ConfigError, match=message):
        phased({"name": "main", "set": {path: value}}, extra_work=[{"work": "sort"}])


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"phases": [{"name": "a", "share": 0.6}, {"name": "b", "share": 0.6}]}, "more than 1 together"),
        ({"phases": [{"name": "a"}, {"name": "b"}]}, "need at most one, which takes the rest"),
        ({"phases": [{"name": "a", "share": 0.5, "steps": 5}]}, "need one of them"),
        ({"phases": [{"name": "a", "sparsity": "50%", "zeros_percent": {}}]}, "sparsity and zeros_percent"),
        ({"phases": [{"name": "a"}], "ramp": {}}, "ramp and phases, need one of them"),
        ({"phases": [{"name": "a"}], "dense_share": 0.1}, "need phases alone to say when"),
        ({"repeats": {"cycles": 2, "density": {"shape": "steps", "values": [0.5]}}}, "need one a cycle, 2"),
        ({"repeats": {"cycles": 1, "density": {"end": 2.0}}}, "need shares above 0, at most 1"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(schedule, message):
    with pytest.raises(ValidationError, match=message):
        recipe(schedule=schedule)


# Repeated runs --------------------------------------------------------------------------------------------------------


def test_each_cycle_prunes_rewinds_and_trains_again():
    method = recipe(schedule={"repeats": {"cycles": 3, "retrain_share": 0.75}})
    found = stretches(method, parse_format("87.5%"), 100)
    assert told(found) == [
        ("training", 0, 100, "1:1"),
        ("cycle 1", 100, 75, "50%"),
        ("cycle 2", 175, 75, "75%"),
        ("cycle 3", 250, 75, "87.5%"),
    ]
    assert [each.at_step for each in found] == [0, 25, 25, 25]
    assert [each.begins for each in found] == [False, True, True, True]
    assert [each.kind for each in found] == ["dense", "frame", "frame", "sparse"]


def test_several_retrainings_of_a_cycle_follow_each_other():
    method = recipe(schedule={"repeats": {"cycles": 2, "retrain_share": 0.1, "retrainings": 3}})
    found = stretches(method, parse_format("75%"), 100)
    assert [(each.first_step, each.steps, each.times) for each in found] == [(0, 100, 1), (100, 10, 3), (130, 10, 3)]


@pytest.mark.parametrize(
    ("density", "kept"),
    [
        ({"shape": "geometric"}, [0.5, 0.25, 0.125]),
        ({"shape": "linear"}, [0.70833, 0.41667, 0.125]),
        ({"shape": "constant"}, [0.125] * 3),
        ({"shape": "steps", "values": [0.9, 0.5, 0.125]}, [0.9, 0.5, 0.125]),
    ],
)
def test_what_each_cycle_keeps(density, kept):
    assert Repeats(cycles=3, density=Course(**density)).densities(0.125) == pytest.approx(kept, abs=1e-5)


# The rest -------------------------------------------------------------------------------------------------------------


def test_work_happens_at_the_end_of_each_period_within_its_shares():
    """Updates 100, 200, ..., 700 of 1000: 750 is the last step that may have one."""
    work = ExtraWork(work="sort", every_steps=100, until_share=0.75)
    assert [work.times(first, 250, 1000) for first in (0, 250, 500, 750)] == [2, 3, 2, 0]
    late = ExtraWork(work="sort", every_steps=100, from_share=0.5)
    assert late.times(0, 1000, 1000) == 5


@pytest.mark.parametrize("name", [each for each in names("recipes") if not follows_stretches(load_recipe(each).model)])
def test_what_training_knows_is_planned_as_it_trains(name):
    """Stretches of a recipe without phases of its own and repetitions are those of the clock of training."""
    method, pattern = load_recipe(name).model, parse_format("2:8")
    found = stretches(method, pattern, 1000)
    assert [(each.kind, each.first_step, each.steps) for each in found] == [
        (each.kind, each.first_step, each.steps) for each in phases(method, pattern, 1000)
    ]


def test_a_run_of_runs_is_trained_as_it_is_planned_each_retraining_by_itself():
    method = recipe(schedule={"repeats": {"cycles": 2, "retrain_share": 0.1, "retrainings": 2}})
    found = training_phases(stretches(method, parse_format("75%"), 100))
    assert [(each.name, each.kind, each.first_step, each.steps, each.stretch) for each in found] == [
        ("training", "dense", 0, 100, 0),
        ("cycle 1 retraining 1", "frame", 100, 10, 1),
        ("cycle 1 retraining 2", "frame", 110, 10, 1),
        ("cycle 2 retraining 1", "sparse", 120, 10, 2),
        ("cycle 2 retraining 2", "sparse", 130, 10, 2),
    ]


@pytest.mark.parametrize("name", names("recipes"))
@pytest.mark.parametrize("pattern", ["2:8", "80%"])
def test_every_shipped_recipe_is_planned_whole(name, pattern):
    method = load_recipe(name).model
    if pattern == "80%" and method.mask_search.method != "given":
        return
    found = stretches(method, parse_format(pattern), 1000)
    ends = [each.first_step + each.times * each.steps for each in found]
    assert [each.first_step for each in found] == [0, *ends[:-1]]
    assert method.schedule.repeats is not None or ends[-1] == 1000


def test_adapters_may_come_in_the_last_percent_of_the_steps():
    """SLoPe's: learning beside weights whose masks stay, and dense themselves."""
    file = Path(__file__).parents[4] / "examples" / "rewrites" / "slope.yaml"
    before, after = stretches(load_recipe(str(file)).model, parse_format("2:4"), 1000)
    assert told([before, after]) == [("sparse", 0, 990, "2:4"), ("adapters", 990, 10, "2:4")]
    assert (before.recipe.rewrites, [each.rank for each in after.recipe.rewrites]) == ((), [12])
    assert after.recipe.dense.names == ("*adapter*",)
    for each in (before, after):
        assert each.recipe.optimizer_state == "kept"
