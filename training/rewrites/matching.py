"""Which factors of two tensors are the same, when an operator sees one as the other: a view, a slice, a copy.

A graph has no views: an operator's operand is a whole tensor, read in another shape, in another order, or in part. What
that can mean is solved from sizes, the surest first: ``Trust`` says how far. What stays ambiguous is pinned, so that it
is refused when somebody wants to change it, and never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from .factors import Factor, atoms, cancelled, merge, pin, product, split


class Trust(IntEnum):
    """How much may be concluded: what leaves no choice; also equal parts of a whole; or all, the rest being pinned."""

    SURE = 0
    PARTS = 1
    LAST = 2


def relate(left: Sequence[Factor], right: Sequence[Factor], trust: Trust, why: str, *, ordered: bool = True) -> bool:
    """Merge and split what two products of factors share.

    Args:
        left: of one tensor, outermost first.
        right: of the other; whatever one of them has more is read in part, summed over or repeated.
        trust: how much may be concluded.
        why: that is said of what is pinned here.
        ordered: whether equal sizes stand in the same order in both, as they do where nothing transposes.

    Returns:
        Whether nothing is left to be found out.
    """
    ours, theirs = cancelled(left, right)
    settled = True
    for size in sorted({atom.size for atom in ours} & {atom.size for atom in theirs}, reverse=True):
        here = [atom for atom in ours if atom.size == size]
        there = [atom for atom in theirs if atom.size == size]
        if not _alike(here, there, ordered):
            if trust is not Trust.LAST:
                settled = False
                continue
            pin((*here, *there), why)
        for one, other in zip(here, there, strict=False):
            for first, second in zip(atoms([one]), atoms([other]), strict=True):
                merge(first, second)
    if not settled:
        return False
    ours, theirs = cancelled(left, right)
    if not ours or not theirs:
        return True
    return _rest(ours, theirs, trust, why)


def _alike(here: Sequence[Factor], there: Sequence[Factor], ordered: bool) -> bool:
    """Whether it is no question which of several factors of one size is which."""
    if len(here) == len(there):
        return len(here) == 1 or ordered or len(set(here)) == 1 or len(set(there)) == 1
    more = max(here, there, key=len)
    return len(set(more)) == 1


def _rest(ours: list[Factor], theirs: list[Factor], trust: Trust, why: str) -> bool:
    """What no size is shared by: products, or parts of a whole."""
    large, small = (ours, theirs) if product(ours) >= product(theirs) else (theirs, ours)
    if product(large) == product(small):
        if len(large) == 1 or len(small) == 1:
            _refine(large, small)
            return True
        if trust is Trust.LAST and not _refine(large, small):
            pin((*large, *small), why)
        return trust is Trust.LAST
    if trust is Trust.SURE:
        return False
    if _gathered(large, small) or _gathered(small, large):
        return relate(large, small, trust, why)
    if any(atom.sums for atom in (*large, *small)):
        # A part of a concatenation: which one is found by what else reads it, or the operator no longer fits.
        return True
    repeated = [atom for atom in large if atom.size * product(small) == product(large)]
    if len(small) == len(repeated) == 1 and len(large) > 1:
        # An axis that is repeated, or of which one place is read.
        split(small[0], [atom for atom in large if atom is not repeated[0]])
        return True
    wholes = [atom for atom in large if atom.size % product(small) == 0]
    if len(wholes) == 1:
        (whole,) = wholes
        count = Factor(whole.size // product(small), pinned=f"it counts equal parts, which {why}")
        split(whole, (count, *small) if count.size > 1 else small)
        return True
    if trust is Trust.LAST:
        pin((*large, *small), why)
    return trust is Trust.LAST


def _gathered(ours: Sequence[Factor], theirs: Sequence[Factor]) -> bool:
    """Split a factor that is the product of one run of neighbours on the other side; whether there is such a factor."""
    spans = [theirs[first:last] for first in range(len(theirs)) for last in range(first + 2, len(theirs) + 1)]
    for atom in ours:
        runs = [span for span in spans if product(span) == atom.size]
        if len(runs) == 1 and (atom.pinned or not all(each.pinned for each in runs[0])):
            split(atom, runs[0])
            return True
    return False


def _refine(one: Sequence[Factor], other: Sequence[Factor]) -> bool:
    """Cut two products of one extent at the same places, from the innermost on; whether that went."""
    ours, theirs = atoms(one), atoms(other)
    while ours and theirs:
        here, there = ours.pop(), theirs.pop()
        large, small = (here, there) if here.size >= there.size else (there, here)
        if large.size == small.size:
            merge(small, large)
        elif large.size % small.size == 0:
            rest = Factor(large.size // small.size)
            split(large, (rest, small))
            (ours if large is here else theirs).append(rest)
        else:
            return False
        ours, theirs = atoms(ours), atoms(theirs)
    return True
