"""Works on many designs at once run as the plain loop runs each, to the last bit."""

from types import SimpleNamespace

import numpy as np
import pytest
from bisparse.accel.engines import RESOURCES, TENSOR
from bisparse.sim.step.flows import Flow, Order, play

from .scalar_flows import ScalarFlow, run

DESIGNS, WORKS, UPDATES = 5, 9, 4
NAMES = ("dram", "vector", "reduction")


def drawn_flow(draw, longest):
    """Resources that some flows do not ask for at all, and sorters that some could not do with alone."""
    shares = {
        "dram": draw.random(DESIGNS) * draw.choice([0.0, 1.0], DESIGNS),
        "vector": draw.random(DESIGNS) * draw.choice([0.0, 1.0], DESIGNS),
        "reduction": draw.random(DESIGNS) * draw.choice([0.0, 1.3], DESIGNS),
    }
    return Flow(alone_cycles=draw.integers(0, longest, DESIGNS), shares=shares)


def of_design(flow, design, ready_after=0):
    return ScalarFlow(
        alone_cycles=float(flow.alone_cycles[design]),
        shares=tuple(float(flow.shares[name][design]) for name in NAMES),
        ready_after=ready_after,
    )


def in_turn(draw):
    return tuple((index - 1,) if index else () for index in range(WORKS))


def beside(draw):
    """Works need some of the earlier ones."""
    return tuple(tuple(np.flatnonzero(draw.random(index) < 0.3).tolist()) for index in range(WORKS))


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("waits", [in_turn, beside])
@pytest.mark.parametrize("seed", range(20))
def test_every_cycle_is_the_same(seed, waits, overlap):
    draw = np.random.default_rng(seed)
    works, updates = [drawn_flow(draw, 1000) for _ in range(WORKS)], [drawn_flow(draw, 3000) for _ in range(UPDATES)]
    on_array = draw.random(WORKS) < 0.5
    if waits is in_turn:
        # Vector work that nothing runs beside goes at its own pace: it never asks for more than there is.
        most = np.where(on_array, 2.0, 1.0)
        works = [
            Flow(alone_cycles=flow.alone_cycles, shares={name: np.minimum(flow.shares[name], share) for name in NAMES})
            for flow, share in zip(works, most, strict=True)
        ]
    waits_for, ready_after = waits(draw), draw.integers(0, WORKS, UPDATES).tolist()
    order = Order(
        works=[SimpleNamespace(engine=TENSOR if tensor else "vector") for tensor in on_array],
        waits_for=waits_for,
        updates=[SimpleNamespace(ready_after=after) for after in ready_after],
        overlap_update=overlap,
    )
    played = play(order, works, updates, DESIGNS)
    for design in range(DESIGNS):
        alone = [of_design(flow, design, after) for flow, after in zip(updates, ready_after, strict=True)]
        waited, idle = run(
            [of_design(flow, design) for flow in works], on_array, waits_for, alone, overlap_update=overlap
        )
        assert played.waited[:, design].tolist() == waited
        assert played.idle[:, design].tolist() == idle
        assert played.left[:, design].tolist() == [each.left_cycles for each in alone]


def test_there_may_be_nothing_to_do():
    order = Order(works=[], waits_for=[], updates=[], overlap_update=True)
    assert play(order, [], [], DESIGNS).left.shape == (0, DESIGNS)
    assert set(NAMES) <= set(RESOURCES)
