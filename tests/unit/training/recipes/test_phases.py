"""The phases of a run under each schedule, the ratios of frames, the factor of a leak, and the clock of a run."""

from __future__ import annotations

import itertools
import math

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.formats import parse_format
from bisparse.configs.library import names
from bisparse.configs.pattern import Pattern
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.declared_rules import LayerRule
from bisparse.training.recipes.in_torch.step_clock import StepClock
from bisparse.training.recipes.mask_search import MaskSearch
from bisparse.training.recipes.phases import Phase, frame_patterns, leak_at, pattern_in, phases, recipe_in
from bisparse.training.recipes.pruned_stage import PrunedStage
from bisparse.training.recipes.schedule import Ramp, RecipeSchedule, VarianceSwitch
from pydantic import ValidationError


def recipe(**schedule) -> Recipe:
    return load_recipe("bdwp").model.model_copy(update={"schedule": RecipeSchedule(**schedule)})


def told(found):
    return [(phase.kind, phase.steps) for phase in found]


@pytest.mark.parametrize("name", names("recipes"))
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7, 10, 11, 99, 100, 1000])
@pytest.mark.parametrize("pattern", ["1:2", "2:8", "1:32", "8:8"])
def test_phases_follow_each_other_and_are_all_the_steps(name, steps, pattern):
    found = phases(load_recipe(name).model, Pattern.parse(pattern), steps)
    assert found[0].first_step == 0
    assert found[-1].end_step == steps
    assert all(each.steps >= 1 for each in found)
    assert all(now.end_step == then.first_step for now, then in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dense", [("dense", 100)]),
        ("bdwp", [("sparse", 100)]),
        ("step", [("dense", 50), ("sparse", 50)]),
        ("mdgf-linear", [("dense", 10), ("leak", 70), ("sparse", 20)]),
        ("mdgf-exponential", [("dense", 10), ("leak", 70), ("sparse", 20)]),
        # 7:8, 4:8, 2:8.
        ("sdgf-stepwise", [("dense", 10), ("frame", 23), ("frame", 23), ("frame", 24), ("sparse", 20)]),
        # 8:32, 4:16, 2:8.
        ("sdgf-geometric", [("dense", 10), ("frame", 23), ("frame", 23), ("frame", 24), ("sparse", 20)]),
    ],
)
def test_shipped_schedules_of_a_hundred_steps_at_2_8(name, expected):
    assert told(phases(load_recipe(name).model, Pattern(2, 8), 100)) == expected


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        ({"dense_share": 0.5}, 1, [("sparse", 1)]),
        ({"dense_share": 0.5}, 2, [("dense", 1), ("sparse", 1)]),
        ({"dense_share": 1.0}, 5, [("dense", 5)]),
        ({"final_share": 0.4}, 5, [("sparse", 5)]),
        ({"dense_share": 0.5, "final_share": 0.5, "leak": "linear"}, 10, [("dense", 5), ("sparse", 5)]),
        ({"dense_share": 0.5, "final_share": 0.5, "leak": "linear"}, 3, [("dense", 2), ("sparse", 1)]),
        ({"leak": "linear"}, 1, [("leak", 1)]),
        ({"leak": "exponential", "final_share": 1.0}, 3, [("sparse", 3)]),
        ({"frames": "stepwise"}, 1, [("frame", 1)]),
        ({"frames": "stepwise"}, 2, [("frame", 1), ("frame", 1)]),
        ({"switch": {"earliest_share": 0, "latest_share": 0}}, 4, [("dense", 1), ("sparse", 3)]),
        ({"switch": {"latest_share": 1}}, 4, [("dense", 4)]),
    ],
)
def test_phases_without_steps_are_left_out(schedule, steps, expected):
    assert told(phases(recipe(**schedule), Pattern(2, 8), steps)) == expected


def test_with_fewer_steps_than_frames_the_last_frames_remain():
    found = phases(recipe(frames="stepwise"), Pattern(1, 16), 2)
    assert [(phase.frames_left, str(pattern_in(recipe(frames="stepwise"), Pattern(1, 16), phase))) for phase in found] \
        == [(2, "4:16"), (0, "1:16")]  # fmt: skip


