"""The burst trace: every byte that the walk counts, where it lies, in the order in which tiles move."""

import gzip
import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.sim.bursts.burst_trace import FORMATS, BurstTrace, tensor_work
from bisparse.sim.bursts.tensor_layout import ProductLayout
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.witness.traffic_agreement import random_tiling
from bisparse.training.recipes.declaration import load_recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from bisparse.api import load_workload


@pytest.fixture(scope="module")
def schedule():
    simulator = Simulator(
        workload=load_workload("resnet18-tinyimagenet"),
        hardware=load_hardware("sat-vcu1525-timed"),
        options=Options(batch=2, keep_on_chip=False),
        version="test",
    )
    return simulator.schedule(load_recipe("bdwp"), Pattern.parse("2:8"))


def traced(schedule, operator):
    return BurstTrace(schedule=schedule, work=tensor_work(schedule, operator))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_runs_of_every_block_hold_the_bytes_that_the_walk_counts(seed):
    walk = random_tiling(seed).walk()
    layout = ProductLayout(walk=walk)
    for visit in walk.visits[:40]:
        for what, block in (*walk.loads(visit), *walk.stores(visit)):
            runs = list(layout.runs(what, visit)) if block.moved_bytes else []
            assert sum(run.size for run in runs) == block.moved_bytes
            # They ascend without touching each other twice, inside of their tensor.
            end = 0
            for run in runs:
                assert run.start >= end
                end = run.start + run.size
            assert end <= layout.tensor_bytes(what)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_blocks_of_an_output_cover_each_byte_once(seed):
    case = random_tiling(seed)
    walk = replace(case, gemm=replace(case.gemm, on_chip=())).walk()
    layout = ProductLayout(walk=walk)
    written = np.zeros(layout.tensor_bytes("final"), dtype=np.int64)
    for visit in walk.visits:
        for what, _ in walk.stores(visit):
            if what == "final":
                for run in layout.runs(what, visit):
                    written[run.start : run.start + run.size] += 1
    assert written.max() == 1
    blocks = walk.gemm.packed if walk.gemm.diagonal == "c" else 1
    assert written.sum() == walk.gemm.m * walk.gemm.n // blocks * walk.result_element_bytes


@pytest.mark.parametrize("operator", ["layer1.0.conv1:FF", "layer2.0.conv1:BP", "layer4.0.conv2:WU"])
def test_a_trace_moves_what_the_walk_moves(schedule, operator):
    trace = traced(schedule, operator)
    counted = Counter(burst.write for burst in trace.bursts())
    read = written = 0
    for layout in trace.layouts:
        moved, count = layout.walk.moved, layout.walk.gemm.count
        read += count * (moved.a_bytes + moved.b_bytes + moved.partial_sum_read_bytes)
        written += count * (moved.partial_sum_write_bytes + moved.result_bytes)
    # Channels are whole bursts in these operators, so nothing is rounded.
    assert {write: count * trace.burst_bytes for write, count in counted.items()} == {False: read, True: written}


def test_reads_are_of_the_operands_and_writes_of_the_results(schedule):
    trace = traced(schedule, "layer2.0.conv1:BP")
    tensors = list(trace.tensors.values())
    starts = [tensor.base for tensor in tensors]
    assert starts == sorted(starts)
    assert all(tensor.base % trace.burst_bytes == 0 for tensor in tensors)
    for address, write in trace.bursts():
        tensor = tensors[np.searchsorted(starts, address, side="right") - 1]
        assert tensor.base <= address < tensor.base + tensor.size_bytes
        assert tensor.name.endswith(" C") == write


def test_the_phases_of_an_operator_read_one_gradient(schedule):
    names = list(traced(schedule, "layer2.0.conv1:BP").tensors)
    assert names[0] == "layer2.0.conv1:BP A"
    assert sum(name.endswith(" A") for name in names) == 1
    assert sum(name.endswith(" B") for name in names) == sum(name.endswith(" C") for name in names) == 4


def test_a_tile_leaves_after_the_next_but_one_has_come(schedule):
    """In a product of several tiles that each load and store: load, load, then a load and a store in turn."""
    trace = traced(schedule, "layer1.0.conv1:FF")
    (layout,) = trace.layouts
    visits = layout.walk.visits
    assert len(visits) > 3
    expected = []
    for number, visit in enumerate([*visits, None, None]):
        if visit is not None:
            expected += [False] * any(layout.walk.loads(visit))
        if number >= 2:
            expected += [True] * any(layout.walk.stores(visits[number - 2]))
    seen = [burst.write for burst in trace.bursts()]
    changes = [seen[0], *(here for before, here in itertools.pairwise(seen) if before != here)]
    merged = [expected[0], *(here for before, here in itertools.pairwise(expected) if before != here)]
    assert changes == merged


@pytest.mark.parametrize(
    ("form", "first", "last"),
    [
        ("ramulator", "0x0 R", "0x{:x} W"),
        ("ramulator2", "LD 0x0", "ST 0x{:x}"),
        ("dramsim3", "0x0 READ 0", "0x{:x} WRITE 0"),
    ],
)
def test_each_format_is_its_simulators(schedule, tmp_path, form, first, last):
    trace = traced(schedule, "layer4.0.conv1:FF")
    written = trace.write(tmp_path / "trace.gz", form)
    lines = gzip.decompress((tmp_path / "trace.gz").read_bytes()).decode().splitlines()
    final = trace.tensors["layer4.0.conv1:FF C"]
    assert lines[0] == first
    assert lines[-1] == last.format(final.base + final.size_bytes - trace.burst_bytes)
    assert (written.bursts, written.cut) == (len(lines), False)


def test_a_limit_cuts_the_trace_and_says_so(schedule, tmp_path):
    trace = traced(schedule, "layer4.0.conv1:FF")
    written = trace.write(tmp_path / "trace", "ramulator", limit=10)
    assert (written.bursts, written.reads, written.cut) == (10, 10, True)
    assert len((tmp_path / "trace").read_text().splitlines()) == 10


def test_an_unknown_operator_or_format_gets_near_names(schedule, tmp_path):
    with pytest.raises(
        ConfigError, match=r"operator: got 'layer1.0.conv:FF', need a product of resnet18.*; try layer1"
    ):
        tensor_work(schedule, "layer1.0.conv:FF")
    with pytest.raises(ConfigError, match=r"format: got 'ramulator3', need one of .*; try ramulator"):
        traced(schedule, "conv1:FF").write(tmp_path / "trace", "ramulator3")
    assert not (tmp_path / "trace").exists()
    assert list(FORMATS) == ["ramulator", "ramulator2", "dramsim3"]


def test_what_stays_on_chip_has_no_address_and_moves_no_burst(schedule):
    work = tensor_work(schedule, "layer1.0.conv1:FF")
    (product,) = work.products
    kept = replace(product, gemm=replace(product.gemm, on_chip=("a", "c")))
    trace = BurstTrace(schedule=schedule, work=replace(work, products=(kept,)))
    assert list(trace.tensors) == ["layer1.0.conv1:FF B"]
    assert {burst.write for burst in trace.bursts()} == {False}
