"""The table of what modules take of an FPGA is of the hardware as it stands, and of every design of its example."""

import csv
import importlib.util
from pathlib import Path

import pytest
from bisparse.sim.witness.rtl.synthesis import counted, design_sha256

ROOT = Path(__file__).parents[2]
AGAIN = "python examples/rtl_synthesis.py docs/rtl-synthesis.csv"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("rtl_synthesis", ROOT / "examples" / "rtl_synthesis.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    with (ROOT / "docs" / "rtl-synthesis.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_is_of_this_hardware(rows):
    assert {row["design_sha256"] for row in rows} == {design_sha256()}, f"the hardware changed: {AGAIN}"


def test_the_table_has_every_design(example, rows):
    wanted = [tuple(map(str, key)) for key, _ in example.designs()]
    assert [tuple(row[name] for name in example.KEYS) for row in rows] == wanted, AGAIN


def test_the_page_shows_the_counts_of_pes_and_sorters(example, rows):
    page = (ROOT / "docs" / "resources.md").read_text(encoding="utf-8")
    for row in rows:
        if row["module"] in ("sorter", "processing_element"):
            keys = [row[name] or "-" for name in example.KEYS]
            assert f"| {' | '.join([*keys, row['luts']])} |" in page


def test_a_memory_whose_luts_are_not_known_is_refused():
    stat = '{"creator": "Yosys", "design": {"num_cells_by_type": {"RAM512X1S": 1, "RAMB36E2": 1}}}'
    with pytest.raises(RuntimeError, match="got \\['RAM512X1S'\\]"):
        counted(stat)