def test_a_known_switch_is_told():
    switched = recipe(switch=VarianceSwitch())
    assert told(phases(switched, Pattern(2, 8), 10, switch_step=3)) == [("dense", 3), ("sparse", 7)]
    assert told(phases(switched, Pattern(2, 8), 10, switch_step=10)) == [("dense", 10)]
    with pytest.raises(ConfigError, match="switch_step: got 11, need a step between 0 and 10"):
        phases(switched, Pattern(2, 8), 10, switch_step=11)
    with pytest.raises(ConfigError, match="steps: got 0, need at least 1"):
        phases(switched, Pattern(2, 8), 0)


@pytest.mark.parametrize(
    ("frames", "pattern", "expected"),
    [
        ("stepwise", "1:16", "15:16 8:16 4:16 2:16 1:16"),
        ("stepwise", "2:4", "3:4 2:4"),
        ("stepwise", "3:4", "3:4"),
        ("stepwise", "1:2", "1:2"),
        ("stepwise", "1:4", "3:4 2:4 1:4"),
        ("stepwise", "2:12", "11:12 6:12 3:12 2:12"),
        ("stepwise", "16:32", "31:32 16:32"),
        ("stepwise", "1:32", "31:32 16:32 8:32 4:32 2:32 1:32"),
        ("stepwise", "4:4", "4:4"),
        ("geometric", "1:2", "8:16 4:8 2:4 1:2"),
        ("geometric", "2:4", "16:32 8:16 4:8 2:4"),
        ("geometric", "2:8", "8:32 4:16 2:8"),
        ("geometric", "1:16", "2:32 1:16"),
        ("geometric", "1:32", "1:32"),
        ("geometric", "5:12", "10:24 5:12"),
        (None, "2:8", "2:8"),
    ],
)
def test_frames_pass_through_these_ratios(frames, pattern, expected):
    found = frame_patterns(recipe(frames=frames), Pattern.parse(pattern))
    assert " ".join(map(str, found)) == expected


def test_a_layer_with_fewer_frames_starts_with_its_first_when_the_run_has_as_many_left():
    stepwise = recipe(frames="stepwise")
    own = [str(pattern_in(stepwise, Pattern(2, 4), phase)) for phase in phases(stepwise, Pattern(1, 16), 10)]
    assert own == ["3:4", "3:4", "3:4", "3:4", "2:4"]


def test_a_leak_falls_from_one_and_masks_are_hard_after_it():
    for kind, at_half in (("linear", 0.5), ("exponential", math.exp(-2))):
        leaking = recipe(dense_share=0.2, final_share=0.4, leak=kind, leak_folds=4)
        run = phases(leaking, Pattern(2, 8), 20)
        factors = [leak_at(leaking, phase, step) for phase in run for step in range(phase.first_step, phase.end_step)]
        assert factors[:5] == [1.0] * 5
        assert factors[8] == pytest.approx(at_half)
        assert factors[12:] == [0.0] * 8
        assert all(now > then for now, then in itertools.pairwise(factors[4:13]))


def test_a_step_of_each_phase_is_simulated_as():
    rules = (LayerRule(names=("a",), sparsity="1:4"),)
    framed = recipe(dense_share=0.2, frames="stepwise").model_copy(update={"layers": rules})
    found = [recipe_in(framed, Pattern(2, 8), phase) for phase in phases(framed, Pattern(2, 8), 10)]
    assert found[0] is None
    assert [str(pattern) for _, pattern in found[1:]] == ["7:8", "4:8", "2:8"]
    assert [each.layers[0].sparsity for each, _ in found[1:]] == ["3:4", "2:4", "1:4"]
    assert all(each.schedule == RecipeSchedule() for each, _ in found[1:])
    leaking = recipe(leak="linear", final_share=0.5)
    assert [recipe_in(leaking, Pattern(2, 8), phase) is None for phase in phases(leaking, Pattern(2, 8), 4)] == [
        True, False,
    ]  # fmt: skip


# The clock -----------------------------------------------------------------------------------------------------------


def test_a_clock_knows_the_phase_of_its_step_and_stays_in_the_last():
    clock = StepClock(recipe(dense_share=0.25, frames="stepwise"), Pattern(2, 8), 8)
    kinds = []
    for clock.step in range(10):
        kinds.append((clock.phase.kind, clock.phase.frames_left))
    assert kinds == [("dense", 0)] * 2 + [("frame", 2)] * 2 + [("frame", 1)] * 2 + [("frame", 0)] * 4


