"""The resource model beside what Yosys counted: registers and memories exact, LUTs within 10% where held back."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from bisparse.accel.resources.components import components
from bisparse.accel.resources.edges import column_drain, row_sequencer
from bisparse.accel.resources.memories import Memory
from bisparse.accel.resources.operators import load_operators
from bisparse.accel.resources.processing_element import ElementShape, element
from bisparse.accel.specification import load_hardware

ROOT = Path(__file__).parents[4]
TABLE = ROOT / "docs" / "rtl-synthesis.csv"
HELD_BACK_WITHIN = 0.10

spec = importlib.util.spec_from_file_location("resource_fit", ROOT / "examples" / "resource_fit.py")
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)

MODULES = list(example.WEIGHTS)


def rows(module):
    return example.rows_of(TABLE, module)


@pytest.mark.parametrize("module", MODULES)
def test_registers_are_exact(module):
    for row in rows(module):
        assert example.model(row)[1] == int(row["flip_flops"]), row


def test_distributed_memories_of_a_pe_are_exact():
    without = example.processing_element.LUTS_PER_FEATURE
    for row in rows("processing_element"):
        logic = sum(np.multiply(without, example.features_of(row)))
        assert example.model(row)[0] - logic == pytest.approx(int(row["memory_luts"])), row


def test_a_pe_takes_one_dsp_and_a_sorter_none():
    assert {row["dsps"] for row in rows("processing_element")} == {"1"}
    assert {row["dsps"] for row in rows("sorter")} == {"0"}


@pytest.mark.parametrize("module", MODULES)
def test_the_weights_are_those_of_the_fit(module):
    assert example.WEIGHTS[module] == pytest.approx(example.fitted(rows(module)), abs=6e-4)


@pytest.mark.parametrize("module", MODULES)
def test_rows_that_were_held_back_are_predicted(module):
    found = rows(module)
    for left_out, row in enumerate(found):
        weights = example.fitted([*found[:left_out], *found[left_out + 1 :]])
        assert example.predicted(row, weights) == pytest.approx(int(row["luts"]), rel=HELD_BACK_WITHIN), row


@pytest.mark.parametrize("module", MODULES)
def test_a_third_of_the_table_is_predicted_from_the_rest(module):
    found = rows(module)
    weights = example.fitted([row for number, row in enumerate(found) if number % 3])
    for row in found[::3]:
        assert example.predicted(row, weights) == pytest.approx(int(row["luts"]), rel=HELD_BACK_WITHIN), row


def test_sequencers_and_drains_lie_on_their_lines():
    for row in rows("moving_sequencer"):
        found = row_sequencer(ElementShape(group=1, data_bits=16, depth=int(row["depth"])))
        assert found.flip_flops == int(row["flip_flops"])
        assert found.luts == pytest.approx(int(row["luts"]), rel=0.03)
    for row in rows("drain_column"):
        found = column_drain(int(row["group"]), ElementShape(group=1, data_bits=16, depth=int(row["depth"])))
        assert found.flip_flops == int(row["flip_flops"])
        assert found.luts == pytest.approx(int(row["luts"]), rel=0.03)


def whole(**given):
    shape = ElementShape(**{"group": 8, "data_bits": 16, "depth": 8, **given})
    found = element(shape).values()
    return sum(each.luts for each in found), sum(each.flip_flops for each in found)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"group": 4}, {"group": 8}),
        ({"depth": 4}, {"depth": 8}),
        ({"data_bits": 8}, {"data_bits": 16}),
        ({"shadowed": False}, {}),
        ({"shifted_drain": False}, {}),
        ({"words_stay": False}, {}),
        ({"sums_stay": False}, {}),
        ({}, {"vectors_both_ways": True}),
        ({}, {"adder_stages": 4}),
    ],
)
def test_what_a_pe_does_without_it_does_not_pay_for(less, more):
    fewer, rest = whole(**less), whole(**more)
    assert fewer[1] < rest[1]
    assert fewer[0] <= rest[0]


def test_memories_take_the_shape_that_fits_best():
    assert Memory(banks=1, width_bits=72, words=512).bram36_a_bank == 1
    assert Memory(banks=1, width_bits=8, words=4096).bram36_a_bank == 1
    assert Memory(banks=1, width_bits=64, words=8192).bram36_a_bank == 16
    assert Memory(banks=1, width_bits=64, words=8192).urams_a_bank == 2
    assert Memory(banks=1, width_bits=73, words=1).urams_a_bank == 2


def test_several_arrays_take_as_much_each():
    one = load_hardware("datacenter-128x128").model
    two = one.model_copy(update={"tensor_engine": one.tensor_engine.model_copy(update={"units": 2})})
    operators = load_operators("dsp48e2")
    taken = [{each.name: each.whole.value for each in components(design, operators)} for design in (one, two)]
    twice = {name for name in taken[0] if taken[1][name] == taken[0][name].times(2)}
    same = {name for name in taken[0] if taken[1][name] == taken[0][name]}
    assert {
        "PE multipliers",
        "PE results",
        "row sequencers",
        "column drains",
        "skew",
        "adders of partial sums",
    } <= twice
    assert same >= {"west buffer", "update engine", "vector engine"}
    assert twice | same == set(taken[0])
