import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from bisparse.accel.energy_table import energy_table_of, load_energy_table
from bisparse.accel.specification import load_hardware
from bisparse.configs import library
from bisparse.configs.errors import ConfigError

# Copied from the project's collection of published energies; see the source column of each row.
ROWS = list(csv.DictReader((Path(__file__).parents[2] / "golden" / "energy.csv").open()))
SCALED = ["22nm", "7nm", "16nm-fpga"]
TABLES = ["45nm", *SCALED]
CLAIM = re.compile(r"energy\.csv (?P<component>\S+)(?: (?P<parameter>[a-z_]+))? (?P<node>\d+|-): (?P<author>\S+)")
PARAMETERS = {
    "read_pj_per_bit": "read_energy_per_bit",
    "write_pj_per_bit": "write_energy_per_bit",
    "leakage_mw": "leakage_power",
}


def row(component: str, parameter: str, node: str, author: str) -> float:
    found = [
        entry["value"]
        for entry in ROWS
        if (entry["component"], entry["param"], entry["node_nm"]) == (component, parameter, node.replace("-", ""))
        and entry["source"].startswith(author)
    ]
    assert len(found) == 1, (component, parameter, node, author)
    return float(found[0])


@pytest.fixture(params=TABLES)
def loaded(request):
    return load_energy_table(request.param)


def test_every_shipped_table_loads():
    assert set(TABLES) <= set(library.names("energy"))
    for name in library.names("energy"):
        assert load_energy_table(name).model.name == name


def test_every_leaf_says_where_it_comes_from(loaded):
    for path, known in loaded.provenance.items():
        assert known.source, path
        assert "not annotated" not in known.source, path


DOCUMENT = re.compile(r"energy\.csv|doi:|ISSCC|TCAD|MICRO|NangateOpenCellLibrary|hwcomponents")


def undocumented(provenance) -> list[str]:
    """Figures that name no document, though their file says that they are known, or work out from what is."""
    return [
        path for path, known in provenance.items() if known.status != "assumed" and not DOCUMENT.search(known.source)
    ]


@pytest.mark.parametrize("name", library.names("energy"))
def test_a_figure_that_is_known_names_the_document_that_it_is_from(name):
    provenance = load_energy_table(name).provenance
    assert undocumented(provenance) == []
    path, known = next((path, known) for path, known in provenance.items() if known.status != "assumed")
    assert undocumented({path: replace(known, source="everybody knows")}) == [path]


@pytest.mark.parametrize("name", library.names("energy"))
def test_every_assumed_figure_has_an_interval_scales_with_one_or_says_why_not(name):
    provenance = load_energy_table(name).provenance
    scaled = {other for known in provenance.values() for other in known.scales}
    assumed = {path: known for path, known in provenance.items() if known.status == "assumed"}
    assert [path for path, known in assumed.items() if not (known.range or known.fixed or path in scaled)] == []


@pytest.mark.parametrize("name", library.names("energy"))
def test_every_price_lies_between_a_low_and_a_high(name):
    provenance = load_energy_table(name).provenance
    scaled = {other for known in provenance.values() for other in known.scales}
    prices = [path for path in provenance if re.search(r"_pj|_mw", path)]
    assert len(prices) >= 28
    assert [
        path for path in prices if not provenance[path].range and path not in scaled and provenance[path].value
    ] == []


@pytest.mark.parametrize(("name", "claims"), [("45nm", 25), ("22nm", 17), ("7nm", 17), ("16nm-fpga", 17)])
def test_every_number_that_claims_a_row_equals_it(name, claims):
    checked = 0
    for path, known in load_energy_table(name).provenance.items():
        claim = CLAIM.match(known.source)
        field = path.rpartition(".")[2]
        if claim is None:
            assert not known.source.startswith("energy.csv") or field == "node_ratio", path
            continue
        if field == "capacity_bytes":
            assert claim["component"] == f"SRAM_{known.value.replace(' ', '')}_w64", path
            continue
        parameter = claim["parameter"] or PARAMETERS[field]
        assert known.value == row(claim["component"], parameter, claim["node"], claim["author"]), path
        checked += 1
    assert checked == claims


def test_the_45nm_figures_that_are_derived():
    table = load_energy_table("45nm").model
    register = row("register_8b", "energy_per_op", "45", "hwcomponents-library") / 8
    assert table.register_pj_per_bit == pytest.approx(register, rel=1e-4)
    assert table.link_hop_pj_per_bit == table.register_pj_per_bit
    assert table.compare_pj == row("INT16_adder", "energy_per_op", "45", "Horowitz")
    assert table.vector_op_pj == pytest.approx((table.accumulate("fp32") + table.multiply("fp32")) / 2)
    leakage_uw = sum(row(unit, "leakage_power", "45", "hwcomponents") for unit in ["INT16_multiplier", "INT32_adder"])
    assert table.pe_leakage_mw == pytest.approx(leakage_uw / 1000, rel=1e-4)


