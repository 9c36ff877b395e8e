"""Timing sets: the shipped ones are those of their kind, and a set that contradicts itself or its design is refused."""

import pytest
from bisparse.accel.dram_timings import load_dram_timings
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import names


def refusal(load, path):
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "gigabytes_per_second", "burst_bytes"),
    [
        ("ddr4-2400", 19.2, 64),  # 2400 MT/s x 8 bytes
        ("ddr4-3200", 25.6, 64),  # 3200 MT/s x 8 bytes
        ("lpddr4-3200", 6.4, 32),  # 3200 MT/s x 2 bytes
        ("hbm2-2000", 16.0, 32),  # 2000 MT/s x 8 bytes
        ("hbm2e-3200", 25.6, 32),  # 3200 MT/s x 8 bytes
    ],
)
def test_a_shipped_set_has_its_kinds_bandwidth_and_burst(name, gigabytes_per_second, burst_bytes):
    timings = load_dram_timings(name).model
    assert timings.name == name
    assert timings.bytes_per_second == pytest.approx(gigabytes_per_second * 1e9)
    assert timings.burst_bytes == burst_bytes


@pytest.mark.parametrize("name", names("dram"))
def test_every_number_of_a_shipped_set_says_where_it_comes_from(name):
    loaded = load_dram_timings(name)
    fields = set(type(loaded.model).model_fields) - {"name", "title"}
    assert set(loaded.provenance) == fields
    assert all(known.source and not known.source.startswith("not annotated") for known in loaded.provenance.values())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("tccd_s_clocks: 3", "tccd_s_clocks: got 3, need at least the 4 clocks of a burst"),
        ("tccd_l_clocks: 3", "tccd_l_clocks: got 3, need at least tccd_s_clocks (4)"),
        ("banks: 15", "banks: got 15, need a multiple of bank_groups (4)"),
        ("row_bytes: 100", "row_bytes: got 100, need whole bursts of 64 bytes"),
        ("trfc_clocks: 9364", "trfc_clocks: got 9364, need less than trefi_clocks (9364)"),
        ("trc_clocks: 38", "trc_clocks: got 38, need at least tras_clocks (39)"),
        ("tccd_clocks: 3", "tccd_clocks: got tccd_clocks, need a known field; try t"),
    ],
)
def test_a_set_that_contradicts_itself_is_refused_at_its_line(tmp_path, line, complaint):
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nextends: ddr4-2400\n{line}\n")
    assert refusal(load_dram_timings, file).startswith(f"{file}:3: {complaint}")


def test_a_design_names_a_set_and_its_values_count_in_the_designs_hash(tmp_path):
    (tmp_path / "slow.yaml").write_text("name: slow\nextends: ddr4-2400\ntrcd_clocks: 20\n")
    design = tmp_path / "design.yaml"
    hashes = set()
    for timing in ("ddr4-2400", "slow.yaml", "null"):
        design.write_text(f"name: mine\nextends: sat-vcu1525-timed\ndram:\n  timing: {timing}\n")
        loaded = load_hardware(str(design))
        hashes.add(loaded.sha256)
        if timing == "slow.yaml":
            # Found beside the file that names it.
            assert loaded.model.dram.timing.trcd_clocks == 20
            assert tmp_path / "slow.yaml" in loaded.sources
            assert loaded.provenance["dram.timing.trcd_clocks"].status == "given"
            assert loaded.provenance["dram.timing.trp_clocks"].status == "published"
            assert "dram.timing" not in loaded.provenance
    assert loaded.model.dram.timing is None
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("dram", "line", "complaint"),
    [
        ("timing: hbm2-2000", 4, "dram.burst_bytes: got 64 (of "),
        ("timing: ddr4-2500", 4, "dram.timing: got 'ddr4-2500', need one of ddr4-2400, "),
        ("timing: none.yaml", 4, "dram.timing: got 'none.yaml', need a file; there is no "),
        (
            "timing: ddr4-3200",
            4,
            "dram.channel_bytes_per_second: got 19.2 GB/s (of ",
        ),
        (
            "timing: ddr4-2400\n  burst_bytes: 32",
            5,
            "dram.burst_bytes: got 32, need what timing ddr4-2400 gives: 64, 8 transfers of 64 bits",
        ),
        (
            "timing: ddr4-2400\n  channel_bytes_per_second: 20 GB/s",
            5,
            "dram.channel_bytes_per_second: got 20 GB/s, need what timing ddr4-2400 gives: 19.2 GB/s, 64 bits twice",
        ),
    ],
)
def test_a_design_that_contradicts_its_set_is_refused_at_its_own_line(tmp_path, dram, line, complaint):
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nextends: sat-vcu1525\ndram:\n  {dram}\n")
    assert refusal(load_hardware, file).startswith(f"{file}:{line}: {complaint}")


def test_a_fault_in_a_set_is_placed_in_the_sets_own_file(tmp_path):
    (tmp_path / "odd.yaml").write_text("name: odd\nextends: ddr4-2400\ntrp_clocks: 0\n")
    design = tmp_path / "mine.yaml"
    design.write_text("name: mine\nextends: sat-vcu1525\ndram: {timing: odd.yaml}\n")
    assert refusal(load_hardware, design) == (
        f"{tmp_path / 'odd.yaml'}:3: dram.timing.trp_clocks: got 0, need a number > 0"
    )
