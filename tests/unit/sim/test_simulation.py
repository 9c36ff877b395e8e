"""What a simulation refuses before it begins, and the steps that have nothing to compare."""

from dataclasses import replace

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError, MappingError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow import search_compiled
from bisparse.reports import text_summary, write_run
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.step.step_size import LARGEST_STEP
from bisparse.training.graph import Operator, Size, Stage
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse.api import load_workload

from ..dataflow.hand_made import MLP

RESNET9 = load_workload("resnet9-cifar10")


def simulator(**options):
    return Simulator(
        workload=RESNET9, hardware=load_hardware("sat-vcu1525"), options=Options(**options), version="test"
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch": "x"}, "batch: got 'x', need an integer of at least 1"),
        ({"batch": 2.5}, "batch: got 2.5, need an integer of at least 1"),
        ({"batch": True}, "batch: got True, need an integer of at least 1"),
        ({"batch": 0}, "batch: got 0, need an integer of at least 1"),
        ({"objective": 3}, "objective: got 3, need one of time, energy, energy-delay"),
        ({"optimizer": []}, "optimizer: got [], need one of sgd, sgd-momentum, adam, adam-watched, adam-frozen"),
        ({"optimizer": "sdg"}, "optimizer: got 'sdg', need one of sgd, sgd-momentum, adam, adam-watched, adam-frozen"),
        ({"pre_generation": "no"}, "pre_generation: got 'no', need True, False or None"),
        ({"interleave": None}, "interleave: got None, need True or False"),
        ({"keep_on_chip": "yes"}, "keep_on_chip: got 'yes', need True, False or None"),
        ({"dataflows": "os"}, "dataflows: got 'os', need a tuple of os, ws, is, or None"),
        ({"dataflows": ("rs",)}, "dataflows: got ('rs',), need a tuple of os, ws, is, or None"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_in_one_line(option, message):
    with pytest.raises(ConfigError) as wrong:
        bisparse.simulate("resnet9-cifar10", **option)
    assert str(wrong.value) == message


def test_a_batch_counted_by_numpy_is_a_batch():
    assert type(Options(batch=np.int64(8)).batch) is int


@pytest.mark.parametrize("batch", [10**11, 10**30])
def test_a_step_whose_counts_would_overflow_is_refused_with_the_largest_that_does_not(batch):
    with pytest.raises(ConfigError) as wrong:
        simulator(batch=batch)
    most = LARGEST_STEP // RESNET9.graph.macs(1)
    assert str(wrong.value).startswith(f"batch: got {batch}, need at most {most}: a larger step of resnet9-cifar10")
    with pytest.raises(ConfigError):
        simulator(batch=most + 1)


def test_vector_operations_of_more_elements_than_are_counted_exactly_are_refused():
    """Nothing else in a graph bounds what an operator says that it touches."""
    operators = tuple(
        replace(operator, elements=Size(LARGEST_STEP + 1)) if operator.kind == "relu" else operator
        for operator in MLP.operators
    )
    with pytest.raises(ConfigError, match=r"need a step of at most 1e\+16 MACs, and elements, at batch 1"):
        bisparse.simulate(replace(MLP, operators=operators))


def test_the_largest_step_is_counted_exactly():
    """Ten times fewer samples take a tenth of everything: nothing has wrapped around."""
    most = LARGEST_STEP // RESNET9.graph.macs(1)
    large, small = (simulator(batch=batch).run(load_recipe("bdwp"), Pattern(2, 8)) for batch in (most, most // 10))
    for figure in ("total_cycles", "energy_joules", "dram_read_bytes", "dram_write_bytes"):
        assert getattr(large, figure) == pytest.approx(10 * getattr(small, figure), rel=0.05)


def recipe(tmp_path, rules):
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: bdwp\nname: mine\n{rules}\n")
    return path


def test_a_rule_for_no_product_of_the_workload_is_refused_at_its_line(tmp_path):
    file = recipe(tmp_path, "layers:\n  - {names: ['0.*'], sparsity: '2:4'}\n  - {names: [classifer], sparsity: '2:4'}")
    with pytest.raises(ConfigError) as wrong:
        bisparse.simulate("resnet9-cifar10", recipe=file)
    assert str(wrong.value).startswith(
        f"{file}:5: layers.1.names.0: got 'classifer', need the path of a matrix product by a weight of resnet9-cifar10"
    )
    file = recipe(tmp_path, "dense: {names: ['9.*']}")
    with pytest.raises(ConfigError, match=r"mine\.yaml:3: dense\.names\.0: got '9\.\*', need the path of .*; try "):
        bisparse.simulate("resnet9-cifar10", recipe=file)


def test_a_ratio_of_a_layer_that_the_array_lacks_is_refused_like_that_of_the_run(tmp_path):
    file = recipe(tmp_path, "layers: [{names: ['0.*'], sparsity: '2:4'}, {names: ['1.*'], sparsity: '3:7'}]")
    with pytest.raises(
        MappingError, match=r"mine\.yaml:3: layers\.1\.sparsity: got 3:7, need one that sat-vcu1525 has"
    ):
        bisparse.simulate("resnet9-cifar10", recipe=file)


def test_a_ratio_of_one_stage_changes_that_stage_alone(tmp_path):
    file = recipe(tmp_path, "layers: [{names: ['*'], sparsity: '2:4', stages: [BP]}]")
    rows = [row for row in bisparse.simulate("resnet9-cifar10", recipe=file).rows if row.sparsity != "dense"]
    by_stage = {(row.stage, row.sparsity) for row in rows if row.engine == "tensor"}
    assert by_stage == {("FF", "2:8"), ("BP", "2:4")}


def test_a_step_without_products_gains_nothing():
    alone = replace(
        RESNET9.graph, operators=tuple(each for each in RESNET9.graph.operators if not each.is_product), counted_macs={}
    )
    result = bisparse.simulate(alone)
    assert result.total_cycles > 0
    assert (result.speedup_vs_dense, result.flop_bound_speedup, result.array_utilisation) == (1, 1, 0)


def test_a_step_of_nothing_can_be_reported(tmp_path):
    idle = Operator(name="idle", kind="relu", stage=Stage.FORWARD, module="idle", inputs=(), outputs=())
    result = bisparse.simulate(replace(RESNET9.graph, operators=(idle,), counted_macs={}))
    assert result.total_cycles == 0
    assert (result.speedup_vs_dense, result.energy_ratio_vs_dense) == (1, 1)
    text_summary([result])
    write_run([result], tmp_path, command="test")


# Steps of years ------------------------------------------------------------------------------------------------------


def huge(**sections):
    """A design beyond the bounds that its file is held to, and the arithmetic is not; fields by section."""
    loaded = load_hardware("sat-vcu1525")
    model = loaded.model
    changed = {name: getattr(model, name).model_copy(update=fields) for name, fields in sections.items()}
    return replace(loaded, model=model.model_copy(update={"name": "huge", **changed}))


@pytest.mark.parametrize(("price", "kinds"), [(1.0e14, ["batch_norm"]), (1.0e15, ["relu", "batch_norm"])])
def test_a_step_that_passes_64_bits_is_added_up_whole(price, kinds):
    operations = load_hardware("sat-vcu1525").model.vector_engine.operations
    dear = {kind: operations[kind].model_copy(update={"cycles_per_element": price}) for kind in kinds}
    hardware = huge(vector_engine={"operations": operations | dear})
    result = bisparse.simulate("resnet9-cifar10", hardware=hardware, batch=64)
    assert result.total_cycles > 2**64
    assert sum(result.by_stage.values()) == sum(result.stalls.values()) == result.total_cycles


def test_counts_that_64_bits_do_not_hold_are_refused(monkeypatch):
    # Kernels leave out the mapping whose counts overflow, and find one that this design, of no file, can run.
    monkeypatch.setattr(search_compiled, "is_ready", lambda searches: False)
    own = load_hardware("sat-vcu1525").model.buffers
    buffers = {
        side: getattr(own, side).model_copy(update={"capacity_bytes": 4 * 10**18})
        for side in ("west", "north", "output")
    }
    hardware = huge(tensor_engine={"rows": 100_000_000, "cols": 1}, buffers=buffers)
    with pytest.raises(ConfigError, match="huge: got numbers beyond 64 bits on the way, need a smaller design"):
        bisparse.simulate("resnet9-cifar10", hardware=hardware, batch=2_000_000)
