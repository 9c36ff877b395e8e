"""FPGA parts and operators: every shipped figure names its document, and what is wrong in a file is refused."""

import re

import pytest
from bisparse.accel.resources.amounts import RESOURCES
from bisparse.accel.resources.operators import load_operators
from bisparse.accel.resources.parts import load_part
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find, names
from bisparse.configs.provenance import Provenance

PARTS, TABLES = names("parts"), names("operators")

DOCUMENT = re.compile(
    r"\b(DS|UG|PG|AM)\d{3,4}\b|report_utilization|Vivado HLS report|rtl-synthesis\.csv|accel/rtl/|\.h\b|\.md\b"
    r"|Tutorials|hardware chapter"
)
"""Data sheets and guides of the vendor, reports of its tools, and files that can be opened."""


def unsourced(known: dict[str, Provenance]) -> list[str]:
    """Figures that name no document, and that no reason excuses."""
    return [
        path
        for path, each in known.items()
        if (each.status != "assumed" and not DOCUMENT.search(each.source))
        or len(each.source) < 5
        or each.source.startswith("not annotated")
    ]


@pytest.mark.parametrize("name", PARTS)
def test_every_figure_of_a_part_names_a_document(name):
    assert unsourced(load_part(name).provenance) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_figure_of_an_operator_names_a_document(name):
    from bisparse.accel.resources.operators import OperatorTable
    from bisparse.configs.schema import load_annotated

    loaded = load_annotated(name, OperatorTable, "operators")
    assert unsourced(loaded.provenance) == []
    assert load_operators(name).one("add", "fp32").low.luts >= 0


def test_a_figure_without_a_source_is_found():
    assert unsourced({"luts": Provenance(value=1, status="published", source="everybody knows")}) == ["luts"]
    assert unsourced({"luts": Provenance(value=1, status="assumed", source="")}) == ["luts"]


def test_the_parts_of_the_issue_are_there():
    assert {"vcu1525", "vu9p", "zu9eg", "zu7ev", "u250", "u280", "ku15p", "vc1902"} <= set(PARTS)


def test_the_shell_of_the_vcu1525_leaves_unequal_regions():
    low, middle, high = (region.luts for region in load_part("vcu1525").model.room)
    assert middle < 0.5 * min(low, high)


@pytest.mark.parametrize("name", PARTS)
def test_no_part_offers_more_in_its_regions_than_it_has(name):
    part = load_part(name).model
    for resource in RESOURCES:
        assert 0 <= sum(getattr(region, resource) for region in part.room) <= getattr(part, resource)


def edited(tmp_path, old, new):
    file = tmp_path / "part.yaml"
    text = find("parts", "vcu1525").read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("luts: 354830", "luts: 954830", "got 1,468,852 LUTs in all, need at most the 1,182,240 of the device"),
        ("name: SLR1", "name: SLR0", "got SLR0, SLR0, SLR2, need names that differ"),
        ("urams: 320}", "ultra: 320}", "ultra"),
    ],
)
def test_what_is_wrong_with_a_part_is_told(tmp_path, old, new, told):
    with pytest.raises(ConfigError, match=told):
        load_part(edited(tmp_path, old, new))


def test_a_part_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ConfigError, match="vcu1525"):
        load_part("vcu1526")


def test_a_format_without_an_operator_is_told():
    with pytest.raises(ConfigError, match=r"multiply: got 'fp4', need one of fp32, fp16"):
        load_operators("dsp48e2").one("multiply", "fp4")


def test_a_range_that_leaves_its_value_out_is_refused(tmp_path):
    file = tmp_path / "table.yaml"
    text = find("operators", "dsp48e2").read_text(encoding="utf-8")
    file.write_text(text.replace("range: [226, 376]", "range: [300, 376]"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"add\.fp32\.luts: got range \[300, 376\], need two ends around 226"):
        load_operators(str(file))
