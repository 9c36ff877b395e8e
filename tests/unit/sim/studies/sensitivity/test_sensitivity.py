"""The range of an answer: what may vary, how it is varied, and that each figure is that of a simulation."""

import re
from dataclasses import replace

import pytest
from bisparse.accel.energy_table import energy_table_of
from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.configs import library
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.reports import sensitivity_text
from bisparse.sim.options import Options
from bisparse.sim.results.simulation_result import SimulationResult
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.sensitivity.assumptions import Assumption, Uncertain
from bisparse.sim.studies.sensitivity.run_sensitivity import drawn_values, with_range
from bisparse.training.recipes.declaration import load_recipe

from bisparse.api import load_workload

BDWP, PATTERN = load_recipe("bdwp"), Pattern(2, 8)


def uncertain(**fields):
    hardware = load_hardware({"extends": "sat-vcu1525", **fields})
    return Uncertain(hardware=hardware, table=energy_table_of(hardware))


def ranged(value, *ends, **more):
    return {"value": value, "status": "assumed", "source": "a test", "range": list(ends), **more}


def simulator(design, **options):
    said = Options(batch=2, **options)
    return Simulator(workload=load_workload("resnet9-cifar10"), hardware=design, options=said, version="test")


def test_a_share_of_a_range():
    lanes = Assumption(name="x", value=32, choices=(8, 128), status="assumed", source="")
    found = [lanes.at(share / 100) for share in range(100)]
    assert found == sorted(found)
    assert found[0] == 8
    assert found[50] == 32, "of numbers above zero the middle is that of their logarithms"
    assert found[-1] <= 128
    bytes_lost = replace(lanes, value=64, choices=(0, 128))
    assert bytes_lost.at(0.5) == 64, "of others it is that of the numbers"
    assert {replace(lanes, value="a", choices=("a", "b")).at(share / 10) for share in range(10)} == {"a", "b"}


def test_values_are_in_the_unit_of_their_field():
    found = {each.name: each for each in uncertain(clock_hz=ranged("200 MHz", "150 MHz", "0.3 GHz")).assumptions}
    assert found["hardware.clock_hz"].choices == (150e6, 300e6)
    assert found["hardware.clock_hz"].ends == (150e6, 300e6)
    assert found["hardware.policy.overlap_vector"].ends == (True,)
    assert "energy.static_watts" in found


def test_what_scales_with_a_value_moves_with_it():
    hardware, _ = uncertain().varied({"hardware.tensor_engine.rows": 64, "hardware.vector_engine.lanes": 16})
    assert (hardware.model.tensor_engine.rows, hardware.model.vector_engine.lanes) == (64, 16)
    assert hardware.model.buffers.west.port_bytes_per_cycle == 512
    both = {"hardware.tensor_engine.rows": 16, "hardware.buffers.west.port_bytes_per_cycle": 512}
    assert uncertain().varied(both)[0].model.buffers.west.port_bytes_per_cycle == 256, "and in proportion to its own"
    _, prices = uncertain().varied({"energy.multiply_pj.fp16": 2.6727 / 2})
    assert prices.model.multiply("fp32") == pytest.approx(8.9899 / 2)
    assert prices.model.dram("ddr4") == 20


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clock_hz": ranged("200 MHz", "300 MHz", "400 MHz")}, "clock_hz: range: got"),
        ({"clock_hz": ranged("200 MHz", "1 s", "400 MHz")}, "clock_hz: range: got '1 s'"),
        ({"tensor_engine": {"drain": ranged("shift", "wire", "latch")}}, "tensor_engine.drain: range: got 'latch'"),
        ({"tensor_engine": {"drain": ranged("shift", "wire", "wire")}}, "tensor_engine.drain: range: got"),
        ({"tensor_engine": {"rows": ranged(32, 16, 64, scales=["buffers.west"])}}, "got scales buffers.west, need"),
    ],
)
def test_a_range_that_is_none_is_a_line(fields, message):
    with pytest.raises(ConfigError) as error:
        assert uncertain(**fields).assumptions
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def answered():
    asked = simulator(load_hardware("sat-vcu1525"))
    return with_range(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN, draws=8)


def test_each_end_is_what_a_simulation_of_it_gives(answered):
    swings = {swing.parameter: swing for swing in answered.range.swings}
    for name in ("vector_engine.lanes", "dram.channels", "policy.overlap_vector"):
        swing = swings[f"hardware.{name}"]
        for value, speedup, ratio in zip(swing.values, swing.speedups, swing.energy_ratios, strict=True):
            text = str(value).lower()
            design = set_fields(load_hardware("sat-vcu1525"), [f"{name}={text}"])
            alone = simulator(design).run(BDWP, PATTERN)
            assert (speedup, ratio) == (alone.speedup_vs_dense, alone.energy_ratio_vs_dense)


def test_prices_move_both_steps_alike(answered):
    (swing,) = (each for each in answered.range.swings if each.parameter == "energy.static_watts")
    watts = dict(zip(swing.values, swing.energy_ratios, strict=True))[12.0]
    # Memories leak more with the rest of the device: all that is static is four times as much, and PEs leak nothing.
    more = 3 * simulator(load_hardware("sat-vcu1525")).energy.static_watts
    assert more > 9.0, "three times the table's 3 W, and what memories leak"
    own = answered.energy_joules + more * answered.step_seconds
    dense = answered.dense.energy_joules + more * answered.dense.step_seconds
    # Prices decide between mappings that are as fast, within a thousandth.
    assert watts == pytest.approx(own / dense, rel=1e-3)
    assert swing.speedups == pytest.approx([answered.speedup_vs_dense] * len(swing.speedups), rel=2e-3), "hardly time"


