"""The multiply-accumulate pipelines of every PE: multiplier stages, adder stages, and the partial sums they feed.

A multiply-accumulate issued in cycle t spends P - L cycles in the multiplier, enters the adder in cycle t + P - L
together with the partial sum it accumulates on, and its sum is written at the end of cycle t + P - 1. A partial sum is
therefore needed P - L cycles after the issue, not at it, which is what allows a dependent accumulation to issue L
cycles later.

Operations are named by a step number that travels with them; every register remembers the step that wrote it, and an
accumulation that would read anything but its own predecessor's sum raises a hazard.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from .sequencer import NONE, Steps
from .specification import HazardError


class AccumulatePipelines:
    """One pipeline and one bank of partial sums for each of ``elements`` PEs.

    Args:
        elements: PEs.
        registers: partial sums that a PE holds.
        mac_latency: P.
        accumulate_latency: L.
        steps: what each step reads and writes.
    """

    def __init__(
        self, *, elements: int, registers: int, mac_latency: int, accumulate_latency: int, steps: Steps
    ) -> None:
        idle = np.full(elements, steps.idle), np.zeros(elements)
        self.multiplier_stages = mac_latency - accumulate_latency
        self._multiplier = deque([idle] * self.multiplier_stages)
        self._adder = deque([idle] * (accumulate_latency - 1))
        self._steps = steps
        self._element = np.arange(elements)
        # One bank more than there are registers: idle pipelines write there.
        self._sums = np.zeros((registers + 1, elements))
        self._written_by = np.full((registers + 1, elements), steps.idle)

    def cycle(
        self,
        step: IntArray,
        product: FloatArray,
        arriving: FloatArray | None = None,
        arrived_from: IntArray | None = None,
    ) -> tuple[IntArray, FloatArray]:
        """Issue one operation a PE (or the idle step) and move everything one stage on.

        Args:
            step: operation issued by each PE, [elements].
            product: what its multiplier makes, [elements].
            arriving: partial sums in the link registers, read by steps that take a neighbour's, [elements].
            arrived_from: steps that produced them, [elements].

        Returns:
            The steps whose sums are written at the end of this cycle, and those sums, [elements] each.

        Raises:
            HazardError: an operation reached its adder before (or after) the partial sum it accumulates on.
        """
        self._multiplier.append((step, product))
        step, product = self._multiplier.popleft()
        register = self._steps.register[step]
        base = self._sums[register, self._element]
        written_by = self._written_by[register, self._element]
        if arriving is not None and arrived_from is not None:
            from_link = self._steps.from_neighbour[step]
            base = np.where(from_link, arriving, base)
            written_by = np.where(from_link, arrived_from, written_by)
        predecessor = self._steps.predecessor[step]
        if ((written_by != predecessor) & (predecessor != NONE) & (written_by != NONE)).any():
            raise HazardError("an accumulation met its adder when its partial sum was not there")
        base = base * self._steps.accumulates[step]

        self._adder.append((step, base + product))
        step, total = self._adder.popleft()
        register = self._steps.register[step]
        self._sums[register, self._element] = total
        self._written_by[register, self._element] = step
        return step, total