def test_a_recipe_without_a_schedule_needs_no_steps_and_one_with_does():
    clock = StepClock(recipe(), Pattern(2, 8), None)
    clock.step = 10**6
    assert clock.phase.kind == "sparse"
    assert clock.leak == 0.0
    with pytest.raises(ConfigError, match="steps: got nothing, need the steps of the whole run: bdwp changes"):
        StepClock(recipe(leak="linear"), Pattern(2, 8), None)


def test_a_clock_waits_for_the_switch_and_its_state_tells_when_it_came():
    clock = StepClock(recipe(switch=VarianceSwitch()), Pattern(2, 8), 10)
    clock.step = 4
    assert (clock.waits_for_switch, clock.phase.kind, clock.leak) == (True, "dense", 1.0)
    clock.switch()
    assert (clock.waits_for_switch, clock.phase) == (False, Phase(kind="sparse", first_step=4, steps=6))
    fresh = StepClock(recipe(switch=VarianceSwitch()), Pattern(2, 8), 10)
    fresh.load_state_dict(clock.state_dict())
    assert (fresh.step, fresh.phase) == (4, clock.phase)


# The declaration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecipeSchedule(leak="linear", frames="stepwise"), "got leak and frames, need one of them"),
        (lambda: RecipeSchedule(switch=VarianceSwitch(), final_share=0.1), "need the switch alone to say when"),
        (
            lambda: RecipeSchedule(dense_share=0.6, final_share=0.6),
            "got dense_share + final_share of 1.2, need at most 1",
        ),
        (lambda: VarianceSwitch(earliest_share=0.6), "earliest_share: got 0.6, need at most latest_share"),
        (lambda: PrunedStage(operand="weight", rescale=True), "need operand gradient"),
        (lambda: PrunedStage(operand="weight", selection="random"), "need operand gradient"),
        (
            lambda: declared(schedule=RecipeSchedule(leak="linear")),
            "schedule: got a change over time, need a stage that is",
        ),
        (
            lambda: declared(forward=PrunedStage(operand="weight"), mask_search=MaskSearch(method="transposable")),
            "mask_search.method: got transposable, need weights pruned in forward and backward",
        ),
        (
            lambda: declared(
                forward=PrunedStage(operand="weight"),
                backward=PrunedStage(operand="weight"),
                mask_search=MaskSearch(method="transposable"),
                layers=(LayerRule(names=("a",), sparsity="1:4", stages=("FF",)),),
            ),
            "layers.0.stages: got FF, need FF and BP: they share a mask",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(make, message):
    with pytest.raises(ValidationError) as wrong:
        make()
    assert message in str(wrong.value)


def declared(**fields) -> Recipe:
    return Recipe(name="mine", title="Mine", source="here", **fields)


@pytest.mark.parametrize(
    ("shape", "zeros"), [("cubic", [46.25, 70.0, 78.75, 80.0]), ("linear", [20, 40, 60, 80]), ("cosine", None)]
)
def test_a_ramp_reaches_the_full_share_update_by_update(shape, zeros):
    ramp = Ramp(shape=shape, updates=4)
    found = [ramp.zeros_percent(80.0, update) for update in (1, 2, 3, 4)]
    if zeros is None:
        # Symmetric about the middle.
        assert found[1] == pytest.approx(40)
        assert found[0] + found[2] == pytest.approx(80)
        zeros = found
    assert found == pytest.approx(zeros)
    assert found == sorted(found)
    started = Ramp(shape=shape, updates=4, initial_percent=50)
    assert all(50 < started.zeros_percent(80.0, update) <= 80 for update in (1, 2, 3, 4))
    assert started.zeros_percent(30.0, 1) == pytest.approx(30), "a layer that keeps more never goes above its own"


def test_a_share_of_zeros_grows_in_frames_and_n_of_m_is_whole_at_once():
    recipe = load_recipe("gradual-magnitude").model
    found = phases(recipe, parse_format("90%"), 1000)
    assert [phase.kind for phase in found] == ["dense", *["frame"] * 10, "sparse"]
    assert [str(pattern_in(recipe, parse_format("90%"), phase)) for phase in found[1:3]] == ["24.39%", "43.92%"]
    assert str(pattern_in(recipe, parse_format("75% block 4x2"), found[5])).endswith("block 4x2")
    assert {str(pattern_in(recipe, Pattern(2, 8), phase)) for phase in phases(recipe, Pattern(2, 8), 1000)} == {"2:8"}


def test_a_ramp_goes_with_no_other_change():
    with pytest.raises(ValueError, match="got frames and ramp, need one of them"):
        RecipeSchedule(frames="stepwise", ramp=Ramp())
