"""The energy model by hand: which price each action has on a design, and what a list of actions costs."""

import numpy as np
import pytest
from bisparse.accel.energy import COMPONENT_OF, COMPONENTS, EnergyModel
from bisparse.accel.energy_table import EnergyTable, SramPoint, load_energy_table
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError

SAT = load_hardware("sat-vcu1525").model
KIB = 1024


def table(**fields):
    """Round prices; an SRAM bit costs a thousandth of its bank's KiB to read, twice that to write."""
    points = tuple(
        SramPoint(
            capacity_bytes=kib * KIB,
            read_pj_per_bit=kib / 1000,
            write_pj_per_bit=kib / 500,
            leakage_mw=float(kib),
        )
        for kib in (16, 64, 256)
    )
    return EnergyTable(
        **{
            "name": "round",
            "technology": "by hand",
            "node_nm": 10,
            "multiply_pj": {"fp16": 1.0, "fp8": 0.5},
            "accumulate_pj": {"fp32": 2.0},
            "register_pj_per_bit": 0.01,
            "link_hop_pj_per_bit": 0.02,
            "select_pj_per_bit": 0.001,
            "sram": points,
            "dram_pj_per_bit": {"ddr4": 20.0},
            "compare_pj": 0.1,
            "vector_op_pj": 3.0,
            "update_multiply_pj": 4.0,
            "update_accumulate_pj": 5.0,
            "pe_leakage_mw": 0.5,
            "static_watts": 7.0,
        }
        | fields
    )


def design(**capacities):
    """SAT with buffers of 4 banks and the given KiB."""
    sizes = {"west": 64, "north": 256, "output": 1024} | capacities
    buffers = {
        side: getattr(SAT.buffers, side).model_copy(update={"capacity_bytes": kib * KIB, "banks": 4})
        for side, kib in sizes.items()
    }
    return SAT.model_copy(update={"buffers": SAT.buffers.model_copy(update=buffers)})


def test_each_action_has_the_price_of_the_design_it_happens_on():
    prices = EnergyModel.of(design(), table()).prices_pj
    assert prices == pytest.approx(
        {
            "multiplies": 1.0,
            "accumulates": 2.0,
            "register_bits": 0.01,
            "link_bits": 0.02,
            # Of two words of FP16 one.
            "choices": 0.016,
            # Banks of 16, 64 and 256 KiB.
            "west_read_bits": 0.016,
            "west_write_bits": 0.032,
            "north_read_bits": 0.064,
            "north_write_bits": 0.128,
            "output_read_bits": 0.256,
            "output_write_bits": 0.512,
            "dram_bits": 20.0,
            "compares": 0.1,
            "update_multiplies": 4.0,
            "update_accumulates": 5.0,
            "vector_operations": 3.0,
        }
    )
    assert set(prices) == set(COMPONENT_OF)


def test_static_power_is_the_device_every_processing_element_and_every_bank():
    """7 W, 1024 x 0.5 mW, 4 x (16 + 64 + 256) mW."""
    assert EnergyModel.of(design(), table()).static_watts == pytest.approx(7 + 0.512 + 1.344)


def test_the_number_format_sets_the_price_of_a_multiplication():
    eight_bits = SAT.tensor_engine.model_copy(update={"precision": "fp8"})
    model = EnergyModel.of(design().model_copy(update={"tensor_engine": eight_bits}), table())
    assert (model.prices_pj["multiplies"], model.prices_pj["accumulates"]) == (0.5, 2.0)


