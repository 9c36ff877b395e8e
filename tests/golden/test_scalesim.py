"""SCALE-Sim 3.0.0, row by row.

The file holds 'Total Cycles' of 357 dense products, measured with ``pip install "scalesim==3.0.0" "numpy<2.4"``,
stalls switched off by wide memories. It changes only when SCALE-Sim is measured again.
"""

import csv
from collections import Counter
from pathlib import Path

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.library import find
from bisparse.sim.product.product_list import read_products
from bisparse.sim.witness.peers import TEXTBOOK_DESIGN, scalesim_rows, scalesim_total_cycles

GOLDEN = Path(__file__).with_name("scalesim-dense-gemm.csv")
TEXTBOOK = load_hardware(TEXTBOOK_DESIGN).model


def ceil_div(count, size):
    return -(-count // size)


@pytest.mark.parametrize(
    "product", list(read_products(GOLDEN)), ids=lambda product: f"line {product.place.rpartition(':')[2]}"
)
def test_the_textbook_design_takes_the_cycles_that_scalesim_printed(product):
    cycles = product.on(TEXTBOOK).cycles
    assert scalesim_total_cycles(cycles) == int(product.given["scalesim_total_cycles"])


def test_all_dataflows_and_oblong_arrays_are_among_the_rows():
    rows = list(csv.DictReader(GOLDEN.open()))
    assert len(rows) == 357
    assert set(Counter(row["dataflow"] for row in rows)) == {"os", "ws", "is"}
    assert any(int(row["rows"]) < int(row["cols"]) for row in rows)
    assert any(int(row["rows"]) > int(row["cols"]) for row in rows)


def test_the_shipped_rows_are_the_golden_ones():
    assert find("peers", "scalesim-dense-gemm").read_bytes() == GOLDEN.read_bytes()


def test_a_wrong_count_is_told_with_its_place():
    row = next(scalesim_rows())
    assert row.disagreement(TEXTBOOK) is None
    latency = TEXTBOOK.tensor_engine.model_copy(update={"mac_latency": 2})
    slower = TEXTBOOK.model_copy(update={"tensor_engine": latency})
    found = row.disagreement(slower)
    assert found is not None
    assert f"{row.product.place}: SCALE-Sim {row.total_cycles}, systolic-textbook {row.total_cycles + 1}" in found
