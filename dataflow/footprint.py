"""What a training step keeps in the card's memory, work by work: parameters, optimizer state, stash, gradients.

Across steps: FP32 master weights and optimizer state, the copies and masks that the recipe makes, buffers (running
statistics). Within the step: every tensor from the work that makes it to the work that reads it last, operands and
results of a work at once; see ``liveness``. Gradients of weights are FP32 and counted to the end of the step, whether
updates run beside other work or not: when one has run is not the schedule's to say, so this is an upper bound.

Tensors that stay on chip are counted too, for whoever lays out memory does not know of them. Not counted: partial sums
that spill (at most two bytes more an element of one result), alignment, the next batch of data, code. Nothing is done
in place, recomputed or swapped out. No mapping is needed: what is live does not depend on it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import Literal, get_args

from ..accel.engines import optimizer as optimizer_named
from ..accel.specification import BYTES_OF, Hardware, Precision
from ..training.graph import Stage, Tensor
from ..training.recipes.annotation import PrunedGraph
from .liveness import Life, lives
from .tensor_size import element_bytes, is_weight_gradient
from .weight_storage import copied_bytes, copies_of, mask_bytes
from .work_order import WorkOrder, order_on

Category = Literal[
    "master_weights",
    "optimizer_state",
    "weight_copies",
    "masks",
    "buffers",
    "kv_cache",
    "inputs",
    "activations",
    "gradients",
    "weight_gradients",
]

CATEGORIES: tuple[Category, ...] = get_args(Category)
"""What memory goes to: five that last across steps, then those that grow with the batch, all but a cache within one."""

Curve = dict[int, tuple[int | Fraction, ...]]
"""Bytes at each work as a polynomial in the samples of a micro-batch: by degree, then by work."""

MASTER_BYTES = 4
"""Bytes of an FP32 master weight."""

LARGEST_BATCH = 1 << 40
"""No larger batch is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes in the card's memory over one step.

    Attributes:
        works: operator and stage of each work.
        across_steps: bytes by category, the same at every work.
        within_step: bytes at each work, by category.
    """

    works: tuple[tuple[str, str], ...]
    across_steps: dict[Category, int]
    within_step: dict[Category, tuple[int, ...]]

    @property
    def total_bytes(self) -> tuple[int, ...]:
        """Bytes at each work, everything counted."""
        lasting = sum(self.across_steps.values())
        return tuple(lasting + sum(at) for at in zip(*self.within_step.values(), strict=True))

    @property
    def peak(self) -> int:
        """The first work at which most memory is taken."""
        total = self.total_bytes
        return max(range(len(total)), key=lambda position: total[position], default=0)

    @property
    def peak_bytes(self) -> int:
        """The most memory that the step takes."""
        return max(self.total_bytes, default=sum(self.across_steps.values()))

    @property
    def at_peak(self) -> dict[Category, int]:
        """Bytes by category where most memory is taken."""
        peak = self.peak
        return self.across_steps | {name: at[peak] if at else 0 for name, at in self.within_step.items()}


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What lies in memory during a step, for any batch.

    Attributes:
        pruned: graph and recipe.
        hardware: the design.
        optimizer: of the update, see ``accel.engines.OPTIMIZERS``.
        order: of work.
        lives: of the tensors within the step.
    """

    pruned: PrunedGraph
    hardware: Hardware
    optimizer: str
    order: WorkOrder
    lives: tuple[Life, ...]

    @classmethod
    def of(cls, pruned: PrunedGraph, hardware: Hardware, optimizer: str) -> MemoryPlan:
        """The plan of a step."""
        order = order_on(pruned, hardware.vector_engine)
        return cls(pruned=pruned, hardware=hardware, optimizer=optimizer, order=order, lives=lives(order))

    @cached_property
    def _within_step(self) -> dict[Category, Curve]:
        """Bytes at each work by category, as polynomials in a micro-batch: by degree, then by work."""
        change: dict[Category, dict[int, list[int | Fraction]]] = {name: {} for name in CATEGORIES[5:]}
        for life in self.lives:
            tensor = self.order.tensor(life.tensor)
            element = element_bytes(self.pruned.graph, tensor, self._precision)
            by_degree = change[category(self.order, tensor)]
            for degree, factor in enumerate(_elements_by_degree(tensor, self._micro_batches)):
                steps = by_degree.setdefault(degree, [0] * (len(self.order.groups) + 1))
                steps[life.first] += factor * element
                steps[life.last + 1] -= factor * element
        return {
            name: {degree: tuple(accumulate(steps[:-1])) for degree, steps in by_degree.items()}
            for name, by_degree in change.items()
        }

    @cached_property
    def _total_within_step(self) -> Curve:
        curves = self._within_step.values()
        degrees = {degree for curve in curves for degree in curve}
        return {
            degree: tuple(map(sum, zip(*(curve[degree] for curve in curves if degree in curve), strict=True)))
            for degree in degrees
        }

    def footprint(self, batch: int) -> Footprint:
        """Bytes over the step at this batch size."""
        groups, samples = self.order.groups, batch // self._micro_batches
        return Footprint(
            works=tuple((group.operator.name, group.operator.stage.value) for group in groups),
            across_steps=self.across_steps,
            within_step={name: _at(curve, samples, len(groups)) for name, curve in self._within_step.items()},
        )

    def peak_bytes(self, batch: int) -> int:
        """The most memory that a step of this batch size takes."""
        within = _at(self._total_within_step, batch // self._micro_batches, len(self.order.groups))
        return sum(self.across_steps.values()) + max(within, default=0)

    @property
    def _micro_batches(self) -> int:
        return self.pruned.graph.micro_batches

    @property
    def _precision(self) -> Precision:
        return self.hardware.tensor_engine.precision

    @cached_property
    def across_steps(self) -> dict[Category, int]:
        """Bytes that last across steps. A parameter without an update has no master and no state, only its copies."""
        graph, value_bytes = self.pruned.graph, BYTES_OF[self._precision]
        rule = optimizer_named(self.optimizer)
        updated = {operator.parameter for operator in graph.operators if operator.stage is Stage.UPDATE}
        total: dict[Category, int] = dict.fromkeys(CATEGORIES[:5], 0)
        for tensor in graph.tensors.values():
            elements = tensor.elements(1)
            if tensor.role == "buffer":
                total["buffers"] += elements * element_bytes(graph, tensor, self._precision)
            if tensor.role != "parameter":
                continue
            copies = copies_of(self.pruned, tensor.name)
            total["weight_copies"] += copied_bytes(elements, copies, value_bytes)
            if tensor.name in updated:
                # Only an update reads masks.
                total["masks"] += mask_bytes(elements, copies)
                learning = copies.updated_of(elements)
                total["master_weights"] += MASTER_BYTES * learning
                total["optimizer_state"] += rule.state_bytes * learning
        return total

    @property
    def capacity_bytes(self) -> int:
        """Of the card's memory."""
        return self.hardware.dram.capacity_bytes

    def fits(self, batch: int) -> bool:
        """Whether a step of this batch size fits the card's memory."""
        return self.peak_bytes(batch) <= self.capacity_bytes

    def largest_batch(self) -> int:
        """The largest batch whose step fits; 0 when not even one sample does, at most ``LARGEST_BATCH``."""
        share = self._micro_batches
        if not self.fits(share):
            return 0
        beyond = 2
        while beyond * share <= LARGEST_BATCH and self.fits(beyond * share):
            beyond *= 2
        # Memory never shrinks with the batch: the number of batches that fit is the largest of them.
        samples = bisect_right(range(1, beyond), False, key=lambda each: not self.fits(each * share))
        return min(samples, LARGEST_BATCH // share) * share


def _elements_by_degree(tensor: Tensor, micro_batches: int) -> list[int | Fraction]:
    """Elements of a tensor as a polynomial in the samples of a micro-batch: the constant first."""
    found: list[int | Fraction] = [1]
    for size in tensor.shape:
        # Fractions are slow, and few networks share data out.
        whole, rest = divmod(size.per_sample * micro_batches, size.samples)
        per_sample = whole + Fraction(rest, size.samples) if rest else whole
        shifted = [0, *(factor * per_sample for factor in found)]
        found = [here + size.fixed * factor for here, factor in zip(shifted, [*found, 0], strict=True)]
        while len(found) > 1 and not found[-1]:
            found.pop()
    return found


def _at(curve: Curve, samples: int, works: int) -> tuple[int, ...]:
    """A curve at so many samples of a micro-batch."""
    total: list[int | Fraction] = [0] * works
    for degree, factors in curve.items():
        power = samples**degree
        total = [so_far + factor * power for so_far, factor in zip(total, factors, strict=True)]
    return tuple(map(math.ceil, total))


def category(order: WorkOrder, tensor: Tensor) -> Category:
    """What a tensor that lives within the step counts as. What the forward pass makes are activations."""
    if tensor.role == "cache":
        return "kv_cache"
    if tensor.role == "input":
        return "inputs"
    if is_weight_gradient(order.graph, tensor):
        return "weight_gradients"
    made = order.made_by.get(tensor.name)
    forward = made is not None and order.groups[made].operator.stage is Stage.FORWARD
    return "activations" if forward else "gradients"
