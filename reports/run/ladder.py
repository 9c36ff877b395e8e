"""What stands between the FLOP bound and the prediction, rung by rung, from the result's own figures and nothing else.

Above the bound: pruning every product N:M would leave N/M of the dense step; the products that stay dense give some of
that back, in proportion to their multiply-accumulates, and the sum is the FLOP bound exactly.
Below it: the bound supposes that every cycle of the dense step shrinks alike. Cycles by cause sum to the total in both
steps, so ``sparse - dense / bound`` of each cause says exactly what did not shrink, and these sum to the gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...configs.formats import parse_format
from ...configs.pattern import Pattern
from ...dataflow.cycle_causes import CYCLE_CAUSES
from ...sim.results.simulation_result import OperatorResult, SimulationResult
from ..shared.quantities import percent

SMALL = 0.002
"""Rungs below this share of the dense step are pooled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A step of the ladder.

    Attributes:
        name: short.
        cycles: the total for ``total``, otherwise the change, with its sign.
        kind: ``total`` stands on the ground, ``change`` hangs between its neighbours.
        note: one line that says how the figure is found.
    """

    name: str
    cycles: float
    kind: Literal["total", "change"]
    note: str = ""


def ladder(result: SimulationResult) -> tuple[Rung, ...]:
    """The rungs from the dense step through the FLOP bound to this one; changes sum to what parts two totals."""
    dense = result.dense.total_cycles
    bound = dense / result.flop_bound_speedup
    return (
        Rung(name="dense step", cycles=dense, kind="total", note="the same step, nothing pruned"),
        *_to_the_bound(result, dense, bound),
        Rung(name="FLOP bound", cycles=bound, kind="total", note="dense step x MACs kept / dense MACs"),
        *_to_the_prediction(result, dense),
        Rung(name="this step", cycles=result.total_cycles, kind="total", note="the prediction"),
    )


def _to_the_bound(result: SimulationResult, dense: float, bound: float) -> Iterator[Rung]:
    products = [row for row in result.rows if row.engine == "tensor"]
    patterns = {row.sparsity for row in products} - {"dense"}
    if len(patterns) != 1 or any(parse_format(each).leaves_dense for each in patterns):
        why = "several patterns in one step" if len(patterns) > 1 else "parts of weights are gone as a whole"
        yield Rung(name="MACs pruned away", cycles=bound - dense, kind="change", note=why)
        return
    pattern = patterns.pop()
    sparse = parse_format(pattern)
    density, (kept, of) = sparse.density, sparse.share
    all_kept = f"{kept} of {of}" if isinstance(sparse, Pattern) else percent(density)
    yield Rung(
        name=f"all products {pattern}",
        cycles=-dense * (1 - density),
        kind="change",
        note=f"if every product kept {all_kept}: {1 / density:.2f}x",
    )
    dense_macs = result.useful_macs * result.flop_bound_speedup
    left = dense * density
    for name, rows in _left_dense(products).items():
        share = sum(row.useful_macs for row in rows) / dense_macs
        change = dense * share * (1 - density)
        left += change
        if change:
            note = f"{len(rows)} product{'s' if len(rows) > 1 else ''}, {percent(share)} of the dense MACs"
            yield Rung(name=name, cycles=change, kind="change", note=note)
    if abs(bound - left) > SMALL * dense:
        note = "short groups, and operators that the dense step counts otherwise"
        yield Rung(name="incomplete groups", cycles=bound - left, kind="change", note=note)


def _left_dense(products: list[OperatorResult]) -> dict[str, list[OperatorResult]]:
    names = {"WU": "WU stays dense", "FF": "FF left dense", "BP": "BP left dense"}
    return {
        name: [row for row in products if row.stage == stage and row.sparsity == "dense"]
        for stage, name in names.items()
    }


def _to_the_prediction(result: SimulationResult, dense: float) -> Iterator[Rung]:
    changes = {
        cause: result.stalls.get(cause, 0) - result.dense.stalls.get(cause, 0) / result.flop_bound_speedup
        for cause in dict.fromkeys((*result.dense.stalls, *result.stalls))
    }
    pooled = 0.0
    for cause, change in sorted(changes.items(), key=lambda item: -item[1]):
        if abs(change) < SMALL * dense:
            pooled += change
            continue
        name = CYCLE_CAUSES.get(cause, cause)
        yield Rung(name=name, cycles=change, kind="change", note=_cause_note(result, cause))
    if abs(pooled) >= 0.5:
        yield Rung(name="other causes", cycles=pooled, kind="change", note="causes below 0.2% of the dense step")


def _cause_note(result: SimulationResult, cause: str) -> str:
    before, now = result.dense.stalls.get(cause, 0), result.stalls.get(cause, 0)
    if before:
        return f"{now / before:.2f} of the dense step's, where the bound supposes {1 / result.flop_bound_speedup:.2f}"
    return "absent from the dense step"
