"""Fields of a design, set in words."""

import pytest
from bisparse.accel.set_fields import set_fields
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError

SAT = load_hardware("sat-vcu1525")


def test_what_is_set_is_what_a_file_would_say():
    changed = set_fields(SAT, ["tensor_engine.rows=64", "clock_hz=300 MHz", "tensor_engine.dataflows=ws, os"])
    said = load_hardware(
        {
            "extends": "sat-vcu1525",
            "clock_hz": "300 MHz",
            "tensor_engine": {"rows": 64, "dataflows": ["ws", "os"]},
        }
    )
    assert changed.model.model_copy(update={"name": ""}) == said.model.model_copy(update={"name": ""})
    assert changed.model.name == (
        "sat-vcu1525 with tensor_engine.rows=64, clock_hz=300 MHz, tensor_engine.dataflows=ws, os"
    )
    assert changed.provenance["tensor_engine.rows"].status == "given"
    assert changed.provenance["tensor_engine.cols"] == SAT.provenance["tensor_engine.cols"]


def test_a_timing_set_is_named_and_a_key_of_a_mapping_is_a_field():
    timed = load_hardware("sat-vcu1525-timed")
    changed = set_fields(
        timed,
        [
            "hardware.dram.timing=ddr4-3200",
            "dram.channel_bytes_per_second=25.6 GB/s",
            "vector_engine.operations.gelu.cycles_per_element=3",
        ],
    )
    assert changed.model.dram.timing is not None
    assert changed.model.dram.timing.name == "ddr4-3200"
    assert changed.model.vector_engine.operations["gelu"].cycles_per_element == 3
    assert any(file.name == "ddr4-3200.yaml" for file in changed.sources)


def test_the_last_word_counts_and_nothing_changed_is_the_design_itself():
    assert set_fields(SAT, ["tensor_engine.rows=64", "tensor_engine.rows=32"]) is SAT
    many = set_fields(SAT, [f"vector_engine.operations.{name}.cycles_per_element=2" for name in ("relu", "add")] * 2)
    assert many.model.name.count("=") == 2
    words = [f"tensor_engine.{name}=3" for name in ("rows", "cols", "mac_latency", "accumulate_latency")]
    assert "=" not in set_fields(SAT, words).model.name, "of many a number"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rows", "--set: got 'rows', need FIELD=VALUE; try --set tensor_engine.rows=64"),
        ("tensor_engine.rows=", "--set: got 'tensor_engine.rows=', need FIELD=VALUE"),
        ("tensor_engine.row=3", "--set: got tensor_engine.row, need a field of the hardware; try tensor_engine.rows"),
        ("buffers.west=3", "--set: got buffers.west, which holds other fields, need one of them; try buffers.west."),
        ("name=mine", "--set: got name, need a field that changes the design"),
        ("tensor_engine.rows=0", "--set tensor_engine.rows: got 0, need a number > 0"),
        ("tensor_engine.rows=many", "--set tensor_engine.rows: got 'many', need an integer"),
        ("tensor_engine.dataflows=os, up", "--set tensor_engine.dataflows.1: got 'up', need one of"),
        ("dram.timing=nosuch", "nosuch"),
    ],
)
def test_what_cannot_be_set_is_a_line(word, message):
    with pytest.raises(ConfigError) as error:
        set_fields(SAT, [word])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert ":1:" not in str(error.value), "a command line has no lines"
