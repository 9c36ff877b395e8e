"""Residency: which tensors stay on chip between the works of a step, and the works with those left out of DRAM.

A tensor may stay when it fits, for its whole life, into what the tiles of every work in between leave free of the three
buffers: all of their capacity, less what the mapping in use holds of A, B and C (see ``holding``). Vector work
streams and leaves everything free. Chosen greedily: most DRAM bytes saved a byte and work held, ties by name. Mappings
were chosen before, as if nothing stayed, and are kept.

Decided for many designs at once, [S], whose mappings differ; one design is S = 1.

Idealised: the spare room of the buffers is one pool, without banks or fragments, and reaches every engine. Reading and
writing it costs no time and no energy beyond the fill of a tile. A weight that several products of a pass read may stay
once the first of them has fetched it (``repeated_weights``). Never kept: gradients of weights, for the order of work
does not say when they are used; other parameters and their copies, which live across steps; data and labels, which no
work makes; what a forward pass alone is run for, which nobody in it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.specification import Precision
from ..configs.arrays import BoolArray, IntArray
from .gemm import PLACES, Place
from .liveness import Life, lives
from .product_cost import MappedProducts
from .schedule import ResidentTensor
from .tensor_size import element_bytes, is_weight_gradient
from .work_order import WorkOrder
from .works import Access, VectorWork, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class TileDemand:
    """What a mapped product asks of each design's buffers, [S], and what A, B and C of it cost in DRAM bytes."""

    held_bytes: IntArray
    moved_bytes: tuple[IntArray, IntArray, IntArray]

    @classmethod
    def of(cls, mapped: MappedProducts) -> TileDemand:
        """A product's, when nothing stays on chip."""
        traffic, gemm = mapped.traffic, mapped.gemm
        a, b, c = (
            gemm.own_part(gemm.count * moved) for moved in (traffic.a_bytes, traffic.b_bytes, traffic.result_bytes)
        )
        return cls(held_bytes=mapped.held_bytes, moved_bytes=(a, b, c))


def spare_bytes(demands: Sequence[TileDemand], buffer_bytes: IntArray) -> IntArray:
    """[S] bytes of the buffers that a work leaves free throughout.

    Args:
        demands: of its products; none of vector work.
        buffer_bytes: [S] of all three buffers.
    """
    if not demands:
        return buffer_bytes.copy()
    return np.asarray(buffer_bytes - np.max([each.held_bytes for each in demands], axis=0))


@dataclass(frozen=True, kw_only=True)
class Resident:
    """What stays on chip on each design, [S, tensors], tensors numbered as ``Residency.number``.

    Attributes:
        residency: what was to be decided.
        stays: which tensors, what is carried to a fused operator whose results stay among them.
        tensors: [S] how many stay, carried ones not counted.
        saved_bytes: [S, lives] that no longer cross to DRAM, were each tensor to stay.
    """

    residency: Residency
    stays: BoolArray
    saved_bytes: IntArray

    @property
    def _chosen(self) -> BoolArray:
        """[S, lives] without what is carried."""
        return self.stays[:, : self.saved_bytes.shape[1]]

    @property
    def tensors(self) -> IntArray:
        """[S] tensors that stay, carried ones not counted."""
        return np.asarray(self._chosen.sum(axis=1))

    @property
    def saved_in_all_bytes(self) -> IntArray:
        """[S] that no longer cross to DRAM."""
        return np.asarray((self.saved_bytes * self._chosen).sum(axis=1))

    def holds(self, name: str) -> BoolArray:
        """[S] whether a tensor stays; never one that nobody knows."""
        number = self.residency.number.get(name)
        return np.zeros(len(self.stays), dtype=bool) if number is None else self.stays[:, number]

    def places(self, work: Work) -> dict[Place, BoolArray]:
        """Which of A, B and C of a work's products stay, [S] each."""
        return {place: self.holds(name) for place, name in zip(PLACES, work.operands, strict=True)}

    def moved_bytes(self, works: Sequence[VectorWork]) -> tuple[IntArray, IntArray]:
        """[S] bytes that vector works read from DRAM and write to it, see ``VectorWork``."""
        nothing = np.zeros(len(self.stays), dtype=np.int64)
        read = sum((self._dram_bytes(each) for work in works for each in work.reads), nothing)
        written = sum((self._dram_bytes(each) for work in works for each in work.writes), nothing)
        displaced = sum((self._dram_bytes(work.displaces) for work in works if work.displaces), nothing)
        return read, written - displaced

    def _dram_bytes(self, access: Access) -> IntArray:
        return np.where(self.holds(access.tensor), 0, access.dram_bytes)

    def of_design(self, design: int) -> tuple[ResidentTensor, ...]:
        """The tensors that stay on one design, by the work that makes them."""
        lives = self.residency.lives
        found = [
            ResidentTensor(
                tensor=lives[number].tensor,
                held_bytes=int(self.residency.held_bytes[number]),
                first=lives[number].first,
                last=lives[number].last,
                saved_bytes=int(self.saved_bytes[design, number]),
            )
            for number in np.flatnonzero(self._chosen[design])
        ]
        return tuple(sorted(found, key=lambda each: (each.first, each.last, each.tensor)))

    def works_of(self, design: int) -> tuple[Work, ...]:
        """The works as they run on one design: nothing of the tensors that stay crosses to DRAM."""
        names = {name for name, number in self.residency.number.items() if self.stays[design, number]}
        works = self.residency.works
        return tuple(work.with_resident(names) for work in works) if names else tuple(works)


