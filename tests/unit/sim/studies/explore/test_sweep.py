"""A sweep file: what it may say, and how it is told what is wrong."""

import copy
import textwrap

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import names
from bisparse.sim.studies.explore.axis_values import FREE, Listed, Ranged, form_of, free_value
from bisparse.sim.studies.explore.fields import HARDWARE, all_names, target_of
from bisparse.sim.studies.explore.loading import load_space, load_sweep, space_of_data, sweep_of_data

SMALL = {
    "base": {"hardware": "sat-vcu1525", "workload": "resnet9-cifar10", "recipe": "bdwp", "sparsity": "2:8"},
    "axes": {"hardware.tensor_engine.rows": [16, 32]},
    "objectives": [{"minimise": "step_seconds"}],
}


def sweep(**changes):
    data = copy.deepcopy(SMALL)
    for name, value in changes.items():
        data[name] = data[name] | value if isinstance(data.get(name), dict) and isinstance(value, dict) else value
    return data


def refusal(**changes):
    with pytest.raises(ConfigError) as caught:
        space_of_data(sweep(**changes))
    return str(caught.value)


def values(entry, name="hardware.tensor_engine.rows"):
    axes = space_of_data({**SMALL, "axes": {"hardware.clock_hz": [2e8], name: entry}, "constraints": [f"{name} > 0"]})
    return next(axis.values for axis in axes.axes if axis.name == name)


# Values --------------------------------------------------------------------------------------------------------------


def test_a_list_is_taken_in_the_unit_of_its_field():
    assert values([16, 32]) == (16, 32)
    assert values(["100 MHz", 2e8], "hardware.clock_hz") == (100e6, 200e6)
    assert values(["512 KiB", "1 MiB"], "hardware.buffers.west.capacity_bytes") == (2**19, 2**20)


def test_a_range_has_both_ends():
    assert values({"from": 8, "to": 32, "step": 8}) == (8, 16, 24, 32)
    assert values({"from": 16, "to": 64, "factor": 2}) == (16, 32, 64)
    clocks = values({"from": "100 MHz", "to": "400 MHz", "points": 3, "scale": "log"}, "hardware.clock_hz")
    assert clocks == (100e6, 200e6, 400e6)
    assert values({"from": "100 MHz", "to": "400 MHz", "points": 4}, "hardware.clock_hz") == (1e8, 2e8, 3e8, 4e8)


def test_tenths_meet_their_end():
    assert values({"from": 0.1, "to": 1, "step": 0.1}, "share")[-2:] == (0.9, 1)
    assert len(values({"from": 0.1, "to": 1, "step": 0.1}, "share")) == 10


def test_integers_stay_integers():
    for entry in ({"from": 10, "to": 100, "points": 5, "scale": "log"}, {"from": 10, "to": 25, "points": 4}):
        found = values(entry)
        assert all(type(value) is int for value in found)
        assert found[0] == 10
        assert len(set(found)) == len(found)


def test_a_free_variable_may_have_a_unit_or_be_a_word():
    assert [free_value(each) for each in ("2 MiB", "100 MHz", "19.2 GB/s", "200 ns", "small", 3, True)] == [
        2**21,
        100e6,
        19.2e9,
        200e-9,
        "small",
        3,
        True,
    ]


def test_a_list_field_takes_lists_and_texts():
    space = space_of_data(sweep(axes={"options.dataflows": ["os", ["os", "ws"]]}))
    assert space.axes[-1].values == ("os", "os, ws")
    designs = [space.point(settings) for settings in space.choices()]
    assert {design.options.dataflows for design in designs} == {("os",), ("os", "ws")}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"from": 8, "to": 30, "step": 8}, "to: got 30, need from plus whole steps of 8; try 24"),
        ({"from": 8, "to": 30, "factor": 2}, "to: got 30, need from times 2s; try 16"),
        ({"from": 8, "to": 16}, "got a range without any, need one of step, factor, points"),
        ({"from": 8, "to": 16, "step": 8, "points": 2}, "got step and points, need one of step, factor, points"),
        ({"from": 8, "to": 16, "step": 8, "scale": "log"}, "scale: got log without points"),
        ({"from": 16, "to": 8, "step": 8}, "to: got 8, need more than from (16)"),
        ({"from": 8, "to": 16, "factor": 1}, "factor: got 1, need a number > 1"),
        ({"from": "8 MHz", "to": 16, "step": 8}, "from: got '8 MHz', need an integer"),
        ([16, "32"], "hardware.tensor_engine.rows.1: got '32', need an integer; try 32 without quotes"),
        ([16, 0], "hardware.tensor_engine.rows.1: got 0, need a number > 0"),
        ([16, 16], "got 16 twice, need each value once"),
        ([], "got a list of 0, need at least 1"),
        (16, "got 16, need a list or a range; try [16]"),
        ({"values": [16], "wen": "true"}, "wen: got wen, need a known field; try when"),
    ],
)
def test_values_that_are_wrong_are_told(entry, message):
    assert message in refusal(axes={"hardware.tensor_engine.rows": entry})


def test_a_range_of_names_is_refused():
    assert "need values one by one" in refusal(axes={"recipe": {"from": "bdwp", "to": "sdgp", "step": 1}})


def test_a_range_has_its_most_values():
    assert "more than 10000 values" in refusal(axes={"x": {"from": 0, "to": 1e9, "step": 1}}, constraints=["x > 0"])


def test_forms_are_told_apart():
    assert issubclass(form_of({"values": [1]}, FREE, number=True), Listed)
    assert issubclass(form_of({"from": 1, "to": 2, "step": 1}, FREE, number=True), Ranged)


# Names ---------------------------------------------------------------------------------------------------------------


