"""What an array sees of a tile of a product: its own part, where arrays or groups of columns share it out.

Several arrays (``tensor_engine.units``) share every tile: each takes a part of its m, or of its n, as the product's
form says, and all work side by side, each on the whole depth. So an array runs a tile of that much less m or n. The
operand that all of them need is sent to all at once; of the other one, and of the sums, each has its own. Buffers,
ports and DRAM meet the tile as it was.

Where a tile has fewer columns of outputs than the array has columns, the outputs may stand in several groups of columns
side by side. Each group takes a share of k, whole groups of M, the last ones perhaps short or empty, and is fed its
share of the west operand by an entrance of its own; sums of the same output are added along the foot of the columns on
their way out. So the array runs a tile of as many times the columns with that much less depth, and finishes every sum a
few cycles later (``accel.tensor_engine.with_sum_chain``). Buffers, ports and DRAM meet the tile as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np

from ..accel.specification import TensorEngine
from ..accel.tensor_engine import ArrayTiming, Count, ceil_div, with_sum_chain
from ..configs.pattern import Pattern
from .dataflows.tile import ArrayTile, Sparsity
from .gemm import Beside, Form, Gemm, Operand
from .mapping import sides_of
from .tiling import AxisTiles

_BESIDE: tuple[Beside, ...] = get_args(Beside)


def times_along(gemm: Gemm, axis: Beside) -> int:
    """How often the outputs stand along an axis of C on the array."""
    return gemm.split if axis == gemm.beside else 1


def on_array(gemm: Gemm, axis: Beside, extent: Count) -> Count:
    """Of rows or columns of C those that an array has at most: once for every share of k, a part for every unit.

    >>> from ..training.graph import Stage
    >>> shared = Gemm(name="g", operator="g", stage=Stage.FORWARD, m=100, n=64, k=64, units=3, along="m")
    >>> on_array(shared, "m", 100), on_array(shared, "n", 64)
    (34, 64)
    """
    times = times_along(gemm, axis)
    stood = extent if times == 1 else extent * times
    return stood if gemm.units == 1 or axis != gemm.along else ceil_div(stood, gemm.units)


def copies_of(gemm: Gemm, operand: Operand) -> int:
    """Arrays that an operand is sent to at once: all, of what does not lie along the axis that they share out."""
    return 1 if gemm.along == ("m" if operand == "a" else "n") else gemm.units


def unit_forms(gemm: Gemm, form: Form, engine: TensorEngine) -> tuple[Form, ...]:
    """A form along every axis that several arrays may share out; one where there is one array."""
    axes: tuple[Beside, ...] = ("m",)
    if engine.units > 1:
        axes = _BESIDE if gemm.formed(form).n >= engine.share_from else ("n",)
    return tuple(replace(form, along=axis) for axis in axes)


def groups_of_share(gemm: Gemm, groups: Count) -> Count:
    """Groups along k that a share has at most, of those of a tile; where kernel positions lie apart, idle rows too."""
    if gemm.tap_rows > 1:
        _, taps = gemm.channels_and_taps
        return taps * gemm.tap_rows * ceil_div(groups, taps * gemm.tap_rows)
    return groups if gemm.split == 1 else ceil_div(groups, gemm.split)


def slots_of_share(gemm: Gemm, slots: Count, groups: Count) -> Count:
    """Accumulations an output that a share of k has at most, of those of a tile; in a share every group takes N."""
    if gemm.split == 1:
        return slots
    taken = gemm.pattern_taken
    assert isinstance(taken, Pattern), "lanes that wait for each other share nothing out"
    return taken.kept * groups_of_share(gemm, groups)


def tile_on_array(gemm: Gemm, *, m: Count, n: Count, slots: Count, groups: Count) -> ArrayTile:
    """What the array sees of a tile, or of many.

    Args:
        gemm: the product.
        m: rows of C.
        n: columns of C.
        slots: accumulations an output, over all shares.
        groups: groups along k, likewise.
    """
    return ArrayTile(
        m=on_array(gemm, "m", m),
        n=on_array(gemm, "n", n),
        slots=slots_of_share(gemm, slots, groups),
        groups=groups_of_share(gemm, groups),
        sparsity=Sparsity.of(gemm),
    )


def sizes_on_array(gemm: Gemm, tiles: AxisTiles, axis: Beside) -> AxisTiles:
    """Tiles along m or n as the array sees them."""
    size = on_array(gemm, axis, tiles.size)
    return tiles if size is tiles.size else replace(tiles, size=np.asarray(size))


def array_for(gemm: Gemm, array: ArrayTiming) -> ArrayTiming:
    """The timing of an array, or of many, as a product finds it."""
    return with_sum_chain(array, gemm.split)


def most_shares(gemm: Gemm, engine: TensorEngine, axis: Beside) -> int:
    """Groups of columns in whole segments that outputs may stand in along an axis; 1 where there is no other.

    >>> from ..accel.specification import load_hardware
    >>> from ..training.graph import Stage
    >>> wide = load_hardware("datacenter-128x128").model.tensor_engine.model_copy(update={"split_columns": 16})
    >>> narrow = Gemm(name="g", operator="g", stage=Stage.FORWARD, m=4096, n=24, k=576)
    >>> most_shares(narrow, wide, "n"), most_shares(narrow, wide, "m")
    (4, 1)
    """
    if engine.split_columns is None or gemm.compressed == "ab" or not isinstance(gemm.pattern_taken, Pattern):
        return 1
    extent = gemm.m if axis == "m" else gemm.n
    segments = ceil_div(extent, engine.split_columns)
    groups = gemm.groups_along(*gemm.channels_and_taps)
    return max(1, min(int(engine.cols // engine.split_columns // segments), int(groups)))


def split_forms(gemm: Gemm, form: Form, engine: TensorEngine) -> Iterator[Form]:
    """Splits of k worth trying of a product in a form: over doubles of groups of columns, and over as many as fit.

    Args:
        gemm: the product as it is lowered.
        form: without a split.
        engine: the array.
    """
    if engine.split_columns is None:
        return
    formed = gemm.formed(form)
    for axis in _BESIDE:
        most = most_shares(formed, engine, axis)
        wanted = {1 << power for power in range(1, most.bit_length())} | {most}
        for split in sorted(wanted - {1}):
            found = replace(form, split=split, beside=axis)
            if sides_of(engine, gemm.formed(found)):
                yield found
