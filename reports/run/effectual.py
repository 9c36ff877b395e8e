"""Effectual products in words: how many of those issued have two non-zero operands, and on whose word."""

from __future__ import annotations

from collections.abc import Sequence

from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import count, percent
from .answer import is_dense, labels

NAME = "products with two non-zero operands"


def effectual_words(result: SimulationResult) -> str | None:
    """What a row says beside ``NAME``; None without measured densities."""
    match = result.densities
    if match is None:
        return None
    parts = [f"{count(result.effectual_macs or 0)} of {count(result.issued_macs)} issued ({_share(result)})"]
    if not is_dense(result) and result.dense.effectual_macs is not None:
        parts.append(f"{count(result.dense.effectual_macs)} in the dense step")
    parts.append(f"by densities of {result.inputs['densities'].name}, zeros taken as independent")
    if not match.weights_measured:
        parts.append("whose run had another recipe or ratio: weights issued are taken as non-zero")
    if match.unmatched_modules:
        modules = match.matched_modules + len(match.unmatched_modules)
        parts.append(f"{len(match.unmatched_modules)} of {modules} modules not measured, taken as dense")
    parts.append("the others are gated" if match.zero_gating else "the array multiplies the others too")
    return "; ".join(parts)


def effectual_lines(results: Sequence[SimulationResult]) -> list[str]:
    """A sentence for one run; of several, their shares beside each other."""
    known = [(name, result) for name, result in zip(labels(results), results, strict=True) if result.densities]
    if not known:
        return []
    if len(results) == 1:
        return [f"{NAME[0].upper()}{NAME[1:]}: {effectual_words(results[0])}."]
    shares = ", ".join(f"{name} {_share(result)}" for name, result in known)
    return [f"{NAME[0].upper()}{NAME[1:]}, of those issued: {shares}."]


def _share(result: SimulationResult) -> str:
    return percent((result.effectual_macs or 0) / result.issued_macs) if result.issued_macs else "–"
