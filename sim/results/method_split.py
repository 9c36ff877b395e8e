"""What a method saves, split: what its arithmetic promises, what the design takes, and what stands between, by cause.

The arithmetic promises that all of the dense time shrinks as the multiply-accumulates do, to ``D x kept / dense``: the
FLOP bound. What stands between is found from figures that the simulation has, and sums to the gap exactly: cycles by
cause sum to the total in both steps, so ``own - dense x kept / dense`` of each cause says what did not shrink. The
cycles in which the array is at work are split by what it multiplies: kept products, which are the promise itself, those
that nothing asked for, and places of the array without any. A negative part shrank by more than the arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .simulation_result import OperatorResult, SimulationResult
    from .training_figures import TrainingRun

BETWEEN: dict[str, str] = {
    "gradients": "gradients of pruned weights",
    "zeros": "zeros that take time",
    "edges": "array in part filled",
    "lanes": "lanes that wait for each other",
    "fill": "fill and drain of the array",
    "vector": "vector work",
    "update": "weight update and N:M reduction",
    "memory": "memory and ports",
    "extra": "extra work of the method",
    "phases": "steps unlike the last phase's",
}
"""What may stand between, in words. ``gradients``: the array forms weight gradients that the method needs none of.
``zeros``: of pruned products, or of what streams past, they are multiplied; below 0 more are skipped than were counted.
``edges``: rows, columns and borders of tiles without a product that was asked for. ``extra``: what is done beside
products and masks, in the step or beside it. ``phases``: of a whole run, all that other steps take beyond theirs."""

WHOLE_GRADIENTS = "computes the gradients of pruned weights, too"
"""Why a weight gradient takes the time of all of it, behind the design's name."""

_CAUSES: dict[str, tuple[str, ...]] = {
    "lanes": ("imbalance",),
    "fill": ("bubble", "fill_drain"),
    "vector": ("dependence", "idle"),
    "update": ("update", "reduction"),
    "memory": ("west", "north", "output"),
}
"""Causes of cycles that are one thing to a reader; ``busy`` is split by what is multiplied."""

_Parts = dict[str, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSplit:
    """The split of a step, or of a whole run.

    Attributes:
        dense_cycles: of dense training.
        promised_cycles: were all of its time to shrink as the multiply-accumulates do.
        taken_cycles: on the design; what is promised and what stands between, exactly.
        between_cycles: by what stands between, see ``BETWEEN``.
    """

    dense_cycles: int
    promised_cycles: int
    taken_cycles: int
    between_cycles: dict[str, int]

    def of_dense(self, cycles: float) -> float:
        """Cycles as a share of the dense ones."""
        return cycles / self.dense_cycles if self.dense_cycles else 0.0

    def document(self) -> dict[str, Any]:
        """The split as plain data, ready for JSON."""
        return dataclasses.asdict(self)


def split_of_step(result: SimulationResult) -> MethodSplit:
    """The split of a result's step."""
    dense = result.dense.total_cycles
    return _whole(dense, dense * _kept(result), result.total_cycles, _between(result))


def split_of_run(result: SimulationResult) -> MethodSplit | None:
    """The split of a result's whole training run; None where none was simulated, or its products were not counted."""
    run = result.training
    if run is None or not run.dense_useful_macs:
        return None
    promised = Fraction(run.dense_cycles * run.useful_macs, run.dense_useful_macs)
    return _whole(run.dense_cycles, promised, run.total_cycles, _between_of_run(result, run))


def _kept(result: SimulationResult) -> Fraction:
    """Kept multiply-accumulates over those of the dense step; 1 of nothing."""
    dense_macs = _dense_macs(result)
    return Fraction(result.useful_macs, dense_macs) if dense_macs else Fraction(1)


def _dense_macs(result: SimulationResult) -> int:
    return round(result.useful_macs * result.flop_bound_speedup)


def _between(result: SimulationResult) -> _Parts:
    """What stands between of a step; it sums to what the step takes beyond what is promised."""
    own, dense, kept = result.stalls, result.dense.stalls, _kept(result)
    peak = max(result.peak_macs_per_cycle, 1)
    extra, unasked = _extra(result), _unasked(result.rows, peak)
    idle = Fraction(own.get("busy", 0)) - Fraction(result.useful_macs, peak) - sum(unasked.values())
    dense_idle = dense.get("busy", 0) - Fraction(_dense_macs(result), peak)
    parts = unasked | {"edges": idle - kept * dense_idle, "extra": Fraction(extra.total())}
    for name, causes in _CAUSES.items():
        each = (own.get(cause, 0) - extra[cause] - kept * dense.get(cause, 0) for cause in causes)
        parts[name] = sum(each, Fraction(0))
    return parts


def _unasked(rows: Sequence[OperatorResult], peak: int) -> _Parts:
    """Cycles of the whole array in which it multiplies what was not asked for; below 0 where it skips more."""
    found = {"gradients": Fraction(0), "zeros": Fraction(0)}
    for row in rows:
        if row.engine != "tensor":
            continue
        name = "gradients" if WHOLE_GRADIENTS in row.dense_reason else "zeros" if row.sparsity != "dense" else None
        if name is not None:
            found[name] += Fraction(row.issued_macs - row.useful_macs, peak)
    return found


def _extra(result: SimulationResult) -> Counter[str]:
    """Cycles by cause that the step waits for extra work; not for that of the array, which counts as products."""
    found: Counter[str] = Counter()
    for each in result.extra_work:
        if each.engine == "tensor":
            continue
        rows = [row for row in result.rows if row.name == each.name or row.name.endswith(f":{each.name}")]
        # A search for masks has no row of its own: it is in the update's stream.
        for causes in [row.causes for row in rows] or [{"reduction": each.cycles}]:
            found.update(causes)
    return found


def _between_of_run(result: SimulationResult, run: TrainingRun) -> _Parts:
    """What stands between of a run: steps like the result's by cause, all other steps as one, and what is beside them.

    Dense steps take what is promised of them.
    """
    of_mac = Fraction(run.dense_cycles, run.dense_useful_macs)
    alike, others = 0, Fraction(0)
    for phase in run.phases:
        steps = phase.times * phase.steps
        if (phase.step_cycles, phase.step_useful_macs) == (result.total_cycles, result.useful_macs):
            alike += steps
        else:
            others += steps * (phase.step_cycles - of_mac * phase.step_useful_macs)
    parts = {name: alike * value for name, value in _between(result).items()} | {"phases": others}
    for event in run.events:
        # What takes no time because the array forms these gradients in every step: they are asked for here.
        name = "extra" if event.cycles or event.useful_macs < 0 else "gradients"
        parts[name] += event.cycles - of_mac * event.useful_macs
    return parts


def _whole(dense: int, promised: Fraction, taken: int, between: _Parts) -> MethodSplit:
    """The split in whole cycles: parts are rounded so that they still sum to what stands between."""
    rounded = round(promised)
    cycles = {name: floor(between.get(name, 0)) for name in BETWEEN}
    missing = taken - rounded - sum(cycles.values())
    # The sum is off by less than a cycle a part; whose fraction is largest is rounded up first.
    for name in sorted(cycles, key=lambda name: floor(between.get(name, 0)) - between.get(name, 0))[: max(missing, 0)]:
        cycles[name] += 1
    return MethodSplit(dense_cycles=dense, promised_cycles=rounded, taken_cycles=taken, between_cycles=cycles)
