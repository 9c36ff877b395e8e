"""A design said in Python, as a file would say it."""

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError

import bisparse


def test_a_mapping_is_what_a_file_of_it_is(tmp_path):
    said = {"name": "mine", "extends": "sat-vcu1525", "clock_hz": "300 MHz", "tensor_engine": {"rows": 16}}
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nextends: sat-vcu1525\nclock_hz: 300 MHz\ntensor_engine: {rows: 16}\n"
    )
    given, read = load_hardware(said), load_hardware(str(tmp_path / "mine.yaml"))
    assert given.model == read.model
    assert given.sha256 == read.sha256
    assert given.provenance["tensor_engine.rows"].status == "given"


def test_python_takes_one_wherever_it_takes_a_name():
    said = {"extends": "edge-16x16", "vector_engine": {"lanes": 64}}
    result = bisparse.simulate("resnet9-cifar10", hardware=said, batch=2)
    base = bisparse.simulate("resnet9-cifar10", hardware="edge-16x16", batch=2)
    assert result.total_cycles < base.total_cycles


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"extends": "sat-vcu1525", "clok_hz": 1}, "hardware: clok_hz: got clok_hz, need a known field; try clock_hz"),
        ({"extends": "sat"}, "hardware: extends: got 'sat', need one of .*; try sat-vcu1525"),
        ({"extends": "sat-vcu1525", "clock_hz": "3 apples"}, "hardware: clock_hz: got '3 apples', need hertz"),
        ({"clock_hz": print}, "hardware: got what no file could say"),
    ],
)
def test_a_fault_in_one_is_told_as_in_a_file(said, message):
    with pytest.raises(ConfigError, match=message):
        load_hardware(said)


def test_a_result_shows_its_headline_and_not_its_thousands_of_figures():
    result = bisparse.simulate("resnet9-cifar10", batch=2)
    assert repr(result).startswith("SimulationResult(bdwp on resnet9-cifar10, sat-vcu1525, batch 2, sparsity 2:8, ")
    assert f"{result.speedup_vs_dense:.3f}x" in repr(result)
    assert len(repr(result)) < 300
    shown = result._repr_html_()
    assert shown.startswith("<table><caption>bdwp on resnet9-cifar10, sat-vcu1525</caption>")
    assert len(shown) < 1000
