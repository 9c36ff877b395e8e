"""The schedule: one training step as a list of work, every decision made. Engines run it; they decide nothing.

Decided offline: the mapping of every product, which vector operations ride on the write-back of the operator before
them, when N:M weights are made, whether updates run beside the backward pass, and which tensors stay on chip. A
schedule holds no times. Its mappings and options are saved as JSON and replayed against the same inputs; the rest
follows from those.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..accel.specification import Hardware
from ..training.passes.choice import PLAIN, Passes
from ..training.recipes.annotation import PrunedGraph
from .works import PlannedProduct, UpdateWork, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentTensor:
    """A tensor that stays on chip from the work that makes it to the work that reads it last.

    Attributes:
        tensor: its name; of a weight with the pass that it stays for, such as ``cells.weight_hh_l0 in FF``.
        held_bytes: that it takes of the buffers' spare room.
        first: index of the work that makes it, or fetches the weight.
        last: index of the work that reads it last.
        saved_bytes: that no longer cross to DRAM.
    """

    tensor: str
    held_bytes: int
    first: int
    last: int
    saved_bytes: int


def waits_for(works: int, needs: tuple[tuple[int, ...], ...], *, overlap_vector: bool) -> tuple[tuple[int, ...], ...]:
    """Of each work, those that must be over before it begins, besides those of its own engine.

    Args:
        works: so many.
        needs: of each work, the earlier ones that make what it reads.
        overlap_vector: whether vector work runs beside products; else every work waits for the one before it.

    >>> waits_for(3, ((), (), (0,)), overlap_vector=False)
    ((), (0,), (1,))
    """
    return needs if overlap_vector else tuple((index - 1,) if index else () for index in range(works))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One training step, ready to run.

    Attributes:
        hardware: the design.
        pruned: graph and recipe.
        batch: samples.
        objective: what the mapping search minimised.
        interleave: whether a PE might turn between accumulations.
        optimizer: of the update.
        works: forward and backward work in execution order.
        updates: parameter updates in the order that their gradients appear.
        overlap_update: whether updates run beside the backward pass.
        overlap_vector: whether vector work runs beside products that it neither needs nor feeds.
        needs: of each work, the earlier ones that make what it reads.
        keep_on_chip: whether tensors may stay on chip between works.
        resident: those that do.
        causal_blocks: queries and keys of a block of causal attention; 0 where every score is computed.
        passes: what of the network is run.
    """

    hardware: Hardware
    pruned: PrunedGraph
    batch: int
    objective: str
    interleave: bool
    optimizer: str
    works: tuple[Work, ...]
    updates: tuple[UpdateWork, ...]
    overlap_update: bool
    overlap_vector: bool = False
    needs: tuple[tuple[int, ...], ...] = ()
    keep_on_chip: bool = False
    resident: tuple[ResidentTensor, ...] = ()
    causal_blocks: int = 0
    passes: Passes = PLAIN

    @property
    def waits_for(self) -> tuple[tuple[int, ...], ...]:
        """Of each work, those that must be over before it begins, besides those of its own engine."""
        return waits_for(len(self.works), self.needs, overlap_vector=self.overlap_vector)

    @property
    def products(self) -> tuple[PlannedProduct, ...]:
        """Every planned product in order."""
        return tuple(product for work in self.works for product in work.products)