def test_a_bank_outside_the_table_is_said_to_be():
    model = EnergyModel.of(design(west=16), table())
    (note,) = model.notes
    assert note.startswith("west buffer: a bank of 4096 bytes is outside table round")
    assert EnergyModel.of(design(), table()).notes == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"multiply_pj": {"int8": 1.0}}, "energy table round: multiply_pj: got 'fp16', need one of int8"),
        ({"accumulate_pj": {"fp16": 1.0}}, "energy table round: accumulate_pj: got 'fp32', need one of fp16"),
        ({"dram_pj_per_bit": {"hbm2": 1.0}}, "energy table round: dram_pj_per_bit: got 'ddr4', need one of hbm2"),
    ],
)
def test_a_table_without_the_designs_price_is_refused(fields, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        EnergyModel.of(design(), table(**fields))


def test_dynamic_energy_is_counts_times_prices():
    """10^9 multiplications at 1 pJ, 10^6 DRAM bits at 20 pJ: a millijoule and twenty microjoules."""
    model = EnergyModel.of(design(), table())
    assert model.dynamic_joules({"multiplies": 10**9, "dram_bits": 10**6}) == pytest.approx(1e-3 + 2e-5)


def test_candidates_are_priced_side_by_side():
    model = EnergyModel.of(design(), table())
    actions = {"multiplies": 10**6, "link_bits": np.array([[0], [50]]), "west_read_bits": np.array([0, 1000])}
    priced = model.dynamic_joules(actions)
    assert priced.shape == (2, 2)
    assert priced == pytest.approx(np.array([[1e-6, 1e-6 + 16e-12], [1e-6 + 1e-12, 1e-6 + 17e-12]]), rel=1e-12)


def test_components_add_up_to_the_whole():
    model = EnergyModel.of(design(), table())
    actions = {name: 1000 + number for number, name in enumerate(COMPONENT_OF)}
    parts = model.by_component(actions, seconds=1e-9)
    assert set(parts) == set(COMPONENTS)
    assert parts["static"] == pytest.approx(model.static_watts * 1e-9)
    both_ways = actions["west_read_bits"] * 0.016 + actions["west_write_bits"] * 0.032
    assert parts["west buffer"] == pytest.approx(both_ways * 1e-12)
    assert sum(parts.values()) == pytest.approx(model.dynamic_joules(actions) + parts["static"])


def test_multiplications_are_priced_in_the_format_that_the_multipliers_take():
    told = {"extends": "sat-vcu1525", "tensor_engine": {"precision": "fp32", "multiply_precision": "bf16"}}
    node = load_energy_table("45nm").model
    prices = EnergyModel.of(load_hardware(told).model, node).prices_pj
    assert prices["multiplies"] == node.multiply("bf16") < node.multiply("fp32")


def test_a_table_without_a_price_of_picking_says_what_it_leaves_out():
    silent = EnergyModel.of(design(), table(select_pj_per_bit=None))
    assert silent.prices_pj["choices"] == 0
    assert any("select_pj_per_bit" in note for note in silent.notes)
    dense = SAT.tensor_engine.model_copy(update={"patterns": ()})
    nothing_to_pick = design().model_copy(update={"tensor_engine": dense})
    assert not EnergyModel.of(nothing_to_pick, table(select_pj_per_bit=None)).notes


@pytest.mark.parametrize(
    ("engine", "picojoules"),
    [
        ({"precision": "int8"}, 0.1),
        ({"precision": "int8", "sum_precision": "fp32"}, 0.9),
        ({"precision": "int8", "multiply_precision": "fp16"}, 0.9),
        ({"precision": "fp8"}, 0.9),
        ({"precision": "bf16"}, 0.9),
    ],
)
def test_a_sum_is_priced_as_the_format_that_it_is_kept_in(engine, picojoules):
    told = load_hardware({"extends": "sat-vcu1525", "tensor_engine": engine}).model
    assert EnergyModel.of(told, load_energy_table("45nm").model).prices_pj["accumulates"] == picojoules


def test_products_that_are_no_integers_have_no_integer_sum():
    with pytest.raises(ConfigError, match="sum_precision: got int32, need fp32: products of fp16 are no integers"):
        load_hardware({"extends": "sat-vcu1525", "tensor_engine": {"sum_precision": "int32"}})
