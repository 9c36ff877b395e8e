"""Every option that is declared is on every face that is derived from it: one field is all that adding one takes."""

from dataclasses import replace

import pytest
import typer
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.option import options_of
from bisparse.configs.option_kinds import Measured, NamePatterns, OneOf, SomeOf, Switch, WholeNumber
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import DECLARED, SAVED, SWEPT, Options
from bisparse.sim.schedule_file import ScheduleFile
from bisparse.sim.simulation import Workload
from bisparse.sim.studies.explore import evaluation
from bisparse.sim.studies.explore.fields import OPTIONS, target_of
from bisparse.sim.studies.explore.one_by_one import simulate_point
from bisparse.sim.studies.explore.point import Point
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.settings import TrainingSettings

import bisparse
from bisparse.api import load_workload
from bisparse.command_line import app

from ..unit.dataflow.hand_made import MLP

COMMANDS = typer.main.get_command(app).commands
ON_A_COMMAND_LINE = {name: declared for name, declared in DECLARED.items() if declared.help}
PLAIN = [name for name, declared in DECLARED.items() if not isinstance(declared.kind, Measured)]
SETTINGS = options_of(TrainingSettings)


def parameter(command, name):
    (found,) = (each for each in COMMANDS[command].params if each.name == name)
    return found


def other_value(declared):
    """A value that is not the default."""
    match declared.kind:
        case Switch():
            return not declared.default
        case WholeNumber(at_least):
            return at_least + 6
        case NamePatterns():
            return "one"
        case SomeOf():
            return declared.kind.names[:1]
        case OneOf():
            return next(name for name in declared.kind.names if name != declared.default)
    raise AssertionError(declared)


NEEDS = {"timeline": {"engine": "event"}, "kv_length": {"pass_": "decode"}}
"""What goes with an option that is nothing by itself."""


def test_options_without_a_flag_are_those_that_another_face_sets():
    """Dataflows are an axis of sweeps; a timeline is kept where a report shows it."""
    assert DECLARED.keys() - ON_A_COMMAND_LINE.keys() == {"dataflows", "timeline"}


@pytest.mark.parametrize("command", ["simulate", "compare"])
@pytest.mark.parametrize("name", ON_A_COMMAND_LINE)
def test_it_is_on_the_command_line_with_its_help(command, name):
    declared, found = DECLARED[name], parameter(command, name)
    assert found.opts == [declared.flag]
    assert found.help.startswith(declared.help)
    assert declared.usual in found.help
    if isinstance(declared.kind, Switch):
        assert found.secondary_opts == [declared.off_flag]


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_checked_and_named_where_it_is_wrong(name):
    value = other_value(DECLARED[name])
    assert getattr(Options(**{name: value, **NEEDS.get(name, {})}), name) == value
    # What takes any text takes no number.
    wrong = 7.5 if isinstance(DECLARED[name].kind, NamePatterns) else "wrong"
    with pytest.raises(ConfigError, match=f"^{name}: got {wrong!r}, need "):
        Options(**{name: wrong})


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_schedule_says_it(name):
    required = ScheduleFile.model_fields[name].is_required()
    assert required == (SAVED[name].unsaid is None)


@pytest.mark.parametrize("name", DECLARED)
def test_a_sweep_may_set_it_if_it_is_an_axis(name):
    if name in SWEPT:
        assert target_of(f"{OPTIONS}{name}").of_one is not None
    else:
        with pytest.raises(ConfigError, match=f"got options.{name}, need one of options."):
            target_of(f"{OPTIONS}{name}")


@pytest.mark.parametrize(
    "name", [name for name, each in ON_A_COMMAND_LINE.items() if not isinstance(each.kind, Measured)]
)
def test_the_words_that_ask_for_it_are_read_back(name):
    asked = replace(Options(), **{name: other_value(DECLARED[name])}, **NEEDS.get(name, {}))
    context = COMMANDS["simulate"].make_context("simulate", ["resnet9-cifar10", *asked.words()])
    said = {each: context.params[each] for each in ON_A_COMMAND_LINE if context.params[each] is not None}
    assert Options(**said) == asked


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_setting_is_on_the_command_lines_that_train(name):
    assert parameter("train", name).opts == [SETTINGS[name].flag]
    # A study has lists of the first two, and counts its seeds itself.
    if name not in ("recipe", "sparsity", "seed"):
        assert parameter("codesign", name).help == parameter("train", name).help


@pytest.mark.parametrize(
    ("call", "given", "message"),
    [
        (bisparse.simulate, {"bacth": 8}, "bacth: got bacth, need a known option; try batch"),
        (bisparse.simulate, {"hardwear": "x"}, "hardwear: got hardwear, need a known option; try hardware"),
        (bisparse.compare, {"recipe": "bdwp"}, "recipe: got recipe, need a known option; try recipes"),
        (bisparse.ablate, {"optimiser": "sgd"}, "optimiser: got optimiser, need a known option; try optimizer"),
        (bisparse.simulate, {"xyz": 1}, f"xyz: got xyz, need one of {', '.join(DECLARED)}"),
    ],
)
def test_a_misspelt_keyword_is_answered_by_the_nearest(call, given, message):
    with pytest.raises(ConfigError) as wrong:
        call("resnet9-cifar10", **given)
    assert str(wrong.value) == message


@pytest.mark.parametrize("call", [bisparse.train, bisparse.codesign])
def test_so_is_a_misspelt_training_setting(call, tmp_path):
    with pytest.raises(ConfigError, match=r"^epoch: got epoch, need a known option; try epochs$"):
        call("mlp", "digits", out=tmp_path, epoch=1)


def point(name):
    """A small point of a space, with one option as it is not by default."""
    return Point(
        hardware=load_hardware("sat-vcu1525"),
        workload=Workload(graph=MLP, sha256="two layers"),
        recipe=load_recipe("bdwp"),
        pattern=Pattern(2, 8),
        options=Options(**{"batch": 14, name: other_value(DECLARED[name]), **NEEDS.get(name, {})}),
    )


@pytest.mark.parametrize("name", SWEPT)
def test_it_counts_alike_for_one_point_and_for_many(name, monkeypatch):
    """No option that a sweep may set is passed over where points are evaluated side by side."""
    monkeypatch.setattr(evaluation, "_FEWEST", 1)
    (other,) = evaluation.evaluate([point(name)], "test")
    # Two linear layers decode no text, and have no module to be named: both say so.
    assert (other.figures is None) == (name in ("kv_length", "freeze", "recompute"))
    assert other == simulate_point(point(name), "test")


@pytest.mark.parametrize(
    ("workload", "asked"),
    [
        ("resnet9-cifar10", {"freeze": "0,1"}),
        ("resnet9-cifar10", {"recompute": "blocks", "accumulate": 2}),
        ("gpt2-small", {"pass_": "decode", "kv_length": 64}),
    ],
)
def test_passes_of_a_network_count_alike_for_one_point_and_for_many(workload, asked, monkeypatch):
    monkeypatch.setattr(evaluation, "_FEWEST", 1)
    of_network = replace(point("objective"), workload=load_workload(workload), options=Options(batch=2, **asked))
    (other,) = evaluation.evaluate([of_network], "test")
    assert other.figures is not None
    assert other == simulate_point(of_network, "test")
