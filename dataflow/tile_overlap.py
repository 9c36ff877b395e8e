"""Tiles that overlap on the array: how long each kind of tile keeps the next one out.

A tile's time is then not its own alone: the next one enters while it empties (``accel.tensor_engine.cycles_to_next``),
and only the last tile of a product pays fill and drain in full. What it takes to know that stands, kind by kind, in one
array beside the tile's own cycles, ``NUMBERS`` of each kind, so that searches carry both alike.

Assumed, since no buffer is modelled value by value: a share of a buffer is handed on as the array reads it, and results
are stored as they leave. So DMA loads and stores beside a tile what it would if tiles did not overlap. Source:
docs/hardware-model.md, "Tiles that overlap".
"""

from __future__ import annotations

import numpy as np

from ..accel.tensor_engine import Handover, cycles_to_next
from ..configs.arrays import IntArray
from .loop_nest import Kinds

NUMBERS = ("least", "ports", "whole", *Handover._fields)
"""Of a kind of tile: cycles to the next tile at least, ports in the way; of the slowest port; of the tile alone on the
array; and when it lets the next one in."""

KINDS = 12
"""Kinds of tiles; the number after the last kind stands for no tile."""


def numbers_of_kind(whole: IntArray, handover: Handover, ports: IntArray) -> IntArray:
    """[..., ``NUMBERS``] of kinds of tiles; counts broadcast to [...].

    Args:
        whole: cycles of the array, the tile alone.
        handover: when it lets the next one in.
        ports: cycles of the slowest port.
    """
    least = np.maximum(handover.interval, ports)
    return np.stack(np.broadcast_arrays(least, ports, whole, *handover), axis=-1)


def overlaps(of_kind: IntArray) -> bool:
    """Whether numbers of kinds are those of tiles that overlap, [..., 2, 2, 3, ``NUMBERS``]; else [..., 2, 2, 3]."""
    return bool(of_kind.shape[-1] == len(NUMBERS))


def least_of_kind(of_kind: IntArray) -> IntArray:
    """[..., 2, 2, 3] cycles of kinds of tiles that no neighbours make fewer."""
    return of_kind[..., 0] if overlaps(of_kind) else of_kind


def cycles_by_next(of_kind: IntArray) -> tuple[IntArray, IntArray]:
    """[K, kinds, kinds + 1] cycles from a tile's begin to the next one's, by the kinds of both.

    Args:
        of_kind: [K, 2, 2, 3, ``NUMBERS``].

    Returns:
        Of the array alone; and with ports in the way.
    """
    flat = of_kind.reshape(len(of_kind), KINDS, len(NUMBERS))
    # No tile is set to hold nothing.
    nothing = np.zeros((len(flat), 1, len(NUMBERS)), dtype=np.int64)
    after = Handover(*np.moveaxis(np.concatenate([flat, nothing], axis=1)[:, None, :, 3:], -1, 0))
    own = np.moveaxis(flat[:, :, None], -1, 0)
    on_array = cycles_to_next(own[2], Handover(*own[3:]), after.interval, after.lead, after.first, after.second)
    return np.asarray(on_array), np.maximum(on_array, own[1])


def at_pair(by_next: IntArray, here: Kinds, following: Kinds) -> IntArray:
    """[K, P] cycles at positions of a loop nest.

    Args:
        by_next: as ``cycles_by_next`` gives them.
        here: [K, P] kinds of their tiles.
        following: [K, P] kinds of the tiles after them.
    """
    pair = here.astype(np.intp) * (KINDS + 1) + following
    return np.take_along_axis(by_next.reshape(len(by_next), KINDS * (KINDS + 1)), pair, axis=1)
