"""The zeros of a checkpoint in words: what it is, and what it and the network do not share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ...sim.results.own_weights import OwnZeros, WeightZeros
from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import percent

_NAMED = 3
"""Weights, or kinds of zeros, that a sentence names before it counts the others."""


def weights_sentence(result: SimulationResult) -> str:
    """What a checkpoint is; nothing where there is none."""
    own = result.own_zeros
    if own is None:
        return ""
    sparse, weights = own.sparse, own.weights
    if not sparse:
        return f"{own.file} has no zeros to speak of in {_counted(len(weights))}."
    share = sum(each.zeros for each in sparse) / sum(each.elements for each in sparse)
    return (
        f"{own.file} has zeros in {len(sparse)} of {_counted(len(weights))}, {percent(share)} of their elements: "
        f"{_kinds(sparse)}."
    )


def _counted(weights: int) -> str:
    return f"{weights} weight{'s' * (weights != 1)}"


def _kinds(sparse: tuple[WeightZeros, ...]) -> str:
    kinds = Counter(each.found for each in sparse)
    if len(kinds) == 1:
        return next(iter(kinds))
    told = [f"{kind} in {times}" for kind, times in kinds.most_common(_NAMED)]
    more = len(kinds) - _NAMED
    return ", ".join(told) + (f", {more} other kind{'s' * (more != 1)}" if more > 0 else "")


def weights_remarks(own: OwnZeros) -> Iterator[str]:
    """What a checkpoint and the network do not share."""
    if own.missing:
        yield (
            f"{own.file} has no values for {_listed(own.missing)}, by which products multiply: simulated as without "
            "zeros."
        )
    if own.others:
        yield f"{own.file} has {len(own.others)} tensors that the network has not: {_listed(own.others)}."
    idle = [each.parameter for each in own.weights if each.zeros == each.elements]
    if idle:
        yield f"{own.file} is zero throughout in {_listed(tuple(idle))}: simulated as if it were not."


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