def test_every_field_of_the_hardware_can_be_an_axis():
    for name in all_names():
        if name.startswith(HARDWARE):
            assert target_of(name).name == name
    assert target_of("hardware.vector_engine.operations.add.cycles_per_element").number


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hardware.tensor_engine.row", "need a field of the hardware; try hardware.tensor_engine.rows"),
        ("hardware.buffers.west", "which holds other fields, need one of them; try hardware.buffers.west.cap"),
        ("hardware.name", "need a field that changes the design"),
        ("hardware.dram.timing.clock_hz", "need a field that the base has"),
        ("hardware.vector_engine.operations.ad.passes", "need a field that the base has"),
        ("options.batch", "try batch"),
        ("tensor_engine.rows", "try hardware.tensor_engine.rows"),
        ("step_seconds", "which is a figure, need another name"),
        ("MiB", "known to every expression"),
        ("lanes", "which no point uses"),
    ],
)
def test_names_that_mean_nothing_are_told(name, message):
    assert message in refusal(axes={name: [1, 2]})


def test_scenarios_are_not_designs():
    assert "need what one design can be judged over" in refusal(scenarios={"hardware.clock_hz": [1e8]})
    assert "every design is judged over all" in refusal(scenarios={"batch": {"values": [1], "when": "true"}})
    assert "depends on scenario workload" in refusal(
        scenarios={"workload": ["vit-cifar10"]}, derived={"hardware.update_engine.lanes": "batch"}
    )
    assert "depends on scenario sparsity" in refusal(
        scenarios={"sparsity": ["2:4"]}, constraints=["sparsity.kept * hardware.tensor_engine.rows < 99"]
    )


def test_derived_names_need_an_order_and_one_meaning():
    assert "got a circle" in refusal(derived={"a": "b", "b": "a", "hardware.update_engine.lanes": "a"})
    assert "is an axis as well" in refusal(derived={"hardware.tensor_engine.rows": "4"})
    assert "which is a file" in refusal(derived={"recipe": "'bdwp'"})
    assert "got the figure pe_count" in refusal(derived={"hardware.update_engine.lanes": "pe_count"})
    conditional = {"hardware.tensor_engine.rows": {"values": [16, 32], "when": "hardware.tensor_engine.cols > a"}}
    assert "got a circle" in refusal(axes=conditional, derived={"a": "hardware.tensor_engine.rows"})


def test_a_base_is_complete_or_an_axis_completes_it():
    assert "base.recipe: got nothing, need a name or a path, or an axis recipe" in refusal(base={"recipe": None})
    space = space_of_data(sweep(base={"recipe": None}, axes={"recipe": ["bdwp", "sdgp"]}))
    assert space.base_point({}).recipe.model.name == "bdwp"


# The whole -----------------------------------------------------------------------------------------------------------


def test_every_fault_is_told_at_once_with_its_line(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(
        textwrap.dedent("""\
        name: wrong
        base: {hardware: sat-vcu1525, workload: resnet9-cifar11, recipe: bdwp, sparsity: 2:8}
        axes:
          hardware.tensor_engine.row: [16, 32]
          hardware.tensor_engine.cols:
            - 16
            - sixteen
        constraints:
          - "step_secondz < 1"
        objectives:
          - {minimise: energy}
          - {maximise: accuracy}
        strategy: {name: sobl, points: 4}
        """)
    )
    with pytest.raises(ConfigError) as caught:
        load_sweep(file)
    lines = str(caught.value).replace(f"{file}:", "").split("\n")
    starts = ["2: base.workload", "4: axes.hardware.tensor_engine.row", "7: axes.hardware.tensor_engine.cols.1"]
    starts += ["9: constraints.0", "11: objectives.0.minimise", "12: objectives.1.maximise", "13: strategy.name"]
    assert [line.partition(": got ")[0] for line in lines] == starts
    for near in ("try resnet9-cifar10", "try hardware.tensor_engine.rows", "try step_seconds", "try sobol"):
        assert near in str(caught.value)


def test_plain_data_may_hold_what_python_has(tmp_path):
    loaded = sweep_of_data(sweep(axes={"hardware.tensor_engine.rows": np.array([16, 32]), "batch": range(1, 3)}))
    assert loaded.model.axes == {"hardware.tensor_engine.rows": [16, 32], "batch": [1, 2]}
    with pytest.raises(ConfigError, match="sweep: got list, need a mapping"):
        sweep_of_data([1])


def test_text_fields_name_what_there_is():
    assert "energy_table: got '17nm'" in refusal(axes={"hardware.energy_table": ["16nm-fpga", "17nm"]})
    assert "dram.technology: got 'ddr5'" in refusal(axes={"hardware.dram.technology": ["ddr4", "ddr5"]})


def test_what_fails_at_every_point_is_a_fault_of_the_sweep():
    assert "got no point that can be made" in refusal(derived={"hardware.update_engine.lanes": "1 / 3"})
    assert "constraints.0: got values" in refusal(constraints=["workload < 3"])
    assert "need true or false" in refusal(constraints=["step_seconds"])
    never = {"values": [2, 3], "when": "hardware.tensor_engine.rows > 99"}
    assert "got a condition that no point meets" in refusal(axes={"hardware.buffers.tiles_held": never})


@pytest.mark.parametrize(("name", "least", "most"), [("sat-quick", 150, 250), ("sat-shape", 3000, 9000),
                                                     ("sat-nm", 400, 2000)])  # fmt: skip
def test_shipped_sweeps_hold_the_base_design(name, least, most):
    space = load_space(name)
    assert name in names("sweeps")
    assert least <= space.size <= most
    base = space.base_point(space.scenarios()[0]).hardware.sha256
    assert any(space.hardware(settings).sha256 == base for settings in space.choices())
