"""Residency: which tensors stay on chip between the works of a step, and the works with those left out of DRAM.

A tensor may stay when it fits, for its whole life, into what the tiles of every work in between leave free of the three
buffers: all of their capacity, less two tiles of A, B and C of the mapping in use (double buffering). Vector work
streams and leaves everything free. Chosen greedily: most DRAM bytes saved a byte and work held, ties by name. Mappings
were chosen before, as if nothing stayed, and are kept.

Idealised: the spare room of the buffers is one pool, without banks or fragments, and reaches every engine. Reading and
writing it costs no time and no energy beyond the fill of a tile. Never kept: gradients of weights, for the order of
work does not say when they are used; parameters and their copies, which live across steps; data and labels, which no
work makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..accel.specification import Hardware
from .gemm import Place
from .liveness import lives
from .schedule import Access, ChainedVectorWork, Fused, Kept, PlannedProduct, TensorWork, VectorWork, Work
from .tensor_size import element_bytes, is_weight_gradient
from .tile_grid import TileGrid
from .traffic import Traffic
from .work_order import WorkOrder

_PLACES: tuple[Place, ...] = ("a", "b", "c")


def choose_kept(works: Sequence[Work], order: WorkOrder, hardware: Hardware, batch: int) -> tuple[Kept, ...]:
    """Choose the tensors that stay on chip.

    Args:
        works: with nothing on chip, a work a group of the order.
        order: of work.
        hardware: the design.
        batch: samples.

    Returns:
        The tensors that stay, by the work that makes them.
    """
    demands = _Demands(hardware)
    spare = np.array([demands.spare_bytes(work) for work in works], dtype=np.int64)
    saved = _saved_bytes(works, demands)
    kept = []
    for each in sorted(_candidates(order, hardware, batch, saved), key=_worth):
        room = spare[each.first : each.last + 1]
        if room.min() >= each.held_bytes:
            room -= each.held_bytes
            kept.append(each)
    return tuple(sorted(kept, key=lambda each: (each.first, each.last, each.tensor)))


def _candidates(order: WorkOrder, hardware: Hardware, batch: int, saved: Counter[str]) -> list[Kept]:
    graph, precision = order.graph, hardware.tensor_engine.precision
    found = []
    for life in lives(order):
        tensor = order.tensor(life.tensor)
        if not life.made or life.updates or is_weight_gradient(graph, tensor) or not saved[life.tensor]:
            continue
        found.append(
            Kept(
                tensor=life.tensor,
                held_bytes=tensor.elements(batch) * element_bytes(graph, tensor, precision),
                first=life.first,
                last=life.last,
                saved_bytes=saved[life.tensor],
            )
        )
    return found


def _worth(each: Kept) -> tuple[float, str]:
    """The best comes first."""
    return -(each.saved_bytes / (each.held_bytes * (each.last - each.first + 1))), each.tensor


def _saved_bytes(works: Sequence[Work], demands: _Demands) -> Counter[str]:
    """DRAM bytes that each tensor costs over the step: what is saved when it stays."""
    moved: Counter[str] = Counter()
    for work in works:
        carried = {fused.displaces.tensor for fused in work.fused.works if fused.displaces}
        accesses = [access for fused in work.fused.works for access in (*fused.reads, *fused.writes)]
        if isinstance(work, TensorWork):
            for product in work.products:
                for name, moved_bytes in zip(work.operands, demands.of(product).moved_bytes, strict=True):
                    moved[name] += moved_bytes
        else:
            accesses += [*work.head.reads, *work.head.writes]
        for access in accesses:
            moved[access.tensor] += access.dram_bytes
        # What is carried was counted as stored by its maker, and does not lie in memory.
        for name in carried:
            del moved[name]
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    """What a mapped product asks of the buffers, and what A, B and C of it cost in DRAM bytes."""

    tile_bytes: int
    moved_bytes: tuple[int, int, int]


class _Demands:
    """Demands of products on one design, equal ones worked out once."""

    def __init__(self, hardware: Hardware) -> None:
        buffers = hardware.buffers
        self._hardware = hardware
        self._whole = sum(each.capacity_bytes for each in (buffers.west, buffers.north, buffers.output))
        self._known: dict[tuple[object, ...], _Demand] = {}

    def of(self, product: PlannedProduct) -> _Demand:
        """A product's demand."""
        key = (product.gemm.shape_key, product.mapping)
        if key not in self._known:
            self._known[key] = _demand(product, self._hardware)
        return self._known[key]

    def spare_bytes(self, work: Work) -> int:
        """Bytes of the buffers that a work leaves free throughout."""
        products = work.products if isinstance(work, TensorWork) else ()
        held = self._hardware.buffers.tiles_held
        return self._whole - max((held * self.of(product).tile_bytes for product in products), default=0)


def _demand(product: PlannedProduct, hardware: Hardware) -> _Demand:
    tiles = TileGrid.of_mapping(product.gemm, hardware, product.mapping)
    traffic = Traffic(tiles=tiles, order=product.mapping.order)
    held = (tiles.a_held_bytes, tiles.b_held_bytes, tiles.sum_bytes)
    a, b, c = (product.gemm.count * int(each[0]) for each in (traffic.a_bytes, traffic.b_bytes, traffic.result_bytes))
    return _Demand(tile_bytes=sum(int(each[0, 0, 0]) for each in held), moved_bytes=(a, b, c))


def spare_bytes(works: Sequence[Work], hardware: Hardware) -> tuple[int, ...]:
    """Bytes of the buffers that each work leaves free for tensors that stay."""
    demands = _Demands(hardware)
    return tuple(demands.spare_bytes(work) for work in works)


# The works with tensors on chip --------------------------------------------------------------------------------------


def with_kept(works: Sequence[Work], kept: Sequence[Kept], order: WorkOrder) -> tuple[Work, ...]:
    """The works, with nothing of the tensors that stay crossing to DRAM. ``residency_many`` does it on many designs."""
    names = {each.tensor for each in kept}
    for group in order.groups:
        for fused in reversed(group.fused_operators):
            # A result on its way to a fused operator is stored where the fused operator's own result is.
            if names.issuperset(fused.operator.outputs):
                names.add(fused.carried)
    return tuple(_on_chip(work, names) for work in works) if names else tuple(works)


def _on_chip(work: Work, names: Collection[str]) -> Work:
    fused = Fused(works=tuple(_vector_on_chip(each, names) for each in work.fused.works))
    if isinstance(work, ChainedVectorWork):
        return ChainedVectorWork(head=_vector_on_chip(work.head, names), fused=fused)
    places = tuple(place for place, name in zip(_PLACES, work.operands, strict=True) if name in names)
    products = tuple(replace(each, gemm=replace(each.gemm, on_chip=places)) for each in work.products)
    return replace(work, products=products, fused=fused)


def _vector_on_chip(work: VectorWork, names: Collection[str]) -> VectorWork:
    def placed(access: Access) -> Access:
        return replace(access, on_chip=True) if access.tensor in names else access

    return replace(
        work,
        reads=tuple(map(placed, work.reads)),
        writes=tuple(map(placed, work.writes)),
        displaces=placed(work.displaces) if work.displaces else None,
    )
