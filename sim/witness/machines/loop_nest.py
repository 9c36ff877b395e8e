"""A brute-force walk of tiled loops: which block moves when. The witness for the traffic closed form of ``dataflow``.

One block of each operand is resident, or all that a loop comes back to where an operand is kept; a block that is not
resident is fetched, and the C block that it displaces leaves. Double buffering fetches earlier, not more, so it changes
nothing here. Nothing is computed that can be walked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

DIMENSIONS = "mnk"

_FREE = {"a": "n", "b": "m", "c": "k"}
"""The dimension that each operand does not depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileVisit:
    """One tile of the walk.

    Attributes:
        m_index: tile along m.
        n_index: tile along n.
        k_index: tile along k.
        loads_a: the A block (m, k) is fetched for this tile.
        loads_b: the B block (k, n) is fetched for this tile.
        reads_partial_sums: the C block (m, n) was worked on before, left, and is read back for this tile.
        writes_c: the C block leaves after this tile, with all of k summed or part of it; empty when it stays.
    """

    m_index: int
    n_index: int
    k_index: int
    loads_a: bool
    loads_b: bool
    reads_partial_sums: bool
    writes_c: Literal["", "partial", "final"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Blocks and elements that moved in a whole walk.

    Attributes:
        a_fetches: A blocks fetched.
        b_fetches: B blocks fetched.
        c_partial_writes: C blocks that left with some of k summed.
        c_final_writes: C blocks that left with all of k summed.
        partial_sum_reads: C blocks read back.
        a_elements: elements of the A blocks fetched; likewise below.
        b_elements: of the B blocks fetched.
        c_partial_elements: of the C blocks that left partial.
        c_final_elements: of the C blocks that left final.
        partial_sum_elements: of the C blocks read back.
    """

    a_fetches: int
    b_fetches: int
    c_partial_writes: int
    c_final_writes: int
    partial_sum_reads: int
    a_elements: int
    b_elements: int
    c_partial_elements: int
    c_final_elements: int
    partial_sum_elements: int


def tile_extents(extent: int, tile: int) -> list[int]:
    """Extents of the tiles that a dimension is cut into; the last may be short.

    >>> tile_extents(10, 4)
    [4, 4, 2]
    """
    if extent < 1 or tile < 1:
        raise ValueError(f"tile: got extent {extent} in tiles of {tile}, need both at least 1")
    return [min(tile, extent - start) for start in range(0, extent, tile)]


def walk(
    extents_m: Sequence[int], extents_n: Sequence[int], extents_k: Sequence[int], order: str, kept: str = ""
) -> Iterator[TileVisit]:
    """Walk every tile.

    Args:
        extents_m: extents of the tiles along m; only their number matters here.
        extents_n: along n.
        extents_k: along k.
        order: the block loops, outermost first, such as ``"mnk"``.
        kept: of ``a``, ``b`` and ``c`` those whose blocks stay until a loop outside the one that they do not depend on
            goes on; sums that stay leave when they are finished.

    Raises:
        ValueError: ``order`` is no permutation of m, n, k, or a dimension has no tiles.

    >>> [visit.writes_c for visit in walk([8], [8], [8, 8], "mnk")]
    ['', 'final']
    """
    trips = {"m": len(extents_m), "n": len(extents_n), "k": len(extents_k)}
    if sorted(order) != sorted(DIMENSIONS):
        raise ValueError(f"order: got {order!r}, need a permutation of m, n and k, outermost first; try 'mnk'")
    if 0 in trips.values():
        raise ValueError(f"tiles: got {trips}, need at least one along each dimension")

    tiles = [dict(zip(order, index, strict=True)) for index in product(*(range(trips[name]) for name in order))]
    resident: dict[str, set[tuple[int, int]]] = {"a": set(), "b": set(), "c": set()}
    summed: dict[tuple[int, int], int] = {}
    for position, tile in enumerate(tiles):
        m, n, k = tile["m"], tile["n"], tile["k"]
        arrives = {}
        for what, block in (("a", (m, k)), ("b", (k, n)), ("c", (m, n))):
            arrives[what] = block not in resident[what]
            outside = order[: order.index(_FREE[what])]
            begins_anew = position == 0 or any(tiles[position - 1][name] != tile[name] for name in outside)
            if what not in kept or begins_anew:
                resident[what] = set()
            resident[what].add(block)
        loads_a, loads_b, arrives_c = (arrives[what] for what in "abc")
        worked_on_before = (m, n) in summed
        summed[m, n] = summed.get((m, n), 0) + 1
        is_last = position + 1 == len(tiles)
        state: Literal["partial", "final"] = "final" if summed[m, n] == trips["k"] else "partial"
        if "c" in kept:
            leaves = state == "final"
        else:
            leaves = is_last or (tiles[position + 1]["m"], tiles[position + 1]["n"]) != (m, n)
        yield TileVisit(
            m_index=m,
            n_index=n,
            k_index=k,
            loads_a=loads_a,
            loads_b=loads_b,
            reads_partial_sums=arrives_c and worked_on_before,
            writes_c=state if leaves else "",
        )


def count_traffic(
    extents_m: Sequence[int], extents_n: Sequence[int], extents_k: Sequence[int], order: str, kept: str = ""
) -> Traffic:
    """Walk every tile and add up what moved.

    Args:
        extents_m: extents of the tiles along m, elements.
        extents_n: along n.
        extents_k: along k.
        order: the block loops, outermost first.
        kept: as for ``walk``.

    Raises:
        ValueError: as ``walk``.

    >>> count_traffic([8], [8], [8, 8], "mnk").a_elements
    128
    """
    a, b, partial, final, read_back = [], [], [], [], []
    for visit in walk(extents_m, extents_n, extents_k, order, kept):
        m, n, k = extents_m[visit.m_index], extents_n[visit.n_index], extents_k[visit.k_index]
        if visit.loads_a:
            a.append(m * k)
        if visit.loads_b:
            b.append(k * n)
        if visit.reads_partial_sums:
            read_back.append(m * n)
        if visit.writes_c == "partial":
            partial.append(m * n)
        if visit.writes_c == "final":
            final.append(m * n)
    return Traffic(
        a_fetches=len(a),
        b_fetches=len(b),
        c_partial_writes=len(partial),
        c_final_writes=len(final),
        partial_sum_reads=len(read_back),
        a_elements=sum(a),
        b_elements=sum(b),
        c_partial_elements=sum(partial),
        c_final_elements=sum(final),
        partial_sum_elements=sum(read_back),
    )
