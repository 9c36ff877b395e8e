"""Which tensors stay on chip: by hand on a small step, and laws on steps of shipped networks."""

from functools import cache

import numpy as np
import pytest
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.liveness import lives
from bisparse.dataflow.product_cost import MappedProducts
from bisparse.dataflow.residency import TileDemand, spare_bytes
from bisparse.dataflow.scheduler import Mapper, build_schedule
from bisparse.dataflow.work_order import order_work
from bisparse.dataflow.works import Access, TensorWork, VectorWork
from bisparse.sim.step.analytic import time_step
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import load_recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from bisparse.api import load_workload, simulate

from .hand_made import HIDDEN, MLP, annotated

SAT = load_hardware("sat-vcu1525").model


def with_buffers(hardware, divisor):
    """The design with each buffer that many times smaller."""
    buffers = hardware.buffers
    smaller = {
        side: getattr(buffers, side).model_copy(
            update={"capacity_bytes": getattr(buffers, side).capacity_bytes // divisor}
        )
        for side in ("west", "north", "output")
    }
    return hardware.model_copy(update={"buffers": buffers.model_copy(update=smaller)})


def schedules(pruned, hardware, batch):
    """The same step with everything in DRAM, and with what fits on chip."""
    mapper = Mapper(hardware=hardware)
    return [
        build_schedule(
            pruned, mapper, batch=batch, optimizer="sgd-momentum", overlap_update=True, keep_on_chip=keep
        )
        for keep in (False, True)
    ]  # fmt: skip


@cache
def of_workload(name, recipe, batch, design="sat-vcu1525", divisor=1):
    hardware = with_buffers(load_hardware(design).model, divisor)
    pruned = annotate(load_workload(name).graph, load_recipe(recipe).model, Pattern(2, 8), pre_generation=True)
    return schedules(pruned, hardware, batch)


@cache
def timed(*case):
    """The times of both steps of a workload."""
    return [time_step(schedule) for schedule in of_workload(*case)]


CASES = [
    ("resnet9-cifar10", "bdwp", 4, "sat-vcu1525", 1),
    ("resnet9-cifar10", "bi-mask", 16, "sat-vcu1525", 4),
    ("resnet9-cifar10", "sdgp", 8, "datacenter-128x128", 16),
    ("vit-cifar10", "bdwp", 2, "sat-vcu1525", 2),
    ("resnet18-tinyimagenet", "sr-ste", 2, "edge-16x16", 1),
    ("mobilenet-v2-imagenet", "bdwp", 1, "sat-vcu1525", 1),
]
steps = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))


def spare_of(schedule):
    hardware = schedule.hardware

    def of(work):
        mapped = [MappedProducts.of(product.gemm, hardware, product.mapping) for product in work.products]
        room = np.array([hardware.buffers.capacity_bytes])
        return int(spare_bytes([TileDemand.of(each) for each in mapped], room)[0])

    return np.array([of(work) for work in schedule.works])


def dram_bytes(step):
    by_work = []
    for time in step.works:
        demand = time.work.demand()
        moved = demand.read_bytes + demand.write_bytes
        moved += sum(cost.read_bytes + cost.write_bytes for cost in time.costs)
        by_work.append(moved)
    return by_work


# By hand -------------------------------------------------------------------------------------------------------------


def test_a_small_step_keeps_all_that_lives_within_it():
    """Everything but x, which no work makes, and the gradients of weights. Bytes as held at batch 4; saved, in FP16:
    r is written once, and read by l2:FF, l2:WU and the ReLU's gradient; dy is written and read by two products."""
    _, kept = schedules(annotated(), SAT, 4)
    by_name = {each.tensor: each for each in kept.resident}
    assert set(by_name) == {"r", "y", "dy", "dh"}
    assert (by_name["r"].held_bytes, by_name["r"].saved_bytes) == (128, 4 * 128)
    assert (by_name["dy"].held_bytes, by_name["dy"].saved_bytes) == (64, 3 * 64)
    assert (by_name["dh"].first, by_name["dh"].last, by_name["dh"].saved_bytes) == (4, 5, 2 * 128)


def test_products_are_told_which_of_their_tensors_stay():
    _, kept = schedules(annotated(), SAT, 4)
    on_chip = {work.operator: work.products[0].gemm.on_chip for work in kept.works if isinstance(work, TensorWork)}
    assert on_chip == {
        "l1:FF": ("c",),  # h is carried to the ReLU, and r stays
        "l2:FF": ("a", "c"),
        "l2:WU": ("a", "b"),
        "l2:BP": ("a", "c"),
        "l1:WU": ("b",),
    }


def test_a_rider_whose_operands_and_result_stay_moves_nothing():
    _, kept = schedules(annotated(), SAT, 4)
    (backward,) = kept.works[4].fused.works
    assert (backward.operator, backward.read_bytes, backward.write_bytes) == ("relu_backward", 0, 0)