@dataclass(frozen=True, kw_only=True)
class Residency:
    """The tensors of a step that may stay on chip.

    Attributes:
        order: of work.
        works: with nothing on chip, a work a group of the order.
        batch: samples.
        precision: of operands.
    """

    order: WorkOrder
    works: Sequence[Work]
    batch: int
    precision: Precision

    @cached_property
    def number(self) -> dict[str, int]:
        """Of each tensor that may stay, then of what is carried."""
        names = [life.tensor for life in self.lives]
        carried = [fused.carried for group in self.order.groups for fused in group.fused_operators]
        return {name: number for number, name in enumerate(dict.fromkeys((*names, *carried)))}

    @cached_property
    def lives(self) -> list[Life]:
        """By name: of equals the first name stays."""
        graph = self.order.graph
        found = [
            Life(tensor=weight.name, first=weight.first, last=weight.last, made=False, updates=False)
            for weight in self.order.repeated
        ]
        for life in lives(self.order):
            tensor = self.order.tensor(life.tensor)
            if life.made and not (life.updates or life.leaves or is_weight_gradient(graph, tensor)):
                found.append(life)
        return sorted(found, key=lambda life: life.tensor)

    @cached_property
    def held_bytes(self) -> IntArray:
        """[lives] of the buffers' spare room that each takes."""
        weights = {weight.name: weight.held_bytes(self.precision) for weight in self.order.repeated}
        made = {
            tensor.name: tensor.elements(self.batch) * element_bytes(self.order.graph, tensor, self.precision)
            for tensor in (self.order.tensor(life.tensor) for life in self.lives if life.tensor not in weights)
        }
        return np.array([(weights | made)[life.tensor] for life in self.lives], dtype=np.int64)

    def none(self, designs: int) -> Resident:
        """Nothing stays."""
        return Resident(
            residency=self,
            stays=np.zeros((designs, len(self.number)), dtype=bool),
            saved_bytes=np.zeros((designs, 0), dtype=np.int64),
        )

    def choose(self, demands: Sequence[Sequence[TileDemand]], buffer_bytes: IntArray) -> Resident:
        """Choose what stays on each design.

        Args:
            demands: of the products of each work; none of vector work.
            buffer_bytes: [S] of all three buffers.
        """
        spare = np.stack([spare_bytes(each, buffer_bytes) for each in demands], axis=1)
        saved, held = self._saved(demands, len(buffer_bytes)), self.held_bytes
        # Most tensors are larger than any room there is.
        possible = np.flatnonzero((held <= spare.max(initial=0)) & (saved > 0).any(axis=0))
        first = np.array([life.first for life in self.lives], dtype=np.int64)
        last = np.array([life.last for life in self.lives], dtype=np.int64)
        works = np.arange(len(demands))
        lasting = (first[:, None] <= works) & (works <= last[:, None])
        worth = saved / (held * (last - first + 1))
        ranked = possible[np.argsort(-worth[:, possible], axis=1, kind="stable")]
        stays = np.zeros((len(spare), len(self.number)), dtype=bool)
        row = np.arange(len(spare))
        plenty = np.iinfo(np.int64).max
        for place in range(ranked.shape[1]):
            life = ranked[:, place]
            during = lasting[life]
            room = np.where(during, spare, plenty).min(axis=1)
            fits = (room >= held[life]) & (saved[row, life] > 0)
            spare -= np.where(during & fits[:, None], held[life][:, None], 0)
            stays[row[fits], life[fits]] = True
        self._carry(stays)
        return Resident(residency=self, stays=stays, saved_bytes=saved)

    def _carry(self, stays: BoolArray) -> None:
        """A result on its way to a fused operator is stored where the fused operator's own result is."""
        number = self.number
        for group in self.order.groups:
            for fused in reversed(group.fused_operators):
                outputs = [number[name] for name in fused.operator.outputs if name in number]
                if len(outputs) == len(fused.operator.outputs):
                    stays[:, number[fused.carried]] |= stays[:, outputs].all(axis=1)

    def _saved(self, demands: Sequence[Sequence[TileDemand]], designs: int) -> IntArray:
        """[S, lives] DRAM bytes that each tensor costs over the step."""
        number, moved = self.number, np.zeros((designs, len(self.number)), dtype=np.int64)
        for work, asked in zip(self.works, demands, strict=True):
            for product in asked:
                for name, moved_bytes in zip(work.operands, product.moved_bytes, strict=True):
                    if name in number:
                        moved[:, number[name]] += moved_bytes
            for access in (
                each
                for vector in (*work.own_vector_works, *work.fused.works)
                for each in (*vector.reads, *vector.writes)
            ):
                if access.tensor in number:
                    moved[:, number[access.tensor]] += access.dram_bytes
            # What is carried was counted as stored by its maker, and does not lie in memory.
            for fused in work.fused.works:
                if fused.displaces:
                    moved[:, number[fused.displaces.tensor]] = 0
        return moved[:, : len(self.lives)]
