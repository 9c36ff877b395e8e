"""Strategies: a contract that each of them keeps, and what each is for."""

import warnings

import pytest
from bisparse.sim.studies.explore.loading import space_of_data
from bisparse.sim.studies.explore.strategies import Judged, strategy

ROWS, COLS, LANES = "hardware.tensor_engine.rows", "hardware.tensor_engine.cols", "hardware.reduction_engine.lanes"
AXES = {
    ROWS: {"from": 8, "to": 128, "factor": 2},
    COLS: {"from": 8, "to": 128, "factor": 2},
    "recipe": ["dense", "bdwp", "sdgp"],
    LANES: {"values": [8, 16, 32, 64], "when": "recipe != 'dense'"},
}
ALL = (
    {"name": "exhaustive"},
    {"name": "sobol", "points": 40, "seed": 3},
    {"name": "nsga2", "evaluations": 60, "population": 12, "seed": 3},
    {"name": "tpe", "evaluations": 40, "batch": 8, "seed": 3},
)
NAMES = [each["name"] for each in ALL]


def space(chosen, **rest):
    data = {
        "base": {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8"},
        "axes": AXES,
        "constraints": [f"{ROWS} * {COLS} <= 4096"],
        "objectives": [{"minimise": "step_seconds"}, {"maximise": "samples_per_joule"}],
        "strategy": chosen,
    }
    return space_of_data(data | rest)


def invented(settings):
    """Time falls with the array, work for a joule rises where it is nearly square; very tall ones are infeasible."""
    rows, cols, lanes = settings[ROWS], settings[COLS], settings.get(LANES, 1)
    if rows >= 16 * cols:
        return None
    gain = {"dense": 1.0, "bdwp": 0.5, "sdgp": 0.75}[settings["recipe"]]
    return gain * 1e4 / (rows * cols) + 1 / lanes, 1 / (gain * (abs(rows - cols) + 8) + lanes / 100)


def explore(found, answer=invented, stop=10**9):
    asking, batches = strategy(found), []
    try:
        batch = next(asking)
        while len(batches) < stop:
            batches.append(batch)
            batch = asking.send([Judged(settings=each, objectives=answer(each)) for each in reversed(batch)])
    except StopIteration:
        pass
    return batches


def told(batches):
    return [tuple(settings.items()) for batch in batches for settings in batch]


@pytest.mark.parametrize("chosen", ALL, ids=NAMES)
def test_no_design_is_asked_for_twice_and_all_are_designs_of_the_space(chosen):
    found = space(chosen)
    asked = told(explore(found))
    everything = {tuple(settings.items()) for settings in found.choices()}
    assert len(set(asked)) == len(asked)
    assert set(asked) <= everything
    assert len(asked) == chosen.get("points", chosen.get("evaluations", found.designs))


@pytest.mark.parametrize("chosen", ALL[1:], ids=NAMES[1:])
def test_designs_that_fail_a_known_constraint_are_not_asked_for_but_by_enumeration(chosen):
    assert all(dict(each)[ROWS] * dict(each)[COLS] <= 4096 for each in told(explore(space(chosen))))


@pytest.mark.parametrize("chosen", ALL, ids=NAMES)
def test_the_same_answers_give_the_same_questions(chosen):
    assert explore(space(chosen)) == explore(space(chosen))


@pytest.mark.parametrize("chosen", ALL[1:], ids=NAMES[1:])
def test_another_seed_asks_for_other_designs(chosen):
    assert set(told(explore(space(chosen)))) != set(told(explore(space(chosen | {"seed": 4}))))


@pytest.mark.parametrize("chosen", ALL, ids=NAMES)
def test_a_space_smaller_than_asked_for_is_exhausted(chosen):
    many = {name: 500 for name in ("points", "evaluations") if name in chosen}
    found = space(chosen | many, axes={ROWS: [16, 32], COLS: [16, 32, 64, 128]}, constraints=[f"{ROWS} <= {COLS}"])
    asked = told(explore(found, lambda settings: (settings[ROWS], settings[COLS])))
    assert len([each for each in asked if not found.violated(dict(each), None)]) == 7


@pytest.mark.parametrize("chosen", ALL, ids=NAMES)
def test_a_space_without_a_feasible_design_comes_to_an_end(chosen):
    assert len(told(explore(space(chosen), lambda settings: None))) == len(told(explore(space(chosen))))


@pytest.mark.parametrize("chosen", ALL, ids=NAMES)
def test_nothing_is_said_on_the_way(chosen, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explore(space(chosen), stop=3)
    assert capsys.readouterr() == ("", "")


def test_a_sobol_sequence_spreads_over_every_axis():
    asked = [dict(each) for each in told(explore(space(ALL[1])))]
    assert {each[ROWS] for each in asked} == {8, 16, 32, 64, 128}
    assert {each["recipe"] for each in asked} == {"dense", "bdwp", "sdgp"}


@pytest.mark.parametrize("chosen", ALL[2:], ids=NAMES[2:])
def test_a_search_finds_more_of_the_front_than_chance(chosen):
    found = space(chosen)
    values = {key: invented(dict(key)) for key in told([list(found.choices())]) if not found.violated(dict(key), None)}
    feasible = {key: value for key, value in values.items() if value is not None}
    front = {
        key
        for key, (time, work) in feasible.items()
        if not any(a <= time and b >= work and (a, b) != (time, work) for a, b in feasible.values())
    }
    asked = told(explore(found))
    assert len(front & set(asked)) / len(front) > 1.3 * len(asked) / len(values)


def test_optuna_keeps_the_voice_that_its_user_gave_it():
    import optuna

    before = optuna.logging.get_verbosity()
    explore(space(ALL[3]), stop=2)
    assert optuna.logging.get_verbosity() == before
