"""Whether a design fits a part: what is short, where, by how much, and the largest array that fits."""

import pytest
from bisparse.accel.resources.amounts import ENDS, RESOURCES, Amounts, exactly
from bisparse.accel.resources.components import Component, components
from bisparse.accel.resources.fit import fit, part_share
from bisparse.accel.resources.operators import load_operators
from bisparse.accel.resources.parts import Part, load_part
from bisparse.accel.resources.placement import place
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import names

import bisparse

SAT = load_hardware("sat-vcu1525").model


def array(rows, cols, **fields):
    engine = SAT.tensor_engine.model_copy(update={"rows": rows, "cols": cols, **fields})
    return SAT.model_copy(update={"tensor_engine": engine})


@pytest.mark.parametrize("design", names("hardware"))
def test_every_shipped_design_is_counted(design):
    found = fit(load_hardware(design).model, load_part("vcu1525").model)
    shares = [found.placements[end].share for end in ENDS]
    assert shares == sorted(shares)
    assert shares[0] > 0


def test_pieces_in_the_regions_are_the_whole_design():
    hardware, part = array(20, 24), load_part("vcu1525").model
    placement = place(components(hardware, load_operators(part.operators)), part)
    assert sum(use.rows for use in placement.uses) == 20
    for number in range(len(RESOURCES)):
        assert sum(use.used[number] for use in placement.uses) == pytest.approx(placement.total[number])


def test_what_is_short_is_told_by_region_and_amount():
    found = fit(array(64, 64), load_part("vcu1525").model)
    worst = found.shortages[0]
    assert not found.fits
    assert found.verdict == "does not fit"
    assert (worst.region, worst.resource) == (
        found.placements["value"].fullest.region.name,
        found.placements["value"].fullest.shortest,
    )
    assert worst.needed / worst.there == pytest.approx(found.placements["value"].share)


def test_the_largest_array_fits_and_the_next_does_not():
    part = load_part("vcu1525").model
    rows, cols = fit(array(64, 64), part).largest
    assert rows == cols
    assert part_share(array(rows, cols), part) <= 1 < part_share(array(rows + 1, cols + 1), part)
    wide = fit(array(16, 32), part).largest
    assert wide[1] == 2 * wide[0]


def test_no_array_fits_where_the_rest_alone_does_not():
    huge = SAT.model_copy(
        update={"vector_engine": SAT.vector_engine.model_copy(update={"lanes": 100_000})},
    )
    assert fit(huge, load_part("zu7ev").model).largest is None


def test_a_shell_that_leaves_unequal_regions_leaves_less_than_a_bare_part():
    hardware = array(24, 24)
    assert part_share(hardware, load_part("vu9p").model) < part_share(hardware, load_part("vcu1525").model)


def test_a_row_that_no_region_holds_does_not_fit_though_the_whole_part_would():
    region = {"flip_flops": 9, "dsps": 0, "bram36": 0}
    part = Part(
        name="two", device="two", operators="dsp48e2", luts=200, flip_flops=18, dsps=0, bram36=0,
        regions=[{"name": "a", "luts": 100, **region}, {"name": "b", "luts": 100, **region}],
    )  # fmt: skip
    rows = Component(name="rows", piece=exactly(Amounts(luts=60)), count=3, group="rows")
    placement = place([rows], part)
    assert placement.total.luts < part.luts
    assert placement.share == pytest.approx(1.2)


def test_a_part_without_ultrarams_holds_buffers_in_block_rams():
    found = fit(array(8, 8), load_part("zu9eg").model)
    assert set(found.placements["value"].memories.values()) == {"bram36"}
    assert found.placements["value"].total.urams == 0


def test_a_larger_group_takes_more():
    part = load_part("vcu1525").model
    luts = []
    for patterns in ((), ("2:4",), ("2:8",), ("4:16",)):
        parts = components(array(16, 16, patterns=patterns), load_operators(part.operators))
        luts.append(place(parts, part).total.luts)
    assert luts == sorted(luts)
    assert luts[0] < 0.8 * luts[-1]


def test_python_and_the_document_say_the_same():
    found = bisparse.fit("edge-16x16", part="zu9eg")
    document = found.document()
    assert document["share"]["value"] == found.placements["value"].share
    assert document["largest_array"] == list(found.largest)
    assert sum(each["value"]["dsps"] for each in document["components"].values()) == document["total"]["value"]["dsps"]


def test_an_unknown_part_is_refused():
    with pytest.raises(bisparse.ConfigError, match="parts: got 'vcu1526', need one of"):
        bisparse.fit("sat-vcu1525", part="vcu1526")
