"""The walker against walks done by hand."""

from itertools import permutations

import pytest
from bisparse.sim.witness.machines.loop_nest import Traffic, count_traffic, tile_extents, walk


def test_output_stays_when_k_is_innermost():
    """Two tiles along each of m, n, k in order mnk, written out.

    (m n k): 000 001 010 011 100 101 110 111. A(m,k) alternates k at every tile, so every tile fetches A; likewise B.
    C(m,n) changes every second tile, with both of its k summed.
    """
    visits = list(walk([1, 1], [1, 1], [1, 1], "mnk"))
    assert [(v.m_index, v.n_index, v.k_index) for v in visits] == [
        (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1),
    ]  # fmt: skip
    assert all(v.loads_a and v.loads_b for v in visits)
    assert [v.writes_c for v in visits] == ["", "final"] * 4
    assert not any(v.reads_partial_sums for v in visits)


def test_partial_sums_travel_when_k_is_outermost():
    """Order kmn with two tiles each: (k m n) 000 001 010 011 100 101 110 111.

    A(m,k) stays while n runs: fetched at tiles 0, 2, 4, 6. B(k,n) changes every tile: 8 fetches. C(m,n) changes every
    tile: in the first half it leaves partial, in the second it is read back and leaves final.
    """
    visits = list(walk([1, 1], [1, 1], [1, 1], "kmn"))
    assert [v.loads_a for v in visits] == [True, False] * 4
    assert all(v.loads_b for v in visits)
    assert [v.writes_c for v in visits] == ["partial"] * 4 + ["final"] * 4
    assert [v.reads_partial_sums for v in visits] == [False] * 4 + [True] * 4


def test_elements_are_counted_with_short_tiles():
    """m = 5 in tiles of 2 (2, 2, 1), n = 3 whole, k = 4 in tiles of 3 (3, 1), order mkn.

    A: every (m, k) once: 5 * 4 = 20 elements in 6 blocks. B(k, n): with one n tile it alternates k at every step: 6
    fetches, 3 * (3 + 1) * 3 = 36 elements. C(m, 0) stays for both k: 3 final writes, 5 * 3 = 15 elements, no partial.
    """
    assert count_traffic(tile_extents(5, 2), tile_extents(3, 3), tile_extents(4, 3), "mkn") == Traffic(
        a_fetches=6,
        b_fetches=6,
        c_partial_writes=0,
        c_final_writes=3,
        partial_sum_reads=0,
        a_elements=20,
        b_elements=36,
        c_partial_elements=0,
        c_final_elements=15,
        partial_sum_elements=0,
    )


def test_a_loop_of_one_trip_evicts_nothing():
    """Order mnk with one n tile and one k tile, three m tiles: B(0, 0) is fetched once and stays."""
    traffic = count_traffic([4, 4, 4], [8], [16], "mnk")
    assert (traffic.a_fetches, traffic.b_fetches, traffic.c_final_writes) == (3, 1, 3)


def test_partial_sums_are_weighed_by_their_own_tile():
    """m = 3 (2, 1), n = 2, k of three tiles, order kmn: C(m, 0) changes at every tile.

    Each k but the last writes 3 * 2 = 6 elements partial, each but the first reads them back: 12 and 12; the last
    writes 6 final.
    """
    traffic = count_traffic([2, 1], [2], [5, 5, 5], "kmn")
    assert (traffic.c_partial_elements, traffic.partial_sum_elements, traffic.c_final_elements) == (12, 12, 6)
    assert (traffic.c_partial_writes, traffic.partial_sum_reads, traffic.c_final_writes) == (4, 4, 2)


@pytest.mark.parametrize("order", ["".join(order) for order in permutations("mnk")])
def test_every_order_visits_every_tile_once_and_finishes_every_block(order):
    visits = list(walk([1] * 3, [1] * 2, [1] * 4, order))
    assert len({(v.m_index, v.n_index, v.k_index) for v in visits}) == len(visits) == 24
    assert sum(v.writes_c == "final" for v in visits) == 6
    assert sum(v.writes_c == "partial" for v in visits) == sum(v.reads_partial_sums for v in visits)


@pytest.mark.parametrize("order", ["mn", "mnn", "mnkk", "abc", ""])
def test_an_order_that_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match=r"order: got .*, need a permutation of m, n and k, outermost first"):
        list(walk([1], [1], [1], order))


def test_a_dimension_without_tiles_is_refused():
    with pytest.raises(ValueError, match=r"tiles: got \{'m': 1, 'n': 0, 'k': 1\}, need at least one"):
        list(walk([1], [], [1], "mnk"))


def test_tiles_of_nothing_are_refused():
    with pytest.raises(ValueError, match="got extent 4 in tiles of 0, need both at least 1"):
        tile_extents(4, 0)
