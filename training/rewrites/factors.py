"""Extents as products of factors, which are found to be one another: what of a network is as wide as what.

A factor is a number of channels, heads, tokens, ... that stands in extents of many tensors. Two that must be equal are
merged, one that is a product is split, one that is a concatenation is a sum of others, and one that may not change is
pinned, with the reason. Nothing here knows of operators: ``coupling`` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Factor:
    """A factor of extents, at least 2; once merged or split it stands for others.

    Attributes:
        size: as captured.
        pinned: why it may not change; empty where it may.
        sums: concatenations that it is the extent of: of each, the factors of every part.
        stands_for: what it was merged with, or split into; empty while it is a factor itself.
    """

    size: int
    pinned: str = ""
    sums: list[tuple[tuple[Factor, ...], ...]] = field(default_factory=list)
    stands_for: tuple[Factor, ...] = ()


def atoms(factors: Iterable[Factor]) -> list[Factor]:
    """What factors stand for, in their order."""
    found: list[Factor] = []
    for factor in factors:
        if not factor.stands_for:
            found.append(factor)
            continue
        factor.stands_for = tuple(atoms(factor.stands_for))
        found.extend(factor.stands_for)
    return found


def product(factors: Iterable[Factor]) -> int:
    """Their extent as captured."""
    return math.prod(factor.size for factor in factors)


def pin(factors: Iterable[Factor], why: str) -> None:
    """Hold factors at their size; the first reason stays."""
    for atom in atoms(factors):
        atom.pinned = atom.pinned or why


def merge(one: Factor, other: Factor) -> None:
    """Let two atoms of the same size be one."""
    assert one.size == other.size, "only what is equal is merged"
    if one is other:
        return
    one.pinned = one.pinned or other.pinned
    one.sums.extend(other.sums)
    other.stands_for = (one,)


def split(atom: Factor, parts: Sequence[Factor]) -> None:
    """Let an atom be the product of others."""
    assert product(parts) == atom.size, "parts make the whole"
    why = atom.pinned or ("it is a concatenation that is cut into equal parts" if atom.sums else "")
    if why:
        pin(parts, why)
        for summed in atom.sums:
            for part in summed:
                pin(part, why)
    atom.stands_for = tuple(parts)


def cancelled(left: Iterable[Factor], right: Iterable[Factor]) -> tuple[list[Factor], list[Factor]]:
    """Atoms of two products without those that stand in both."""
    ours, theirs = atoms(left), atoms(right)
    for atom in list(ours):
        if atom in theirs:
            ours.remove(atom)
            theirs.remove(atom)
    return ours, theirs


def without_constants(left: Iterable[Factor], right: Iterable[Factor]) -> tuple[list[Factor], list[Factor]]:
    """Atoms of two products without constants that both have."""
    ours, theirs = list(left), list(right)
    for atom in list(ours):
        same = next((other for other in theirs if other.size == atom.size and other.pinned), None)
        if atom.pinned and same is not None:
            ours.remove(atom)
            theirs.remove(same)
    return ours, theirs
