"""The tensor engine in SystemVerilog gives the products and takes the cycles of the register-level machine."""

import shutil
import subprocess
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from bisparse.configs.errors import MappingError
from bisparse.sim.witness.machines.random_cases import traits
from bisparse.sim.witness.rtl import icarus
from bisparse.sim.witness.rtl.array import play
from bisparse.sim.witness.rtl.cases import cases_for, job_of, random_twin

TWINS, PRODUCTS = 12, 20
OTHER_TWINS, OTHER_PRODUCTS = 2, 4

YOSYS = shutil.which("yosys")
if YOSYS is None:
    warnings.warn("NO YOSYS: no synthesiser read the hardware; install Debian's yosys", stacklevel=1)
if not icarus.found():
    warnings.warn(
        "NO ICARUS VERILOG: the hardware was not simulated; install Debian's iverilog (apt-get install iverilog)",
        stacklevel=1,
    )
simulated = pytest.mark.skipif(not icarus.found(), reason="no iverilog on this machine; see the warning")


def played(twins, products):
    """Every case, what the hardware gave, and what the machine gave."""
    found = []
    for number, twin in enumerate(twins):
        cases = cases_for(twin, products, start=1000 * number)
        hardware = play(twin, [job_of(case) for case in cases])
        found += [(case, gave, case.run()) for case, gave in zip(cases, hardware, strict=True)]
    return found


def mismatches(found):
    return [
        (case, hardware.cycles, machine.cycles)
        for case, hardware, machine in found
        if hardware.cycles != machine.cycles or not np.array_equal(hardware.product, machine.product)
    ]


@pytest.fixture(scope="module")
def small():
    return played([random_twin(seed) for seed in range(TWINS)], PRODUCTS)


@simulated
def test_products_and_cycles_are_the_machines(small):
    assert len(small) == TWINS * PRODUCTS
    assert mismatches(small) == []


@simulated
def test_the_machines_products_are_numpys(small):
    for case, _, machine in small:
        a, b = case.operands()
        assert np.array_equal(machine.product, a @ b)


@simulated
def test_what_was_played_has_every_kind(small):
    kinds = Counter()
    for case, _, machine in small:
        dense = case.compressed is None or case.pattern.is_dense
        stationary = case.mapping.dataflow != "os"
        kinds["weight stationary" if stationary else "output stationary", "dense" if dense else "N:M"] += 1
        kinds[case.machine.overlapped, len(machine.fold_starts) > 1] += 1
        kinds[case.machine.stationary_load if stationary else case.machine.drain] += 1
        kinds["turns", "edge folds" in traits(case)] += 1
        kinds["slow adder", "adder longer than interleave" in traits(case)] += 1
    assert min(kinds.values()) >= 20, kinds


@simulated
@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (1, 3), (3, 1), (1, 1)])
def test_other_sizes_are_the_machines(rows, cols):
    twins = [
        replace(twin, machine=replace(twin.machine, rows=rows, cols=cols))
        for twin in map(random_twin, range(OTHER_TWINS))
    ]
    assert mismatches(played(twins, OTHER_PRODUCTS)) == []


FAULTS = {
    "output_sequencer.sv": ("1'b1 != ACCUMULATE_LATENCY", "1'b1 != ACCUMULATE_LATENCY + 1"),
    "drain_column.sv": ("passed <= r", "passed < r"),
    "processing_element.sv": ("opens ? behind_words", "1'b0 ? behind_words"),
    "moving_sequencer.sv": (".STAGES(ACCUMULATE_LATENCY)", ".STAGES(ACCUMULATE_LATENCY + 1)"),
    "chain_loader.sv": ("last_position - position", "position"),
    "mac_pipeline.sv": ("adder_from_above ? sum_above : kept", "kept"),
}
"""By file, a line of the hardware and what is wrong with it."""


@simulated
@pytest.mark.parametrize("file", FAULTS)
def test_a_fault_in_the_hardware_is_found_out(file, monkeypatch):
    right, wrong = FAULTS[file]
    texts = icarus.design()
    assert right in texts[file]
    monkeypatch.setattr(icarus, "design", lambda: {**texts, file: texts[file].replace(right, wrong)})
    try:
        found = mismatches(played([random_twin(0)], 8))
    except RuntimeError as error:
        found = str(error)
    assert found


def test_a_product_that_does_not_fit_is_refused_before_anything_is_simulated():
    twin = random_twin(0)
    (case,) = cases_for(twin, 1, start=0)
    for changed, said in (({"pairs_west": True}, "pairs_west: got True, need False"), ({"group": 0}, "at most 0")):
        with pytest.raises(MappingError, match=said):
            play(replace(twin, **changed), [job_of(case)])


@pytest.mark.skipif(YOSYS is None, reason="no yosys on this machine; see the warning")
@pytest.mark.parametrize("ports", ["0", "1"])
def test_yosys_reads_the_hardware_and_finds_no_loop_and_no_double_driver(ports, tmp_path):
    for name, text in icarus.design().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    chosen = " ".join(f"-chparam {name} {ports}" for name in ("CHAINED_LOAD", "PAIRS_WEST", "SHIFTED_DRAIN"))
    script = f"read_verilog -sv *.sv; hierarchy -check -top tensor_engine {chosen}; proc; check -assert"
    subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, check=True, capture_output=True, timeout=300)
