"""A step's works one after another with updates beside them, on many designs at once.

What ``side_by_side`` plays for one schedule whose vector work takes turns with products: the same flows in the same
stretches, so that every sum comes out the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...configs.arrays import FloatArray, IntArray
from .side_by_side import ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """A work, or an update, by itself on each design, [S]: see ``side_by_side.Flow``; lanes are nobody else's."""

    alone_cycles: FloatArray
    dram_share: FloatArray
    sorter_share: FloatArray


def run_in_turn(
    works: Sequence[Flows], updates: Sequence[Flows], ready_after: Sequence[int], *, overlap: bool
) -> tuple[list[FloatArray], FloatArray]:
    """Run the works of a step.

    Args:
        works: in their order.
        updates: earliest gradient first.
        ready_after: the work whose end makes each update ready.
        overlap: whether updates run beside works at all.

    Returns:
        Cycles that each work takes, [S], and those that each update has left at the end, [updates, S].
    """
    designs = len(works[0].alone_cycles) if works else len(updates[0].alone_cycles) if updates else 0
    left = np.array([update.alone_cycles for update in updates]).reshape(len(updates), designs)
    # In the order in which they become ready; of one work's in the order of their gradients.
    queue = sorted(range(len(updates)), key=lambda number: (ready_after[number], number))
    dram = np.array([updates[number].dram_share for number in queue]).reshape(len(queue), designs)
    sorters = np.array([updates[number].sorter_share for number in queue]).reshape(len(queue), designs)
    queued = left[queue]
    head = np.zeros(designs, dtype=np.int64)
    took, ready = [], 0
    for index, work in enumerate(works):
        took.append(_run(work, queued, dram, sorters, head, ready if overlap else 0))
        ready += sum(1 for after in ready_after if after == index)
    left[queue] = queued
    return took, left


def _run(
    work: Flows, queued: FloatArray, dram: FloatArray, sorters: FloatArray, head: IntArray, ready: int
) -> FloatArray:
    """Run one work to its end beside what is ready; the queue goes on in place. The cycles that it takes."""
    remaining, took = work.alone_cycles.copy(), np.zeros(len(head))
    spare_dram = np.maximum(1.0 - work.dram_share, 0.0)
    spare_sorters = np.maximum(1.0 - work.sorter_share, 0.0)
    going = np.arange(len(head))
    while len(going):
        at = head[going]
        beside = at < ready
        place = np.where(beside, at, 0)
        pace = np.zeros(len(going))
        if beside.any():
            own = np.ones(len(going))
            for share, spare in (
                (dram[place, going], spare_dram[going]),
                (sorters[place, going], spare_sorters[going]),
            ):
                needs = share > 0
                own = np.where(needs, np.minimum(own, spare / np.where(needs, share, 1.0)), own)
            pace = np.where(beside, own, 0.0)
        cycles = remaining[going]
        moving = pace > 0
        if moving.any():
            until = queued[place, going] / np.where(moving, pace, 1.0)
            cycles = np.where(moving, np.minimum(cycles, until), cycles)
        remaining[going] -= cycles
        took[going] += cycles
        if beside.any():
            rows, places = going[beside], place[beside]
            queued[places, rows] -= (cycles * pace)[beside]
            over = queued[places, rows] <= ROUNDING
            queued[places[over], rows[over]] = 0.0
            head[rows[over]] += 1
        going = going[remaining[going] > ROUNDING]
    return took