def test_draws_lie_around_the_answer_and_what_moves_most_stands_first(answered):
    found = answered.range
    widths = [swing.width("speedups", answered.speedup_vs_dense) for swing in found.swings]
    assert widths == sorted(widths, reverse=True)
    assert found.speedup.least <= found.speedup.low < found.speedup.high <= found.speedup.most
    assert found.draws == 8
    assert found.without_range == 0, "of SAT all is varied, or said to be fixed"


def test_the_same_draws_every_time_and_the_same_document(answered):
    first, second = (list(drawn_values(uncertain().assumptions, 24, 0)) for _ in range(2))
    assert first == second
    assert len({each["hardware.vector_engine.lanes"] for each in first}) > 12
    assert len({each["hardware.buffers.west.capacity_bytes"] for each in first}) == 6, "a design for every four"
    assert SimulationResult.from_document(answered.document()) == answered


def test_without_ranges_or_without_pruning_there_is_no_answer_to_range(monkeypatch):
    dense = load_recipe("dense")
    asked = simulator(load_hardware("sat-vcu1525"))
    assert with_range(asked, asked.run(dense, PATTERN), dense, PATTERN).range is None
    monkeypatch.setattr(Uncertain, "assumptions", ())
    with pytest.raises(ConfigError, match="got no ranges in the files of sat-vcu1525, need some"):
        with_range(asked, asked.run(BDWP, PATTERN), BDWP, PATTERN)


@pytest.mark.parametrize("name", library.names("hardware"))
def test_of_every_assumed_value_of_a_shipped_design_a_file_says_a_range_or_why_it_has_none(name):
    hardware = load_hardware(name)
    found = Uncertain(hardware=hardware, table=energy_table_of(hardware))
    assert found.without_range == 0
    assert all(len(why) > 5 for why in found.fixed.values())
    for each in found.assumptions:
        for end in each.ends:
            varied, prices = found.varied({each.name: end})
            assert (varied.model, prices.model) != (hardware.model, found.table.model), (
                f"{each.name} at {end} is a design"
            )


def test_an_assumed_value_of_which_nothing_is_said_is_counted():
    silent = uncertain(update_engine={"lanes": {"value": 32, "status": "assumed", "source": "nobody said"}})
    assert silent.without_range == 1


@pytest.mark.parametrize(
    ("name", "paid"), [("sat-vcu1525", "ddr4"), ("edge-16x16", "lpddr4"), ("datacenter-128x128", "hbm2")]
)
def test_of_memories_the_price_of_the_one_that_a_design_has_is_varied(name, paid):
    hardware = load_hardware(name)
    names = [each.name for each in Uncertain(hardware=hardware, table=energy_table_of(hardware)).assumptions]
    assert [name for name in names if "dram_pj" in name] == [f"energy.dram_pj_per_bit.{paid}"]


def test_a_list_has_lists_in_its_range():
    found = {each.name: each for each in uncertain().assumptions}
    fused = found["hardware.vector_engine.fused"]
    assert fused.value == fused.choices[0], "as it is taken"
    hardware, _ = uncertain().varied({fused.name: "bias_add"})
    assert hardware.model.vector_engine.fused == ("bias_add",)
    with pytest.raises(ConfigError, match="got range a list of 2 of a list, need texts"):
        load_hardware({"extends": "sat-vcu1525", "vector_engine": {"fused": ranged(["relu"], 16, 64)}})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"fixed": 3}, "got fixed 3, need why it is not varied, in words"),
        ({"fixed": "a reason", "range": [16, 64]}, "got fixed beside a range, need one of them"),
    ],
)
def test_why_a_value_is_not_varied_is_words_in_the_place_of_a_range(more, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        uncertain(tensor_engine={"rows": {"value": 32, "status": "assumed", "source": "a test", **more}})


def test_joules_have_an_interval_at_the_prices_that_the_ratio_has(answered):
    found = answered.range
    assert found.fixed
    assert found.varied_with > 0
    own, dense = (found.beside[name] for name in ("energy_joules", "dense.energy_joules"))
    assert own.least < answered.energy_joules < own.most
    # Prices differ by far more than the ratio does: both steps are priced alike.
    assert own.most / own.least > 2 * found.energy_ratio.most / found.energy_ratio.least
    assert dense.least < answered.dense.energy_joules < dense.most


def test_what_matters_is_what_moves_the_answer_by_a_hundredth(answered):
    nominal = answered.speedup_vs_dense
    matter = answered.range.matter("speedups", nominal)
    assert "hardware.vector_engine.lanes" in {each.parameter for each in matter}
    for swing in answered.range.swings:
        most = max((abs(each - nominal) for each in swing.speedups if each is not None), default=0.0)
        assert (swing in matter) == (most >= 0.01 * nominal)
    text = sensitivity_text(answered)
    assert f"{len(matter)} move the speedup by 1.0% or more" in " ".join(text.split())
    assert "vector_engine.lanes" in text
