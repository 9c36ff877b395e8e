"""Sparseloop's own outputs for sparse tensor cores: to the last cycle and value where nothing parts the two models."""

import pytest
from bisparse.sim.witness.sparseloop import sparseloop_rows

ROWS = list(sparseloop_rows())

FLEXIBLE = {
    # Indices of three bits; Sparseloop stores four, or two where they run.
    ("1152", "0.25"): {"STC_flexible-RF2x-24-bandwidth": 65856, "STC_flexible-RF2x-24-bandwidth-RLE": 65856},
    ("1152", "0.3333"): {"STC_flexible-RF2x-24-bandwidth": 69120, "STC_flexible-RF2x-24-bandwidth-RLE": 69120},
    ("128", "0.25"): {"STC_flexible-RF2x-24-bandwidth": 29312, "STC_flexible-RF2x-24-bandwidth-RLE": 29312},
    # A depth of 128 is 22 groups of six here, 24 there.
    ("128", "0.3333"): {"STC_flexible-RF2x-24-bandwidth": 32768, "STC_flexible-RF2x-24-bandwidth-RLE": 32768},
}


def test_every_density_of_both_products_is_there():
    designs = {row.design for row in ROWS}
    assert len(designs) == 4
    assert len(ROWS) == 8 * len(designs)


@pytest.mark.parametrize("row", list(sparseloop_rows(exact=True)), ids=lambda row: row.place)
def test_the_dense_core_and_that_of_2_4_are_the_same(row):
    assert row.disagreement() is None


@pytest.mark.parametrize("row", [row for row in ROWS if "flexible" in row.design], ids=lambda row: row.place)
def test_the_flexible_core_parts_from_it_by_indices_and_padding_alone(row):
    expected = FLEXIBLE.get((str(row.k), row.density), {}).get(row.design, row.cycles)
    assert row.our_cycles == expected
    assert row.our_cycles == pytest.approx(row.cycles, rel=0.07)
    kept = row.m * row.pattern.slots(row.k)
    assert row.our_accesses == kept + row.n * (row.k + row.m)


def test_a_difference_is_told():
    row = next(sparseloop_rows(exact=True))
    other = type(row)(**{name: getattr(row, name) for name in row.__dataclass_fields__} | {"cycles": row.cycles + 1})
    assert other.disagreement() == (
        f"{row.place}: Sparseloop {row.cycles + 1} cycles, {row.accesses} accesses; here {row.cycles}, {row.accesses}"
    )
