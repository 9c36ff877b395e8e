"""Works in turn on many designs run as the side-by-side engine runs each."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from bisparse.sim.step import side_by_side
from bisparse.sim.step.in_turn import Flows, run_in_turn
from bisparse.sim.step.side_by_side import Flow, UpdateFlow

DESIGNS, WORKS, UPDATES = 5, 9, 4


def column(flows, design):
    return {
        "alone_cycles": float(flows.alone_cycles[design]),
        "dram_share": float(flows.dram_share[design]),
        "sorter_share": float(flows.sorter_share[design]),
    }


def one_by_one(works, updates, ready_after, overlap, design):
    """The loop of ``side_by_side``, its stretches taken from there."""
    ready = deque()
    flows = [
        UpdateFlow(**column(update, design), work=SimpleNamespace(ready_after=after))
        for update, after in zip(updates, ready_after, strict=True)
    ]
    took = []
    for index, work in enumerate(works):
        flow, cycles = Flow(**column(work, design)), 0.0
        while True:
            cycles += side_by_side._stretch(flow, None, ready)
            if flow.left_cycles <= side_by_side.ROUNDING:
                break
        took.append(cycles)
        if overlap:
            ready.extend(each for each in flows if each.work.ready_after == index)
    return took, [each.left_cycles for each in flows]


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_every_cycle_is_the_same(seed, overlap):
    draw = np.random.default_rng(seed)

    def flows(longest):
        return Flows(
            alone_cycles=draw.integers(0, longest, DESIGNS).astype(float),
            dram_share=draw.random(DESIGNS) * draw.choice([0.0, 1.0], DESIGNS),
            sorter_share=draw.random(DESIGNS) * draw.choice([0.0, 1.3], DESIGNS),
        )

    works, updates = [flows(1000) for _ in range(WORKS)], [flows(3000) for _ in range(UPDATES)]
    ready_after = draw.integers(0, WORKS, UPDATES).tolist()
    took, left = run_in_turn(works, updates, ready_after, overlap=overlap)
    for design in range(DESIGNS):
        alone = one_by_one(works, updates, ready_after, overlap, design)
        assert [float(cycles[design]) for cycles in took] == alone[0]
        assert left[:, design].tolist() == alone[1]
