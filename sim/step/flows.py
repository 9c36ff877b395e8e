"""Works side by side in closed form: the tensor engine's works, vector work and updates share DRAM, lanes and sorters.

Products go at their own pace: DRAM, lanes and sorters serve their tiles first. Vector work that the schedule lets run
beside them takes what they leave, evenly spread over each; updates what both leave. Each engine takes its works in
order, each when the works that it needs are over. Between two ends of anything all paces are constant, so the step is a
few hundred stretches; many designs, [S], go through theirs at once, each at its own. Not modelled: that what a product
leaves comes in pieces. Source: docs/hardware-model.md, "The step".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...accel.engines import RESOURCES, TENSOR
from ...configs.arrays import BoolArray, Counts, FloatArray, IntArray
from ...dataflow.works import UpdateWork, Work

ROUNDING = 1e-4
"""Cycles that sums of fractions may be off by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A work or an update by itself on each design.

    Attributes:
        alone_cycles: that it takes; a number, or [S].
        shares: of those, each of ``RESOURCES`` is busy; what is not named is left alone.
    """

    alone_cycles: Counts
    shares: Mapping[str, Counts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who runs when.

    Attributes:
        works: of the step.
        waits_for: of each work, the earlier ones that must be over before it begins.
        updates: earliest gradient first.
        overlap_update: whether updates run beside works at all.
    """

    works: Sequence[Work]
    waits_for: Sequence[Sequence[int]]
    updates: Sequence[UpdateWork]
    overlap_update: bool

    @property
    def in_turn(self) -> bool:
        """Whether every work waits for the one before it, so that no two ever run at once."""
        return all(index - 1 in waits for index, waits in enumerate(self.waits_for) if index)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOutcome:
    """What became of the flows.

    Attributes:
        waited: [W, S] cycles that each vector work runs with no product beside it.
        idle: [W, S] of those, after the last product.
        left: [U, S] of each update's cycles, those still to go when all works are over.
    """

    waited: FloatArray
    idle: FloatArray
    left: FloatArray


def play(order: Order, works: Sequence[Flow], updates: Sequence[Flow], designs: int) -> FlowOutcome:
    """Let all works run.

    Args:
        order: who waits for whom.
        works: a flow a work.
        updates: a flow an update.
        designs: S.
    """
    stretches = _Stretches(order, works, updates, designs)
    while stretches.begin():
        stretches.advance()
    return FlowOutcome(waited=stretches.waited[:-1], idle=stretches.idle[:-1], left=stretches.update_left[:-1])


def _stacked(flows: Sequence[Flow], designs: int, nothing: float) -> tuple[FloatArray, FloatArray]:
    """[N + 1, S] cycles and [N + 1, S, R] shares; the last row stands for no flow at all."""
    cycles = np.full((len(flows) + 1, designs), nothing)
    shares = np.zeros((len(flows) + 1, designs, len(RESOURCES)))
    for number, flow in enumerate(flows):
        cycles[number] = flow.alone_cycles
        if cycles[number].min(initial=0.0) < 0:
            raise OverflowError("got counts of cycles below 0, need sizes whose counts stay below 2^63")
        for name, share in flow.shares.items():
            shares[number, :, RESOURCES.index(name)] = share
    return cycles, shares


