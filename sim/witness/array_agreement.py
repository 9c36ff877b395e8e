"""Whether the closed forms of the tensor engine and its register-level machine say the same.

``bisparse validate`` and the property tests ask here. The closed forms are those that every simulation uses; nothing is
recomputed on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...accel import tensor_engine
from ...configs.pattern import DENSE
from ...dataflow.dataflows import dataflow_named
from ...dataflow.dataflows.tile import ArrayTile, Sparsity
from .machines.random_cases import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A case on which the closed form, the machine and numpy are not of one mind.

    Attributes:
        case: the case.
        closed_form_cycles: what the closed form says.
        machine_cycles: what the machine took.
        largest_error: largest absolute difference between the machine's product and numpy's; 0 is exact.
    """

    case: Case
    closed_form_cycles: int
    machine_cycles: int
    largest_error: float

    def __str__(self) -> str:
        return (
            f"closed form {self.closed_form_cycles} cycles, machine {self.machine_cycles} cycles, "
            f"product off by {self.largest_error:g}: {self.case}"
        )


def closed_form_cycles(case: Case, *, spread_groups: bool = False) -> int:
    """Cycles that its dataflow gives for a case, its array spreading stationary groups over PEs or not."""
    machine, mapping = case.machine, case.mapping
    array = tensor_engine.ArrayTiming(
        rows=machine.rows,
        cols=machine.cols,
        mac_latency=machine.mac_latency,
        accumulate_latency=machine.accumulate_latency,
        register_depth=machine.register_depth,
        overlapped=machine.overlapped,
        shifted_drain=machine.drain == "shift",
        chained_load=machine.stationary_load == "chain",
        spread_groups=spread_groups,
    )
    # N = M lowers as dense: groups of one element.
    pattern = DENSE if case.compressed is None or case.pattern.is_dense else case.pattern
    tile = ArrayTile(
        m=case.m,
        n=case.n,
        slots=pattern.slots(case.channels, case.taps),
        groups=pattern.groups(case.channels, case.taps),
        sparsity=Sparsity(compressed=None if pattern.is_dense else case.compressed, pattern=pattern),
    )
    dataflow = dataflow_named(mapping.dataflow)
    return int(dataflow.cycles(array, tile, {name: getattr(mapping, name) for name in dataflow.parameters}))


def check_case(case: Case) -> Disagreement | None:
    """Run a case on the machine; ``None`` if the closed form has its cycles and numpy its product, exactly."""
    outcome = case.run()
    a, b = case.operands()
    largest_error = float(np.abs(outcome.product - a @ b).max())
    expected = closed_form_cycles(case)
    if expected == outcome.cycles and largest_error == 0.0:
        return None
    return Disagreement(
        case=case, closed_form_cycles=expected, machine_cycles=outcome.cycles, largest_error=largest_error
    )


def disagreements(cases: Iterable[Case]) -> Iterator[Disagreement]:
    """The cases, of those given, on which there is any disagreement."""
    for case in cases:
        found = check_case(case)
        if found is not None:
            yield found