@pytest.mark.parametrize("name", SCALED)
def test_a_scaled_table_is_the_45nm_one_scaled(name):
    asic, scaled_one = load_energy_table("45nm").model, load_energy_table(name).model
    assert scaled_one.scaling is not None
    assert scaled_one.scaling.fpga_factor == (14 if name == "16nm-fpga" else 1)
    for unit in ["INT8_adder", "INT16_adder", "INT16_multiplier", "INT32_multiplier", "register_32b"]:
        here, at_45 = (
            row(unit, "energy_per_op", node, "hwcomponents-library") for node in [f"{scaled_one.node_nm:g}", "45"]
        )
        assert scaled_one.scaling.node_ratio == pytest.approx(here / at_45, rel=1e-3)

    def scaled(value):
        return pytest.approx(value * scaled_one.scaling.node_ratio * scaled_one.scaling.fpga_factor, rel=1e-4)

    for field in ["multiply_pj", "accumulate_pj"]:
        assert getattr(scaled_one, field) == {key: scaled(value) for key, value in getattr(asic, field).items()}
    for field in [
        "register_pj_per_bit",
        "link_hop_pj_per_bit",
        "select_pj_per_bit",
        "compare_pj",
        "vector_op_pj",
        "update_multiply_pj",
        "update_accumulate_pj",
    ]:
        assert getattr(scaled_one, field) == scaled(getattr(asic, field)), field
    assert scaled_one.dram_pj_per_bit == asic.dram_pj_per_bit
    if name != "16nm-fpga":
        units = ["INT16_multiplier", "INT32_adder"]
        leakage_uw = sum(row(unit, "leakage_power", f"{scaled_one.node_nm:g}", "hwcomponents") for unit in units)
        assert scaled_one.pe_leakage_mw == pytest.approx(leakage_uw / 1000, rel=1e-4)


def test_nothing_of_the_fpga_table_is_called_published():
    statuses = {known.status for known in load_energy_table("16nm-fpga").provenance.values()}
    assert statuses == {"assumed", "derived"}


def test_a_bank_of_a_tabled_capacity_costs_what_the_table_says(loaded):
    for point in loaded.model.sram:
        energy = loaded.model.sram_of(point.capacity_bytes)
        assert energy.read_pj_per_bit == point.read_pj_per_bit
        assert energy.write_pj_per_bit == point.write_pj_per_bit
        assert energy.leakage_mw == point.leakage_mw
        assert energy.note == ""


def test_between_two_points_the_line_is_straight_in_log_log(loaded):
    small, large = loaded.model.sram[1:3]
    middle = math.isqrt(small.capacity_bytes * large.capacity_bytes)
    energy = loaded.model.sram_of(middle)
    assert energy.read_pj_per_bit == pytest.approx(math.sqrt(small.read_pj_per_bit * large.read_pj_per_bit), rel=1e-4)
    assert energy.leakage_mw == pytest.approx(math.sqrt(small.leakage_mw * large.leakage_mw), rel=1e-4)


def test_a_larger_bank_never_costs_less(loaded):
    reads = [loaded.model.sram_of(2**exponent).read_pj_per_bit for exponent in range(10, 25)]
    assert reads == sorted(reads)


@pytest.mark.parametrize(("bank_bytes", "priced_as"), [(1000, 4096), (2**23, 2**22)])
def test_outside_the_points_the_nearest_holds_and_says_so(loaded, bank_bytes, priced_as):
    energy = loaded.model.sram_of(bank_bytes)
    assert energy.read_pj_per_bit == loaded.model.sram_of(priced_as).read_pj_per_bit
    assert energy.note == (
        f"a bank of {bank_bytes} bytes is outside table {loaded.model.name}; priced as one of {priced_as} bytes"
    )


def test_what_a_table_lacks_is_named_with_what_it_has():
    table = load_energy_table("45nm").model
    with pytest.raises(ConfigError) as caught:
        table.dram("ddr5")
    assert str(caught.value) == ("energy table 45nm: dram_pj_per_bit: got 'ddr5', need one of ddr4, lpddr4, hbm2")
    with pytest.raises(ConfigError, match="got 'int4', need one of fp32, fp16, bf16, fp8, int8"):
        table.multiply("int4")
    with pytest.raises(ConfigError, match="got 0, need a positive capacity"):
        table.sram_of(0)


def test_a_users_table_may_change_one_price(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: 45nm\nname: mine\ndram_pj_per_bit: {ddr5: 12}\n")
    loaded = load_energy_table(str(mine))
    assert loaded.model.dram("ddr5") == 12
    assert loaded.model.dram("hbm2") == 3.92
    assert loaded.provenance["dram_pj_per_bit.ddr5"].status == "given"


def test_points_out_of_order_are_refused_on_their_line(tmp_path):
    mine = tmp_path / "mine.yaml"
    point = "{read_pj_per_bit: 1, write_pj_per_bit: 1, leakage_mw: 1, capacity_bytes: %s}"
    mine.write_text(f"extends: 45nm\nsram:\n  - {point % '2 KiB'}\n  - {point % '1 KiB'}\n")
    with pytest.raises(ConfigError) as caught:
        load_energy_table(str(mine))
    assert str(caught.value) == (f"{mine}:4: sram.1.capacity_bytes: got 1024, need more than the 2048 before it")


def test_a_table_is_looked_for_beside_the_design_that_names_it(tmp_path, monkeypatch):
    folder = tmp_path / "designs"
    folder.mkdir()
    (folder / "mine.yaml").write_text("name: mine\nextends: sat-vcu1525\nenergy_table: table.yaml\n")
    (folder / "table.yaml").write_text(library.find("energy", "45nm").read_text())
    monkeypatch.chdir(tmp_path)
    design = load_hardware("designs/mine.yaml")
    assert energy_table_of(design).model.name == "45nm"
