"""Whether the closed forms of the tensor engine and its register-level machine say the same.

``bisparse validate`` and the property tests ask here. The closed forms are those that every simulation uses; nothing is
recomputed on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ...accel import tensor_engine
from ...configs.pattern import DENSE
from ...dataflow.dataflows import dataflow_named
from ...dataflow.dataflows.tile import ArrayTile, Sparsity
from ...dataflow.gemm import Beside, Gemm
from ...dataflow.shares import array_for, tile_on_array
from ...training.graph import Stage
from .machines.random_cases import Case
from .machines.random_splits import SplitCase
from .machines.random_tiles import TilesCase
from .machines.random_units import UnitsCase


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
    laid = _laid(case, case.m, case.n, case.channels, spread_groups=spread_groups)
    return int(dataflow_named(case.mapping.dataflow).cycles(*laid))


def closed_form_begins(tiles: TilesCase) -> tuple[list[int], int]:
    """Cycles in which the dataflow lets each of several tiles begin, and cycles in all."""
    case, dataflow = tiles.case, dataflow_named(tiles.case.mapping.dataflow)
    laid = [_laid(case, m, n, k, tile_overlap=True) for m, n, k in tiles.extents]
    handed = [dataflow.handover(*each) for each in laid]
    whole = [int(dataflow.cycles(*each)) for each in laid]
    begins = [tiles.late[0]]
    for cycles, (own, after), late in zip(whole, pairwise(handed), tiles.late[1:], strict=False):
        until = tensor_engine.cycles_to_next(cycles, own, after.interval, after.lead, after.first, after.second)
        begins.append(begins[-1] + int(until) + late)
    return begins, begins[-1] + whole[-1]


def _laid(
    case: Case, m: int, n: int, channels: int, *, spread_groups: bool = False, tile_overlap: bool = False
) -> tuple[tensor_engine.ArrayTiming, ArrayTile, dict[str, int]]:
    """The array, a tile of a case and the numbers of its mapping, as a dataflow is told of them."""
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
        tile_overlap=tile_overlap,
    )
    # N = M lowers as dense: groups of one element.
    pattern = DENSE if case.compressed is None or case.pattern.is_dense else case.pattern
    tile = ArrayTile(
        m=m,
        n=n,
        slots=pattern.slots(channels, case.taps),
        groups=pattern.groups(channels, case.taps),
        sparsity=Sparsity(compressed=None if pattern.is_dense else case.compressed, pattern=pattern),
    )
    dataflow = dataflow_named(mapping.dataflow)
    return array, tile, {name: getattr(mapping, name) for name in dataflow.parameters}


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


def check_tiles(tiles: TilesCase) -> str | None:
    """Run several tiles in a row on the machine; None if closed form and numpy agree with it, else what differs."""
    run, (begins, cycles) = tiles.run(), closed_form_begins(tiles)
    a, b = tiles.case.operands()
    right = [
        np.array_equal(found, a[m, k] @ b[k, n]) for found, (m, n, k) in zip(run.products, tiles.tiles, strict=True)
    ]
    if begins == list(run.begins) and cycles == run.cycles and all(right):
        return None
    wrong = "" if all(right) else f", products of tiles {[at for at, one in enumerate(right) if not one]} are wrong"
    return (
        f"closed form begins {begins} and {cycles} cycles, machine {list(run.begins)} and {run.cycles}{wrong}: {tiles}"
    )


def check_split(split: SplitCase) -> str | None:
    """Run a case on the machine with k split; None if closed form and numpy agree with it, else what differs."""
    beside: Beside = "m" if split.case.mapping.dataflow == "is" else "n"
    return _against(split, replace(_gemm_of(split.case), split=split.split, beside=beside))


def check_units(shared: UnitsCase) -> str | None:
    """Run a case on machines that share it; None if closed form and numpy agree with them, else what differs."""
    tap_rows = shared.case.machine.rows if shared.apart else 1
    gemm = replace(_gemm_of(shared.case), units=shared.units, along=shared.along, tap_rows=tap_rows)
    return _against(shared, gemm)


def _against(drawn: SplitCase | UnitsCase, gemm: Gemm) -> str | None:
    """Whether the machines that run a product as it is formed take the cycles of the closed form, and find it."""
    case, outcome = drawn.case, drawn.run()
    a, b = case.operands()
    array, tile, numbers = _laid(case, case.m, case.n, case.channels)
    laid = tile_on_array(gemm, m=tile.m, n=tile.n, slots=tile.slots, groups=tile.groups)
    expected = int(dataflow_named(case.mapping.dataflow).cycles(array_for(gemm, array), laid, numbers))
    wrong = "" if np.array_equal(outcome.product, a @ b) else ", its product is wrong"
    if expected == outcome.cycles and not wrong:
        return None
    return f"closed form {expected} cycles, machine {outcome.cycles}{wrong}: {drawn}"


def _gemm_of(case: Case) -> Gemm:
    """The product of a case, by itself."""
    sparse = {case.compressed: case.pattern} if case.compressed and not case.pattern.is_dense else {}
    return Gemm(
        name="case",
        operator="case",
        stage=Stage.FORWARD,
        m=case.m,
        n=case.n,
        k=case.k,
        taps=case.taps,
        a=sparse.get("a", DENSE),
        b=sparse.get("b", DENSE),
    )


def disagreements(cases: Iterable[Case]) -> Iterator[Disagreement]:
    """The cases, of those given, on which there is any disagreement."""
    for case in cases:
        found = check_case(case)
        if found is not None:
            yield found
