"""A normalisation's first pass on the way out of what it normalises: bytes, lanes and lives, counted from the graph."""

from dataclasses import replace

import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import ConfigError
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.liveness import lives
from bisparse.dataflow.scheduler import outline
from bisparse.dataflow.work_order import order_work
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from pydantic import ValidationError

from bisparse.api import load_workload

SAT = load_hardware("sat-vcu1525")
KINDS = ("batch_norm", "batch_norm_backward")
BATCH = 8


def with_statistics(*kinds):
    """SAT, with the statistics of these kinds fused."""
    vector = SAT.model.vector_engine.model_copy(update={"fused_statistics": kinds})
    return SAT.model.model_copy(update={"vector_engine": vector})


@pytest.fixture(scope="module")
def pruned():
    return annotate(
        load_workload("resnet9-cifar10").graph, load_recipe("bdwp").model, Pattern(2, 8), pre_generation=True
    )


def vector_works(pruned, hardware):
    works = outline(pruned, hardware, batch=BATCH, optimizer="sgd-momentum").works
    return [each for work in works for each in (*work.own_vector_works, *work.fused.works)]


def by_hand(pruned):
    """Bytes of the operand that each normalisation would not read again: what the work before it makes."""
    graph, saved = pruned.graph, 0
    for operator in graph.operators:
        if operator.kind in KINDS:
            made = [name for name in operator.inputs if name in graph.producer]
            moving = max(made, key=lambda name: graph.operators.index(graph.producer[name]))
            saved += 2 * graph.tensors[moving].elements(BATCH)
    return saved


def test_one_pass_over_what_the_work_before_makes_is_no_longer_read(pruned):
    before, after = (vector_works(pruned, with_statistics(*kinds)) for kinds in ((), KINDS))
    saved = sum(each.read_bytes for each in before) - sum(each.read_bytes for each in after)
    assert saved == by_hand(pruned) > 0
    assert sum(each.write_bytes for each in before) == sum(each.write_bytes for each in after)
    lanes = [sum(each.lane_operations for each in works) for works in (before, after)]
    assert lanes[0] == pytest.approx(lanes[1])


def test_the_other_operand_of_a_backward_pass_is_read_in_both(pruned):
    works = {each.operator: each for each in vector_works(pruned, with_statistics(*KINDS))}
    backward = next(each for each in works.values() if each.kind == "batch_norm_backward")
    first, second = (
        works[f"{backward.operator.removesuffix(':statistics')}:statistics"],
        works[backward.operator.removesuffix(":statistics")],
    )
    assert {access.tensor for access in first.reads} < {access.tensor for access in second.reads}
    assert all(access.passes == 1 for access in (*first.reads, *second.reads))


def test_the_operand_lies_in_memory_all_the_same(pruned):
    alike = [
        {life.tensor for life in lives(order_work(pruned, SAT.model.vector_engine.fused, kinds))}
        for kinds in ((), KINDS)
    ]
    assert alike[0] == alike[1]


@pytest.mark.parametrize("engine", ["analytic", "event"])
def test_a_step_is_faster_by_either_engine_and_every_byte_is_counted(pruned, engine):
    totals = []
    for hardware in (SAT.model, with_statistics(*KINDS)):
        options = Options(batch=BATCH, engine=engine, keep_on_chip=False)
        simulator = Simulator(
            workload=load_workload("resnet9-cifar10"),
            hardware=replace(SAT, model=hardware),
            options=options,
            version="test",
        )
        totals.append(simulator.run(load_recipe("bdwp"), Pattern(2, 8)))
    before, after = totals
    assert after.total_cycles < before.total_cycles
    assert before.dram_read_bytes - after.dram_read_bytes == by_hand(pruned)


def test_a_kind_of_one_pass_has_no_statistics_to_fuse():
    document = SAT.model.vector_engine.model_dump() | {"fused_statistics": ("relu",)}
    with pytest.raises((ValidationError, ConfigError), match=r"fused_statistics\.0: got 'relu', need a kind of 2"):
        type(SAT.model.vector_engine)(**document)
