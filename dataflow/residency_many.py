"""Residency on many designs at once: the tensors that ``residency.choose_kept`` keeps on each, and what then moves.

The works are those of one outline; what their products ask of buffers and DRAM differs from design to design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..configs.arrays import BoolArray, IntArray
from .gemm import Place
from .liveness import Life, lives
from .schedule import Access, TensorWork, VectorWork
from .scheduler import Outline
from .tensor_size import element_bytes, is_weight_gradient

_PLACES: tuple[Place, ...] = ("a", "b", "c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a mapped product asks of each design's buffers, [S], and what A, B and C of it cost in DRAM bytes."""

    tile_bytes: IntArray
    moved_bytes: tuple[IntArray, IntArray, IntArray]


@dataclass(frozen=True, kw_only=True)
class Residence:
    """What stays on chip on each design, [S, tensors], tensors numbered as ``Residency.names``.

    Attributes:
        residency: what was to be decided.
        kept: which tensors stay, what is carried to a fused operator whose results stay among them.
        tensors: [S] how many stay, carried ones not counted.
        saved_bytes: [S] that no longer cross to DRAM.
    """

    residency: Residency
    kept: BoolArray
    tensors: IntArray
    saved_bytes: IntArray

    def holds(self, name: str) -> BoolArray:
        """[S] whether a tensor stays; never one that nobody knows."""
        number = self.residency.number.get(name)
        return np.zeros(len(self.kept), dtype=bool) if number is None else self.kept[:, number]

    def places(self, work: TensorWork) -> dict[Place, BoolArray]:
        """Which of A, B and C of a work's products stay, [S] each."""
        return {place: self.holds(name) for place, name in zip(_PLACES, work.operands, strict=True)}

    def dram_bytes(self, access: Access) -> IntArray:
        """[S] bytes that cross to DRAM."""
        return np.where(self.holds(access.tensor), 0, access.dram_bytes)

    def read_bytes(self, work: VectorWork) -> IntArray:
        """[S] bytes that vector work reads from DRAM, see ``VectorWork.read_bytes``."""
        return sum((self.dram_bytes(each) for each in work.reads), self._none)

    def write_bytes(self, work: VectorWork) -> IntArray:
        """[S] bytes that it writes, less those that the work before it no longer writes."""
        written = sum((self.dram_bytes(each) for each in work.writes), self._none)
        return written - self.dram_bytes(work.displaces) if work.displaces else written

    @property
    def _none(self) -> IntArray:
        return np.zeros(len(self.kept), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Residency:
    """The tensors of a step that may stay on chip.

    Attributes:
        outline: of the step.
    """

    outline: Outline

    @cached_property
    def number(self) -> dict[str, int]:
        """Of each tensor that may stay or is carried."""
        names = [life.tensor for life in self._lives]
        carried = [fused.carried for group in self.outline.order.groups for fused in group.fused_operators]
        return {name: number for number, name in enumerate(dict.fromkeys((*names, *carried)))}

    @cached_property
    def _lives(self) -> list[Life]:
        """By name: of equals the first name stays."""
        order, graph = self.outline.order, self.outline.pruned.graph
        found = []
        for life in lives(order):
            tensor = order.tensor(life.tensor)
            if life.made and not life.updates and not is_weight_gradient(graph, tensor):
                found.append(life)
        return sorted(found, key=lambda life: life.tensor)

    def none(self, designs: int) -> Residence:
        """Nothing stays."""
        zero = np.zeros(designs, dtype=np.int64)
        kept = np.zeros((designs, len(self.number)), dtype=bool)
        return Residence(residency=self, kept=kept, tensors=zero, saved_bytes=zero)

    def choose(self, demands: Sequence[Sequence[Demand]], buffer_bytes: IntArray, tiles_held: IntArray) -> Residence:
        """Choose what stays on each design.

        Args:
            demands: of the products of each work; none of vector work.
            buffer_bytes: [S] of all three buffers.
            tiles_held: [S] tiles that each buffer holds at once.
        """
        spare = np.stack([self._spare(each, buffer_bytes, tiles_held) for each in demands], axis=1)
        saved = self._saved(demands, len(buffer_bytes))
        held = np.array([self._held_bytes(life) for life in self._lives], dtype=np.int64)
        first = np.array([life.first for life in self._lives])
        last = np.array([life.last for life in self._lives])
        works = np.arange(len(demands))
        lasting = (first[:, None] <= works) & (works <= last[:, None])
        worth = saved / (held * (last - first + 1))
        ranked = np.argsort(-worth, axis=1, kind="stable")
        kept = np.zeros((len(spare), len(self.number)), dtype=bool)
        row = np.arange(len(spare))
        plenty = np.iinfo(np.int64).max
        for place in range(ranked.shape[1]):
            life = ranked[:, place]
            during = lasting[life]
            room = np.where(during, spare, plenty).min(axis=1)
            stays = (room >= held[life]) & (saved[row, life] > 0)
            spare -= np.where(during & stays[:, None], held[life][:, None], 0)
            kept[row[stays], life[stays]] = True
        chosen = kept[:, : len(self._lives)]
        tensors, saved_bytes = chosen.sum(axis=1), (saved * chosen).sum(axis=1)
        self._carry(kept)
        return Residence(residency=self, kept=kept, tensors=tensors, saved_bytes=saved_bytes)

    def _held_bytes(self, life: Life) -> int:
        order, graph = self.outline.order, self.outline.pruned.graph
        tensor = order.tensor(life.tensor)
        return tensor.elements(self.outline.batch) * element_bytes(graph, tensor, self.outline.precision)

    def _carry(self, kept: BoolArray) -> None:
        """A result on its way to a fused operator is stored where the fused operator's own result is."""
        number = self.number
        for group in self.outline.order.groups:
            for fused in reversed(group.fused_operators):
                outputs = [number[name] for name in fused.operator.outputs if name in number]
                if len(outputs) == len(fused.operator.outputs):
                    kept[:, number[fused.carried]] |= kept[:, outputs].all(axis=1)

    @staticmethod
    def _spare(demands: Sequence[Demand], buffer_bytes: IntArray, tiles_held: IntArray) -> IntArray:
        if not demands:
            return buffer_bytes.copy()
        return np.asarray(buffer_bytes - tiles_held * np.max([each.tile_bytes for each in demands], axis=0))

    def _saved(self, demands: Sequence[Sequence[Demand]], designs: int) -> IntArray:
        """[S, lives] DRAM bytes that each tensor costs over the step."""
        number, moved = self.number, np.zeros((designs, len(self.number)), dtype=np.int64)
        for work, asked in zip(self.outline.works, demands, strict=True):
            accesses = [access for fused in work.fused.works for access in (*fused.reads, *fused.writes)]
            if isinstance(work, TensorWork):
                for product in asked:
                    for name, moved_bytes in zip(work.operands, product.moved_bytes, strict=True):
                        if name in number:
                            moved[:, number[name]] += moved_bytes
            else:
                accesses += [*work.head.reads, *work.head.writes]
            for access in accesses:
                if access.tensor in number:
                    moved[:, number[access.tensor]] += access.dram_bytes
            # What is carried was counted as stored by its maker, and does not lie in memory.
            for fused in work.fused.works:
                if fused.displaces:
                    moved[:, number[fused.displaces.tensor]] = 0
        return moved[:, : len(self._lives)]
