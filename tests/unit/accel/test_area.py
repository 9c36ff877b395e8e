"""Area by component: every figure is a row of the energy file, and arrays that were laid out lie between two nodes."""

import csv
from pathlib import Path

import pytest
from bisparse.accel.area import NOTHING, area, load_area_table, total
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import names

GOLDEN = Path(__file__).parents[2] / "golden" / "energy.csv"
TABLES = names("area")
SAT = load_hardware("sat-vcu1525").model


@pytest.mark.parametrize("name", TABLES)
def test_every_figure_names_a_row_or_says_why(name):
    for path, known in load_area_table(name).loaded.provenance.items():
        assert known.source.startswith("energy.csv") or (known.status == "assumed" and len(known.source) > 20), path


@pytest.mark.parametrize("name", TABLES)
def test_memories_and_registers_are_the_rows_that_they_name(name):
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        rows = {
            (row["component"], row["node_nm"]): float(row["value"])
            for row in csv.DictReader(file)
            if row["param"] == "area" and "Horowitz" not in row["source"]
        }
    table = load_area_table(name).loaded.model
    node = f"{table.node_nm:g}"
    for point in table.sram:
        size = (
            f"{point.capacity_bytes // 1024}KiB"
            if point.capacity_bytes < 1 << 20
            else f"{point.capacity_bytes >> 20}MiB"
        )
        assert point.mm2 == rows[f"SRAM_{size}_w64", node]
    assert table.register_um2_per_bit == pytest.approx(rows["register_8b", node] / 8, rel=1e-4)


def test_smaller_nodes_take_less_and_ends_stand_in_order():
    found = [total(area(SAT, load_area_table(name))) for name in ("45nm", "22nm", "7nm")]
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    assert all(each.low < each.value < each.high for each in found)


def test_arrays_that_were_laid_out_at_28_nm_lie_between_our_least_at_22_and_our_most_at_45():
    # FEATHER's arrays at 28 nm: 97,976 um2 of 8 x 8, 475,897 of 16 x 16, 2.73 mm2 of 32 x 32.
    for side, laid_out in ((8, 0.097976), (16, 0.475897), (32, 2.73)):
        sides = {"rows": side, "cols": side, "patterns": (), "precision": "int8", "register_depth": 4}
        engine = SAT.tensor_engine.model_copy(update=sides | {"mac_latency": 2, "accumulate_latency": 1})
        design = SAT.model_copy(update={"tensor_engine": engine})
        small, large = (area(design, load_area_table(name)) for name in ("22nm", "45nm"))
        least = sum(each.low for part, each in small.items() if part.startswith("PE "))
        most = sum(each.high for part, each in large.items() if part.startswith("PE "))
        assert least < laid_out < most


def test_a_larger_group_and_a_deeper_pe_take_more():
    def whole(**fields):
        engine = SAT.tensor_engine.model_copy(update=fields)
        return total(area(SAT.model_copy(update={"tensor_engine": engine}), load_area_table("22nm"))).value

    assert whole(patterns=("2:4",)) < whole(patterns=("2:8",)) < whole(patterns=("4:16",))
    assert whole(register_depth=4) < whole(register_depth=8)


def test_banks_between_points_lie_between_them_and_far_ones_are_refused():
    prices = load_area_table("22nm")
    small, between, large = (prices.bank(kib << 10) for kib in (32, 64, 256))
    assert small.value < between.value < large.value
    assert prices.bank(2 << 10).value < prices.bank(4 << 10).value
    with pytest.raises(ConfigError, match="a bank of 512 bytes, need 1024 to"):
        prices.bank(512)


def test_nothing_adds_nothing():
    assert NOTHING.plus(NOTHING.times(3)) == NOTHING
