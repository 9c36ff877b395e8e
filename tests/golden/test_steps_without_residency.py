"""Every shipped workload, with nothing kept on chip, costs what it cost before tensors could stay there.

Made by ``bisparse compare WORKLOAD --hardware HARDWARE --batch BATCH --recipes RECIPE --no-keep-on-chip --json``. An
empty batch is the workload's own. The first file was made on the commit before residency, where the option did not
exist. It changes when something else about the model does; say what, and make it again. Made again since: fused
operators hold up the store of each finished tile, and updates beside works go at constant paces (cycles and static
energy grow by at most 0.8%; bytes are the same); then the mapping space grew (steps from 6.2% faster to 0.005% slower,
for a mapping within a thousandth of the fastest may be taken; 0.06% to 27% fewer bytes in DRAM; energy from 21% less to
0.6% more, where the array's ports pay for the bytes); then groups were packed and dropout masks became bytes (MobileNet
on SAT 71% fewer cycles, BERT and GPT-2 up to 0.5% less energy); then energy decided between mappings that are as fast
(up to 1.8% less of it, 0.8% more bytes in DRAM and 0.05% more cycles); then picking an operand out of a group got a
price (sparse steps up to 0.7% more energy, cycles and bytes the same).
"""

import csv
from pathlib import Path

import pytest
from bisparse.configs.library import names

import bisparse

ROWS = list(csv.DictReader(Path(__file__).with_name("steps-without-residency.csv").open()))


def test_every_shipped_workload_and_design_is_there():
    assert {row["workload"] for row in ROWS} == set(names("workloads"))
    assert {row["hardware"] for row in ROWS} == set(names("hardware"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(list(row.values())[:4]))
def test_a_step_that_keeps_nothing_costs_what_it_did(row):
    result = bisparse.simulate(
        row["workload"],
        row["hardware"],
        row["recipe"],
        batch=int(row["batch"]) if row["batch"] else None,
        keep_on_chip=False,
    )
    figures = ("total_cycles", "dram_read_bytes", "dram_write_bytes")
    assert {name: getattr(result, name) for name in figures} == {name: int(row[name]) for name in figures}
    assert result.energy_joules == pytest.approx(float(row["energy_joules"]), rel=1e-12)
    assert (result.on_chip.tensors, result.on_chip.saved_bytes) == (0, 0)