class _Stretches:
    """Flows under way on every design. Queues: 0 the tensor engine's works, 1 the vector engine's."""

    def __init__(self, order: Order, works: Sequence[Flow], updates: Sequence[Flow], designs: int) -> None:
        self._designs = np.arange(designs)
        self._in_turn = order.in_turn
        self._alone, self._shares = _stacked(works, designs, np.inf)
        self.update_left, self._update_shares = _stacked(updates, designs, np.inf)
        self._none, self._no_update = len(works), len(updates)
        self._queues = self._queued(order)
        self._needs = self._needed(order)
        self._made_by = self._updates_made(order)
        self._makes = np.array([bool(made) for made in (*self._made_by, [])])
        self._done = np.zeros((2, designs), dtype=np.int64)
        self._now = np.full((2, designs), self._none)
        self._left = np.full((2, designs), np.inf)
        self._ready = np.full((len(updates) + 1, designs), self._no_update)
        """[U + 1, S] updates in the order in which they became ready."""
        self._made = np.zeros(designs, dtype=np.int64)
        self._head = np.zeros(designs, dtype=np.int64)
        self.waited = np.zeros((len(works) + 1, designs))
        self.idle = np.zeros((len(works) + 1, designs))

    @staticmethod
    def _queued(order: Order) -> tuple[IntArray, IntArray]:
        on_array = np.array([work.engine == TENSOR for work in order.works], dtype=bool)
        return np.flatnonzero(on_array), np.flatnonzero(~on_array)

    def _needed(self, order: Order) -> IntArray:
        """[2, W] how many works of each queue must be over before a work begins."""
        place = np.zeros((2, len(order.works) + 1), dtype=np.int64)
        for number, queue in enumerate(self._queues):
            place[number, queue] = np.arange(1, len(queue) + 1)
        needs = [place[:, list(waits)].max(axis=1, initial=0) for waits in order.waits_for]
        return np.array(needs, dtype=np.int64).reshape(-1, 2).T

    @staticmethod
    def _updates_made(order: Order) -> list[list[int]]:
        """The updates that the end of each work makes ready."""
        made: list[list[int]] = [[] for _ in order.works]
        for number, update in enumerate(order.updates if order.overlap_update else ()):
            made[update.ready_after].append(number)
        return made

    # Beginning -------------------------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """Let engines take their next works where those that these need are over; whether anything is under way."""
        if self._in_turn:
            self._skip()
        for number, queue in enumerate(self._queues):
            free = (self._now[number] == self._none) & (self._done[number] < len(queue))
            if not free.any():
                continue
            following = queue[np.minimum(self._done[number], len(queue) - 1)]
            may = free & (self._done >= self._needs[:, following]).all(axis=0)
            self._now[number] = np.where(may, following, self._now[number])
            self._left[number] = np.where(may, self._alone[following, self._designs], self._left[number])
        return bool((self._now != self._none).any())

    def _skip(self) -> None:
        """Run works in turn with nothing beside them, up to one that makes an update ready: all take what they take."""
        at = self._done.sum(axis=0)
        first = int(at[0]) if len(at) else self._none
        if (self._now != self._none).any() or (self._head < self._made).any() or (at != first).any():
            return
        makers = np.flatnonzero(self._makes[first:])
        until = first + int(makers[0]) + 1 if len(makers) else self._none
        of_vector = self._queues[1][(self._queues[1] >= first) & (self._queues[1] < until)]
        self.waited[of_vector] = self._alone[of_vector]
        after = of_vector[self._done_with_products(of_vector)]
        self.idle[after] = self._alone[after]
        for number, queue in enumerate(self._queues):
            self._done[number] = np.searchsorted(queue, until)
        if until > first:
            self._over(until - 1, np.ones(len(at), dtype=bool))

    def _done_with_products(self, works: IntArray) -> BoolArray:
        last = self._queues[0][-1] if len(self._queues[0]) else -1
        return np.asarray(works > last)

    # Going on --------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Let all flows go on until the first of each design's is over."""
        on_array, on_lanes = self._now
        update = self._ready[self._head, self._designs]
        spare = 1.0 - self._shares[on_array, self._designs]
        own = self._shares[on_lanes, self._designs]
        lanes_pace = np.ones(len(on_lanes)) if self._in_turn else _pace(own, spare)
        spare = spare - lanes_pace[:, None] * own
        beside = self._update_shares[update, self._designs]
        update_pace = np.where(update == self._no_update, 0.0, _pace(beside, spare))
        under_way = (self._now != self._none).any(axis=0)
        until = np.minimum(self._left[0], _until(self._left[1], lanes_pace))
        until = np.minimum(until, _until(self.update_left[update, self._designs], update_pace))
        cycles = np.where(under_way, until, 0.0)
        alone = on_array == self._none
        self.waited[on_lanes, self._designs] += np.where(alone, cycles, 0.0)
        over = self._done[0] == len(self._queues[0])
        self.idle[on_lanes, self._designs] += np.where(alone & over, cycles, 0.0)
        self._left[0] -= cycles
        self._left[1] -= cycles * lanes_pace
        self._update(update, cycles * update_pace)
        for number in range(2):
            self._finish(number)

    def _update(self, update: IntArray, cycles: FloatArray) -> None:
        """Updates under way go on; those that are over make room for the next."""
        left = self.update_left[update, self._designs] - cycles
        over = (update != self._no_update) & (left <= ROUNDING)
        self.update_left[update, self._designs] = np.where(over, 0.0, left)
        self._head += over

    def _finish(self, number: int) -> None:
        """Works of a queue that have nothing left are over."""
        now = self._now[number]
        over = self._left[number] <= ROUNDING
        self._done[number] += over
        made = over & self._makes[now]
        for work in sorted(set(now[made].tolist())):
            self._over(work, made & (now == work))
        self._now[number] = np.where(over, self._none, now)
        self._left[number] = np.where(over, np.inf, self._left[number])

    def _over(self, work: int, where: BoolArray) -> None:
        """The end of a work makes updates ready."""
        rows = np.flatnonzero(where)
        for update in self._made_by[work]:
            self._ready[self._made[rows], rows] = update
            self._made[rows] += 1


def _pace(shares: FloatArray, spare: FloatArray) -> FloatArray:
    """[S] how fast flows go, 1 being alone, on what is left, [S, R], of each resource."""
    wanted = shares > 0
    paces = np.where(wanted, np.maximum(spare, 0.0) / np.where(wanted, shares, 1.0), 1.0)
    return np.asarray(np.minimum(paces.min(axis=1), 1.0))


def _until(left: FloatArray, pace: FloatArray) -> FloatArray:
    """[S] cycles in which flows are over; infinite for those that stand still."""
    moving = pace > 0
    return np.where(moving, left / np.where(moving, pace, 1.0), np.inf)
