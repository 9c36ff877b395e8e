"""A step with every decision made on some designs, [S], ready to be timed: what a schedule is for one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...accel.engines import Engines
from ...accel.specification import BYTES_OF, Policy
from ...accel.tensor_engine import Count
from ...configs.arrays import FloatArray, IntArray
from ...dataflow.design_products import DesignProducts
from ...dataflow.design_table import DesignTable
from ...dataflow.residency import Residency
from ...dataflow.schedule import Schedule, waits_for
from ...dataflow.scheduler import Outline
from ...dataflow.works import AS_SCHEDULED, Residence, Work
from .costs import CostCache
from .flows import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """Works and updates, the designs that run them, and what stays on chip on each.

    Attributes:
        order: the works and updates, and who waits for whom.
        rows: [S] which designs, as ``costs`` numbers them.
        engines: the resources that works share.
        costs: of products.
        residence: what stays on chip.
        value_bytes: of an operand value.
        clock_hz: of every engine.
        peak_macs_per_cycle: of the array.
        zero_gating: whether the array holds still where an operand is zero; of many designs False, for nothing is then
            known of zeros.
    """

    order: Order
    rows: IntArray
    engines: Engines
    costs: CostCache
    residence: Residence
    value_bytes: int
    clock_hz: float | FloatArray
    peak_macs_per_cycle: Count
    zero_gating: bool

    @classmethod
    def of(cls, schedule: Schedule, costs: CostCache | None = None) -> PlannedStep:
        """The step of a schedule, on its one design.

        Args:
            schedule: the step.
            costs: shared with other schedules of the same design, to save work.
        """
        hardware = schedule.hardware
        return cls(
            order=Order(
                works=schedule.works,
                waits_for=schedule.waits_for,
                updates=schedule.updates,
                overlap_update=schedule.overlap_update,
            ),
            rows=np.zeros(1, dtype=np.int64),
            engines=Engines.of(hardware),
            costs=costs or CostCache.of_design(DesignProducts(hardware=hardware)),
            residence=AS_SCHEDULED,
            value_bytes=BYTES_OF[hardware.tensor_engine.precision],
            clock_hz=hardware.clock_hz,
            peak_macs_per_cycle=hardware.peak_macs_per_cycle,
            zero_gating=hardware.tensor_engine.zero_gating,
        )

    @classmethod
    def of_designs(
        cls,
        outline: Outline,
        table: DesignTable,
        rows: IntArray,
        costs: CostCache,
        *,
        policy: Policy,
    ) -> PlannedStep:
        """An outlined step on some designs of a table.

        Args:
            outline: of the step.
            table: of the designs.
            rows: which of them.
            costs: of products whose mappings were found on every design of the table.
            policy: what the scheduler may do; one for all.
        """
        works, order = outline.works, outline.order
        residency = Residency(order=order, works=works, batch=outline.batch, precision=outline.precision)
        residence = residency.none(len(rows))
        if policy.keeps_tensors:
            demands = [[costs.demand(product, rows) for product in work.products] for work in works]
            residence = residency.choose(demands, table.buffer_bytes[rows])
        return cls(
            order=Order(
                works=outline.every_work,
                waits_for=waits_for(len(outline.every_work), outline.needs, overlap_vector=policy.overlap_vector),
                updates=outline.updates,
                overlap_update=policy.overlap_update,
            ),
            rows=rows,
            engines=table.engines(rows),
            costs=costs,
            residence=residence,
            value_bytes=table.value_bytes,
            clock_hz=table.clock_hz[rows],
            peak_macs_per_cycle=table.peak_macs_per_cycle[rows],
            zero_gating=False,
        )

    @property
    def works(self) -> Sequence[Work]:
        """Forward and backward work."""
        return self.order.works
