"""A product by a sum of N:M terms: every kernel position once a term, over the same values of the other operand.

A tile has all of its terms, so that the dense operand is fetched once and passes the array once a term. Times, and the
bytes of the sparse operand, add up.
"""

from __future__ import annotations

from dataclasses import replace

from ..configs.terms import Terms
from .gemm import Gemm
from .window import SpatialAxis, Window


def terms_of(gemm: Gemm) -> int:
    """Times that each element along k is met: once a term of a sum."""
    return len(gemm.pattern.terms) if isinstance(gemm.pattern, Terms) else 1


def in_terms(gemm: Gemm, terms: Terms) -> Gemm:
    """A product as an array that selects N:M runs it, term after term; B is the sum.

    Args:
        gemm: by the whole weight, nothing pruned; k has its taps.
        terms: of B.
    """
    times = len(terms.terms)
    as_it_is = Window(images=1, axes=(SpatialAxis(positions=gemm.m, inputs=gemm.m, stride=1, reach=1),))
    return replace(
        gemm,
        k=times * gemm.k,
        taps=times * gemm.taps,
        window=gemm.window or as_it_is,
        b=terms,
    )
