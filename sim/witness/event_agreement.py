"""Whether the event engine agrees with itself and with the closed forms, on random schedules.

``bisparse validate`` and the property tests ask here. A schedule is a function of one integer: products of any kind in
random tiles on a small random design, with fused operators; vector work; updates that become ready anywhere, beside the
works or after them. Three questions: is a step with fast-forward the step without it, cycle for cycle; are channels
played one by one those played as one; does every product that runs undisturbed take the cycles, causes and bytes of its
closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...accel.exploits import Exploits, UnstructuredSkipping
from ...accel.specification import BYTES_OF, SIDES, Hardware
from ...configs.pattern import DENSE
from ...dataflow.dataflows import BUILT_IN
from ...dataflow.formats.skipped import met_by
from ...dataflow.gemm import Beside, Gemm
from ...dataflow.mapping import LOOP_ORDERS, Mapping, array_mappings
from ...dataflow.product_cost import ProductCost, product_cost
from ...dataflow.schedule import Schedule
from ...dataflow.shares import most_shares
from ...dataflow.tile_grid import TileGrid
from ...dataflow.works import Access, ChainedVectorWork, Fused, PlannedProduct, TensorWork, UpdateWork, VectorWork, Work
from ...training.graph import Stage, TrainingGraph
from ...training.recipes.annotation import PrunedGraph
from ...training.recipes.declaration import Recipe
from ..event.engine import time_step
from ..event.machine import Play
from ..step.step_time import StepTime
from .traffic_agreement import PATTERNS, Draw, random_hardware, random_product, some_on_chip

LARGEST_PRODUCT = 1500
"""Tiles that a product of a random schedule may have."""

FAST = Play(fast_forward=True)
SLOW = Play(fast_forward=False)
APART = Play(fast_forward=True, channels_apart=True)


def random_schedule(seed: int) -> Schedule:
    """The schedule that an integer names.

    >>> random_schedule(3) == random_schedule(3)
    True
    """
    draw = Draw(seed)
    hardware = _random_design(draw)
    works: list[Work] = []
    for number in range(draw.between(1, 9)):
        # Networks repeat themselves; what is known of a work is used for its equals.
        again = works[draw.between(0, number - 1)] if works and draw.chance(0.4) else None
        works.append(again or _random_work(draw, hardware, number))
    updates = sorted(
        (_random_update(draw, number, len(works)) for number in range(draw.between(0, 4))),
        key=lambda update: update.ready_after,
    )
    return bare_schedule(
        f"random {seed}",
        hardware,
        tuple(works),
        tuple(updates),
        overlap_update=draw.chance(0.7),
        overlap_vector=draw.chance(0.5),
        needs=tuple(_random_needs(draw, number) for number in range(len(works))),
    )


def bare_schedule(
    name: str,
    hardware: Hardware,
    works: tuple[Work, ...],
    updates: tuple[UpdateWork, ...] = (),
    *,
    overlap_update: bool = True,
    overlap_vector: bool = False,
    needs: tuple[tuple[int, ...], ...] = (),
) -> Schedule:
    """A schedule of works that no graph stands behind: all that an engine needs."""
    pruned = PrunedGraph(
        graph=TrainingGraph(name=name, source=name, default_batch=1, tensors={}, operators=()),
        recipe=Recipe(name="none", title="", source=name),
        pattern=DENSE,
        pre_generation=True,
        prunings={},
        dense_reasons={},
        copies={},
    )
    return Schedule(
        hardware=hardware,
        pruned=pruned,
        batch=1,
        objective="time",
        optimizer="sgd",
        works=works,
        updates=updates,
        overlap_update=overlap_update,
        interleave=True,
        overlap_vector=overlap_vector,
        needs=needs,
    )


def _random_design(draw: Draw) -> Hardware:
    base = random_hardware(draw)
    roomy: dict[str, object] = {
        side: getattr(base.buffers, side).model_copy(
            update={"capacity_bytes": 1 << 30, "port_bytes_per_cycle": 1 << draw.between(1, 6)}
        )
        for side in SIDES
    }
    latency = draw.between(1, 8)
    engine = base.tensor_engine.model_copy(
        update={
            "dataflows": BUILT_IN,
            "patterns": PATTERNS,
            "exploits": Exploits(
                unstructured=UnstructuredSkipping(
                    group=1 << draw.between(2, 4), lockstep=draw.between(1, 8), queue=draw.between(1, 3)
                )
            ),
            "compressed_west": True,
            "compressed_moving": True,
            "overlapped": draw.chance(0.5),
            "spread_groups": draw.chance(0.3),
            "mac_latency": latency,
            "accumulate_latency": draw.between(1, latency),
        }
    )
    dram = base.dram.model_copy(
        update={
            "channels": draw.between(1, 4),
            "channel_bytes_per_second": draw.between(1, 40) * 1e9,
            "latency_seconds": draw.between(0, 60) * 1e-9,
        }
    )
    buffers = base.buffers.model_copy(update={**roomy, "tiles_held": draw.between(2, 4) if draw.chance(0.3) else 2})
    lanes = base.vector_engine.model_copy(update={"lanes": draw.between(1, 16)})
    return base.model_copy(
        update={
            "clock_hz": 1e9,
            "tensor_engine": engine,
            "dram": dram,
            "buffers": buffers,
            "vector_engine": lanes,
            "update_engine": base.update_engine.model_copy(update={"lanes": draw.between(1, 16)}),
        }
    )


def _random_work(draw: Draw, hardware: Hardware, number: int) -> Work:
    if draw.chance(0.4):
        return ChainedVectorWork(head=_random_vector(draw, f"vector {number}"))
    products = tuple(_random_plan(draw, hardware, f"{number}.{part}") for part in range(draw.between(1, 2)))
    fused_operators = tuple(
        _random_vector(draw, f"fused operator {number}.{part}") for part in range(draw.between(0, 2))
    )
    return TensorWork(
        operator=f"work {number}",
        module="",
        kind="linear",
        stage=Stage.FORWARD,
        products=products,
        useful_macs=sum(product.gemm.issued_macs for product in products),
        dense_macs=sum(product.gemm.count * product.gemm.m * product.gemm.n * product.gemm.k for product in products),
        fused=Fused(works=fused_operators),
    )


def _random_plan(draw: Draw, hardware: Hardware, name: str) -> PlannedProduct:
    gemm = met_by(replace(random_product(draw), name=name, on_chip=some_on_chip(draw)), hardware)
    grid = TileGrid.ladder(gemm, hardware)
    tiles = np.prod([grid.trips[axis] for axis in ("m", "n", "k")], axis=0) * gemm.count
    few = np.flatnonzero(tiles <= max(LARGEST_PRODUCT, int(tiles.min())))
    candidate = int(few[draw.between(0, len(few) - 1)])
    arrays = array_mappings(hardware.tensor_engine, gemm)
    mapping = Mapping(
        array=arrays[draw.between(0, len(arrays) - 1)],
        tile_m=int(grid.size_m[candidate, 0]),
        tile_n=int(grid.size_n[candidate, 0]),
        tile_k=int(grid.size_k[candidate, 0]),
        order=LOOP_ORDERS[draw.between(0, len(LOOP_ORDERS) - 1)],
    )
    return PlannedProduct(gemm=gemm, mapping=mapping, candidates=1)


def _random_needs(draw: Draw, number: int) -> tuple[int, ...]:
    return tuple(earlier for earlier in range(number) if draw.chance(0.4))


def _random_vector(draw: Draw, name: str) -> VectorWork:
    # Many a short one may pass beside one product.
    most = 40 if draw.chance(0.5) else 5000
    return VectorWork(
        operator=name,
        module="",
        kind="add",
        stage=Stage.FORWARD,
        lane_operations=float(draw.between(0, most)),
        reads=(Access(tensor="in", tensor_bytes=draw.between(0, most)),),
        writes=(Access(tensor="out", tensor_bytes=draw.between(0, most)),),
    )


def _random_update(draw: Draw, number: int, works: int) -> UpdateWork:
    weights = draw.between(1, 1 << draw.between(1, 20))
    patterns = ((weights, 2, 8),) * draw.between(0, 2)
    return UpdateWork(
        operator=f"update {number}",
        module="",
        parameter=f"w{number}",
        weights=weights,
        ready_after=draw.between(0, works - 1),
        read_bytes=12 * weights,
        write_bytes=10 * weights,
        multiplies=2 * weights,
        accumulates=2 * weights,
        reductions=patterns,
    )


def _difference(one: StepTime, two: StepTime) -> str:
    """The first works that differ, told shortly."""
    told = [
        f"work {number}: {first.cycles} and {second.cycles} cycles"
        for number, (first, second) in enumerate(zip(one.works, two.works, strict=True))
        if first != second
    ]
    return "; ".join([f"{one.total_cycles} and {two.total_cycles} cycles in all", *told[:3]])


def with_applications(schedule: Schedule, seed: int) -> Schedule:
    """The same schedule with operands that are normalised on their way in, where nothing else is done to them."""
    draw = Draw(seed)
    vector = schedule.hardware.vector_engine.model_copy(update={"load_lanes": draw.between(1, 64)})

    def applied(gemm: Gemm) -> Gemm:
        a = float(draw.between(1, 5)) if "a" not in gemm.sparse and draw.chance(0.6) else 0.0
        b = draw.between(1, 9) / 2 if "b" not in gemm.sparse and draw.chance(0.4) else 0.0
        return replace(gemm, applied=(a, b))

    hardware = schedule.hardware.model_copy(update={"vector_engine": vector})
    changed = with_products(schedule, lambda product: replace(product, gemm=applied(product.gemm)))
    return replace(changed, hardware=hardware)


def with_tile_overlap(schedule: Schedule) -> Schedule:
    """The same schedule on a design whose folds overlap, and its tiles."""
    hardware = schedule.hardware
    engine = hardware.tensor_engine.model_copy(update={"overlapped": True, "tile_overlap": True})
    return replace(schedule, hardware=hardware.model_copy(update={"tensor_engine": engine}))


def with_shared_port(schedule: Schedule) -> Schedule:
    """The same schedule on a design whose operands share a port, as wide as the wider of theirs."""
    hardware, buffers = schedule.hardware, schedule.hardware.buffers
    wider = max(buffers.west.port_bytes_per_cycle, buffers.north.port_bytes_per_cycle)
    shared = buffers.model_copy(update={"shared_port_bytes_per_cycle": wider})
    return replace(schedule, hardware=hardware.model_copy(update={"buffers": shared}))


def with_split_depth(schedule: Schedule, seed: int) -> Schedule:
    """The same schedule on an array so wide that k is split, wherever a product and its mapping allow it."""
    draw, hardware = Draw(seed), schedule.hardware
    engine = hardware.tensor_engine.model_copy(update={"cols": 1 << draw.between(5, 8), "split_columns": 1})

    def split(product: PlannedProduct) -> PlannedProduct:
        gemm, mapping = product.gemm, product.mapping
        beside: Beside = "n" if mapping.array.west == "a" else "m"
        most = most_shares(gemm, engine, beside)
        if most == 1:
            return product
        whole = {f"tile_{beside}": getattr(gemm, beside)}
        found = replace(gemm, split=draw.between(2, most), beside=beside)
        return replace(product, gemm=found, mapping=replace(mapping, **whole, form=found.form))

    return replace(with_products(schedule, split), hardware=hardware.model_copy(update={"tensor_engine": engine}))


def with_units(schedule: Schedule, seed: int) -> Schedule:
    """The same schedule on several arrays, each product shared along either axis."""
    draw = Draw(seed)

    def shared(product: PlannedProduct) -> PlannedProduct:
        gemm, rows = product.gemm, schedule.hardware.tensor_engine.rows
        tap_rows = rows if gemm.tap_axis == "k" and draw.chance(0.5) else 1
        along: Beside = "m" if draw.chance(0.5) else "n"
        found = replace(gemm, units=draw.between(2, 4), along=along, tap_rows=tap_rows)
        return replace(product, gemm=found, mapping=replace(product.mapping, form=found.form))

    return with_products(schedule, shared)


def with_products(schedule: Schedule, changed: Callable[[PlannedProduct], PlannedProduct]) -> Schedule:
    """The same schedule with every product changed."""
    works = [
        replace(work, products=tuple(changed(each) for each in work.products)) if isinstance(work, TensorWork) else work
        for work in schedule.works
    ]
    return replace(schedule, works=tuple(works))


def check_schedule(
    seed: int,
    *,
    applications: bool = False,
    tile_overlap: bool = False,
    shared_port: bool = False,
    split_depth: bool = False,
    several: bool = False,
) -> str | None:
    """Play a random schedule in every way; None if all agree, else what differs.

    Args:
        seed: of the schedule.
        applications: whether operands are normalised on their way in.
        tile_overlap: whether tiles overlap on the array.
        shared_port: whether the operands share a port on their way to it.
        split_depth: whether k is split over groups of columns.
        several: whether arrays share every tile, and kernel positions have rows of their own.
    """
    schedule = with_applications(random_schedule(seed), seed) if applications else random_schedule(seed)
    if tile_overlap:
        schedule = with_tile_overlap(schedule)
    if shared_port:
        schedule = with_shared_port(schedule)
    if split_depth:
        schedule = with_split_depth(schedule, seed)
    if several:
        schedule = with_units(schedule, seed)
    fast = time_step(schedule, play=FAST)
    for name, play in (("without fast-forward", SLOW), ("channels apart", APART)):
        other = time_step(schedule, play=play)
        if other != fast:
            return f"schedule {seed}, {name}: {_difference(fast, other)}"
    return _against_closed_forms(schedule, fast, seed)


def _against_closed_forms(schedule: Schedule, step: StepTime, seed: int) -> str | None:
    """Products are not disturbed: whatever else is under way gives way to their tiles."""
    if schedule.hardware.buffers.tiles_held != 2:
        return None
    for time in step.works:
        epilogue = time.work.epilogue(BYTES_OF[schedule.hardware.tensor_engine.precision])
        for product, found in zip(time.work.products, time.costs, strict=True):
            closed = product_cost(product.gemm, schedule.hardware, product.mapping, epilogue)
            told, played = _told(closed), _told(found)
            differing = [f"{name} {told[name]}, played {played[name]}" for name in told if told[name] != played[name]]
            if differing:
                return f"schedule {seed}, {product.gemm.name}: closed form {'; '.join(differing)}"
    return None


def _told(cost: ProductCost) -> dict[str, object]:
    return {
        "cycles": cost.cycles,
        "causes": {cause: cycles for cause, cycles in sorted(cost.causes.items()) if cycles},
        "dram_cycles": cost.dram_cycles,
        "read_bytes": cost.read_bytes,
        "write_bytes": cost.write_bytes,
        "port_bytes": cost.port_bytes,
        "reduced_elements": cost.reduced_elements,
        "actions": cost.actions,
        "load lanes": cost.busy.get("load lanes", 0),
    }