def test_a_tensor_larger_than_the_buffers_does_not_stay():
    """8 MiB in all; at batch 2^20 the smallest tensor within the step, of 8 values a sample, takes 16 MiB."""
    assert schedules(annotated(), SAT, 1 << 20)[1].resident == ()


def test_of_two_that_do_not_fit_together_the_one_that_saves_more_a_byte_and_work_stays():
    """At batch 2^17 y and dy take 2 MiB each, r and dh 4 MiB. Times moved over works held: y 2/2, dy 3/3, dh 2/2, r
    4/5. So r comes last, and finds less than 4 MiB of 8 beside dy and dh in l2:BP."""
    _, kept = schedules(annotated(), SAT, 1 << 17)
    assert {each.tensor: each.held_bytes >> 20 for each in kept.resident} == {"y": 2, "dy": 2, "dh": 4}
    assert all(each.saved_bytes == each.held_bytes * (each.last - each.first + 1) for each in kept.resident)


def test_a_fused_write_counts_only_beyond_what_the_product_stores():
    """A ReLU writes 128 bytes in place of its operand's 128; on chip neither is written."""

    def relu(on_chip):
        access = Access(tensor="r", tensor_bytes=128, on_chip=on_chip)
        return VectorWork(
            operator="relu", module="", kind="relu", stage="FF", lane_operations=1, writes=(access,), displaces=access
        )

    assert [relu(on_chip).write_bytes for on_chip in (False, True)] == [0, 0]


# Laws ----------------------------------------------------------------------------------------------------------------


@steps
def test_what_stays_never_takes_more_than_the_room_that_tiles_leave(case):
    plain, kept = of_workload(*case)
    held = np.zeros(len(plain.works), dtype=np.int64)
    for each in kept.resident:
        held[each.first : each.last + 1] += each.held_bytes
    assert kept.resident
    assert (held <= spare_of(plain)).all()


@steps
def test_bytes_saved_are_the_bytes_no_longer_moved(case):
    _, kept = of_workload(*case)
    before, after = map(dram_bytes, timed(*case))
    assert sum(before) - sum(after) == sum(each.saved_bytes for each in kept.resident) > 0
    assert all(less <= more for less, more in zip(after, before, strict=True))


@steps
def test_no_work_and_no_step_is_slower(case):
    before, after = timed(*case)
    slower = [
        less.work for less, more in zip(after.works, before.works, strict=True) if less.cycles > more.cycles
    ]  # fmt: skip
    assert slower == []
    assert after.total_cycles <= before.total_cycles


@steps
def test_mappings_are_those_of_the_step_without_residency(case):
    plain, kept = of_workload(*case)
    assert [each.mapping for each in kept.products] == [each.mapping for each in plain.products]


@steps
def test_neither_parameters_nor_their_gradients_nor_data_stay(case):
    _, kept = of_workload(*case)
    order = order_work(kept.pruned, kept.hardware.vector_engine.fused)
    whole = {life.tensor: (life.first, life.last) for life in lives(order) if life.made and not life.updates}
    for each in kept.resident:
        assert whole[each.tensor] == (each.first, each.last)
        assert order.tensor(each.tensor).role in ("activation", "gradient")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 1 << 19), st.sampled_from([1, 2, 16, 256]))
def test_at_any_batch_and_size_of_buffers_the_bytes_add_up_and_the_room_suffices(batch, divisor):
    plain, kept = schedules(annotated(), with_buffers(SAT, divisor), batch)
    held = np.zeros(len(plain.works), dtype=np.int64)
    for each in kept.resident:
        held[each.first : each.last + 1] += each.held_bytes
    assert (held <= spare_of(plain)).all()
    before, after = time_step(plain), time_step(kept)
    assert sum(dram_bytes(before)) - sum(dram_bytes(after)) == sum(each.saved_bytes for each in kept.resident)
    assert after.total_cycles <= before.total_cycles


def test_larger_buffers_never_save_less_where_all_fits():
    saved = [
        sum(each.saved_bytes for each in of_workload("resnet9-cifar10", "bdwp", 4, "sat-vcu1525", divisor)[1].resident)
        for divisor in (16, 4, 1)
    ]
    assert saved == sorted(saved)


def test_the_choice_does_not_depend_on_anything_but_the_inputs():
    pruned = annotated()
    assert schedules(pruned, SAT, 4)[1].resident == schedules(pruned, SAT, 4)[1].resident


def test_what_a_forward_pass_is_run_for_is_written():
    """All of this one fits on chip, and nobody in the step reads its last result."""
    found = simulate(MLP, recipe="dense", pass_="inference", batch=4)
    assert found.dram_write_bytes == 4 * HIDDEN * 2
