import numpy as np
import pytest
from bisparse.dataflow.loop_nest import LONGEST, loop_nest, walk_number
from bisparse.dataflow.mapping import LOOP_ORDERS


def one(value):
    return np.array([value])


def walk(order, m, n, k, repeats=1):
    nest = loop_nest(repeats)
    number = int(walk_number(one(LOOP_ORDERS.index(order)), one(m), one(n), one(k))[0])
    there = nest.group[number] != 8
    return {
        name: getattr(nest, name)[number][there].tolist() for name in ("tile", "load_a", "load_b", "load_sums", "store")
    }


def test_two_tiles_along_k_by_hand():
    """Sums stay; the second tile loads the last blocks of A ([0, last]: 2) and B ([last, 0]: 4), then nothing."""
    assert walk("mnk", 1, 1, 2) == {
        # [last m, last n, first k], then [last m, last n, last k].
        "tile": [9, 11],
        "load_a": [5, 6],
        "load_b": [5, 6],
        "load_sums": [4, 4],
        "store": [8, 8],
    }


def test_k_outside_spills_sums():
    """k outermost, two along n: C's first block leaves as sums beside tile 2 and is back for tile 3."""
    found = walk("knm", 1, 2, 2)
    assert found["load_sums"] == [4, 2, 3, 4]
    assert found["store"] == [8, 4 + 2, 4 + 3, 2]


@pytest.mark.parametrize("order", LOOP_ORDERS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (2, 3, 4), (4, 4, 4), (3, 1, 4)])
def test_a_walk_has_a_position_for_every_tile(order, m, n, k):
    assert len(walk(order, m, n, k)["tile"]) == m * n * k


def test_longer_loops_walk_like_the_longest():
    orders = np.zeros(2, dtype=np.int64)
    many = np.array([LONGEST, 1000])
    first, second = walk_number(orders, many, many, many)
    assert first == second
