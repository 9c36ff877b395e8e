"""What is drawn of a run besides its charts: the hardware and the mappings, of names and numbers that are the run's."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache

import pytest
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.reports.run.density_figure import density_figure
from bisparse.reports.run.hardware_picture import hardware_drawing, hardware_table, values
from bisparse.reports.run.mapping_picture import MOST, MappingWords, drawn_mappings
from bisparse.reports.run.page import page
from bisparse.reports.run.roofline_figure import decade_ticks
from bisparse.reports.shared.drawing import Drawing

import bisparse

from .sample import sample_result


@cache
def result(hardware="sat-vcu1525"):
    recipe = "dense" if hardware == "systolic-textbook" else "bdwp"
    return bisparse.simulate("resnet9-cifar10", hardware=hardware, recipe=recipe, batch=16)


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


@pytest.mark.parametrize("hardware", ["sat-vcu1525", "edge-16x16", "systolic-textbook", "datacenter-128x128"])
def test_the_hardware_is_drawn_with_its_own_sizes_and_widths(hardware):
    run = result(hardware)
    known, said = values(run), words(hardware_drawing(run))
    rows, columns = (known[f"hardware.tensor_engine.{side}"] for side in ("rows", "cols"))
    assert f"{rows} x {columns} PEs" in said
    for side in ("west", "north", "output"):
        assert any(known[f"hardware.buffers.{side}.capacity_bytes"] in each for each in said)
        assert any(f"{known[f'hardware.buffers.{side}.port_bytes_per_cycle']} B" in each for each in said)
    assert len(hardware_table(run).rows) >= 5


def test_a_result_that_does_not_say_its_array_has_no_drawing():
    bare = sample_result()
    bare = replace(bare, assumptions=tuple(each for each in bare.assumptions if "tensor_engine" not in each.parameter))
    assert hardware_drawing(bare) is None
    assert drawn_mappings(bare) == []
    assert "The hardware" not in page([bare], command="x").decode()


def test_words_of_a_drawing_are_never_markup():
    hostile = "<script>alert(1)</script>"
    own = Drawing(width=10, height=10)
    own.words(0, 0, hostile)
    assert words(own.svg()) == [hostile]
    run = result()
    others = tuple(
        replace(each, value=hostile) if each.parameter.endswith((".technology", ".banks", ".precision")) else each
        for each in run.assumptions
    )
    drawn = hardware_drawing(replace(run, assumptions=others))
    assert "<script" not in drawn
    assert any("<scr" in each for each in words(drawn))


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    "array",
    [
        {"dataflow": "os", "interleave_m": 4, "interleave_n": 2},
        {"dataflow": "ws", "resident_groups": 2, "interleave": 4},
        {"dataflow": "is", "resident_groups": 1, "interleave": 8},
    ],
)
def test_a_mapping_is_read_from_its_words(array, swapped):
    made = Mapping(array=ArrayMapping(swapped=swapped, **array), tile_m=64, tile_n=32, tile_k=256, order="nkm")
    read = MappingWords.read(str(made))
    assert read.tile == {"m": 64, "n": 32, "k": 256}
    assert (read.dataflow, read.swapped, read.order) == (array["dataflow"].upper(), swapped, "nkm")
    if array["dataflow"] == "os":
        down, across = ("n", "m") if swapped else ("m", "n")
        assert read.fold(32, 16) == (down, 128, across, 32)
    else:
        assert read.fold(32, 16) is None


def test_the_mappings_that_take_most_are_drawn_and_the_short_tables_lead_to_them():
    run = result()
    drawn = drawn_mappings(run)
    assert 1 < len(drawn) <= MOST
    spent = [sum(row.cycles for row in run.rows if row.mapping == each.text) for each in drawn]
    assert spent == sorted(spent, reverse=True)
    html = page([run], command="x").decode()
    places = set(re.findall(r'<a href="#(run0-mapping-\d+)"', html))
    assert places
    assert all(f'<figure id="{place}">' in html for place in places)
    first = words(drawn[0].svg)
    read = MappingWords.read(drawn[0].text)
    assert f"for {read.order[0]} by {read.tile[read.order[0]]:,}" in first
    _, deep, _, wide = read.fold(32, 32)
    m, n = read.tile["m"], read.tile["n"]
    extents = (deep, wide) if not read.swapped else (wide, deep)
    assert f"{-(-m // extents[0]):,} x {-(-n // extents[1]):,} folds" in first


def test_measured_densities_have_a_picture_and_others_none():
    run = result()
    assert density_figure(run) is None
    rows = tuple(
        replace(row, effectual_macs=row.issued_macs // 4) if row.engine == "tensor" else row for row in run.rows
    )
    figure = density_figure(replace(run, rows=rows))
    assert [trace["name"] for trace in figure["data"]] == ["forward", "input gradients", "weight gradients"]
    assert {round(share, 3) for trace in figure["data"] for share in trace["y"]} == {0.25}
    # A layer stands at one place in every stage.
    assert set(figure["data"][1]["x"]) <= set(figure["data"][0]["x"])


def test_ticks_of_a_logarithmic_axis_are_whole_and_lie_inside():
    for low, high in ((0.003, 7), (2, 3.5), (1, 10), (40, 9e6)):
        ticks = decade_ticks(low, high)
        assert all(low <= tick <= high for tick in ticks)
    assert decade_ticks(0.01, 1000) == [0.01, 0.1, 1, 10, 100, 1000]
