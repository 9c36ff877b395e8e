import numpy as np
import pytest
from bisparse.dataflow.gemm import AXES
from bisparse.dataflow.loop_nest import LONGEST, Shape, loop_nest
from bisparse.dataflow.mapping import LOOP_ORDERS
from bisparse.dataflow.tiling import AxisTiles


def along(fulls, lasts):
    """Tiles of one value along an axis: so many full ones, and last ones."""
    one = np.ones((1, 2), dtype=np.int64)
    count = np.array([fulls + lasts])
    return AxisTiles(
        size=one, trips=count, lasts=np.array([lasts]), channels=one, rows=one, run_rows=one, pitch=0 * count
    )


def walk(order, m, n, k, *, repeats=1, lasts=(1, 1, 1), kept=0):
    axes = {axis: along(trips - last, last) for axis, trips, last in zip(AXES, (m, n, k), lasts, strict=True)}
    shape = Shape.of(repeats, axes)
    nest, number = loop_nest(shape), int(shape.walk(np.array([LOOP_ORDERS.index(order)]), axes)[0])
    there = nest.present[number]
    found = {name: getattr(nest, name)[kept, number][there] for name in ("load_a", "load_b", "load_sums", "store")}
    found["tile"] = nest.tile[number][there]
    found["weight"] = shape.weights(repeats, axes)[0][there]
    return {name: numbers.tolist() for name, numbers in found.items()}


def test_two_tiles_along_k_by_hand():
    """Sums stay; the second tile loads the last blocks of A ([0, last]: 2) and B ([last, 0]: 4), then nothing."""
    assert walk("mnk", 1, 1, 2) == {
        # [last m, last n, first k], then [last m, last n, last k].
        "tile": [9, 11],
        "load_a": [5, 6],
        "load_b": [5, 6],
        "load_sums": [4, 4],
        "store": [8, 8],
        "weight": [1, 1],
    }


def test_k_outside_spills_sums():
    """k outermost, two along n: C's first block leaves as sums beside tile 2 and is back for tile 3.

    Positions stand n outside, k inside, whatever the order: tiles 1 and 3, then 2 and 4.
    """
    found = walk("knm", 1, 2, 2)
    assert found["load_sums"] == [4, 3, 2, 4]
    assert found["store"] == [8, 4 + 3, 4 + 2, 2]


def test_sums_that_are_kept_neither_leave_nor_come_back_before_they_are_finished():
    """The first block is finished by tile 3, the second by tile 4: it is stored after that, beside no tile."""
    found = walk("knm", 1, 2, 2, kept=1)
    assert found["load_sums"] == [4, 4, 4, 4]
    assert found["store"] == [8, 8, 8, 2]


def test_a_kept_operand_is_loaded_on_the_first_turn_of_its_free_loop():
    """n outermost, two along m: A comes in for two tiles and stays for the next two; not kept it comes in again."""
    assert walk("nmk", 2, 2, 1)["load_a"] == [3, 3, 0, 6]
    assert walk("nmk", 2, 2, 1, kept=1)["load_a"] == [3, 6, 6, 6]


def test_a_run_of_short_tiles_has_positions_of_its_own():
    """Nine full tiles along m and five short ones: three positions each, the second for all but the outer two."""
    found = walk("mnk", 14, 1, 1, lasts=(5, 1, 1))
    assert found["tile"] == [3, 3, 3, 9, 9, 9]
    assert found["weight"] == [1, 7, 1, 1, 3, 1]


@pytest.mark.parametrize("order", LOOP_ORDERS)
@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (2, 3, 4), (4, 4, 4), (3, 1, 4), (30, 7, 1000)])
@pytest.mark.parametrize("repeats", [1, LONGEST, 17])
def test_the_positions_of_a_walk_stand_for_every_tile(order, m, n, k, repeats, kept):
    assert sum(walk(order, m, n, k, repeats=repeats, kept=kept)["weight"]) == repeats * m * n * k
