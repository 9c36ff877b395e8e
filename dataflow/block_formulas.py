"""What a block of A, B or C holds and how it lies in DRAM, as functions of plain numbers.

A *block* is a tile's part of an operand. Every function is written once: numpy broadcasts it over the kinds of tiles
(``tile_bytes``, ``tile_grid``), a compiler takes it as it stands (``compiled.blocks``). Counts are of elements where no
unit is named. A *run* is what lies together in memory, a *stride* is from the start of a run to the start of the next.
"""

from __future__ import annotations

import numpy as np

from ..configs.arrays import Counts, choose


def window_elements(rows: Counts, channels: Counts) -> Counts:
    """Of a block of A: under a window, positions of the image below it by channels."""
    return rows * channels


def kept_of_window(elements: Counts, kept: Counts, depth: Counts) -> Counts:
    """Those that a format keeps of A: the window thins out with it, ``kept`` of every ``depth`` elements stay.

    What is kept is given in the format's ``kept_scale``.
    """
    return -(-elements * kept // depth)


def on_diagonal(elements: Counts, packed: int) -> Counts:
    """Those on the diagonal of a block in which so many repetitions are packed: all that memory knows."""
    return elements // packed


def a_run(whole: Counts, channels: Counts, size: Counts, taps: int, rows: Counts, value_bytes: int) -> Counts:
    """Bytes of a run of A.

    Args:
        whole: whether the tap axis is not cut.
        channels: along it, of the block.
        size: of the block along it.
        taps: folded into it.
        rows: of an image that lie together where all channels are fetched.
        value_bytes: of an element.
    """
    # Neighbours at one position: some channels, or all taps' where patches lie expanded.
    together = choose(whole, channels, size // taps)
    return together * choose(whole, rows, 1) * value_bytes


def a_stride(whole: Counts, pitch: Counts, channels: int, value_bytes: int) -> Counts:
    """Bytes from a run of A to the next: some channels of every position, or all of some rows of an image.

    Args:
        whole: whether the tap axis is not cut.
        pitch: positions from one run of rows to the next.
        channels: in all.
        value_bytes: of an element.
    """
    return choose(whole, pitch, 1) * channels * value_bytes


def b_run(along_n: bool, whole_k: Counts, whole_n: Counts, depth: Counts, channels: Counts, wide: Counts) -> Counts:
    """Elements of a run of B.

    Args:
        along_n: whether neighbours in memory lie along n, or along k.
        whole_k: whether k is not cut.
        whole_n: whether n is not cut.
        depth: of the block along k.
        channels: of the block along k, of one tap.
        wide: of the block along n.
    """
    if along_n:
        return choose(whole_n, choose(whole_k, depth, channels) * wide, wide)
    return choose(whole_k, channels * wide, channels)


def b_stride(along_n: bool, whole_k: Counts, whole_n: Counts, all_channels: int, n: int) -> Counts:
    """Elements from a run of B to the next; of the whole product ``all_channels`` a tap along k, and n."""
    if along_n:
        return choose(whole_n, all_channels, 1) * n
    return choose(whole_k, n, 1) * all_channels


def c_run(whole: Counts, rows: Counts, wide: Counts, piece: int) -> Counts:
    """Elements of a run of C.

    Args:
        whole: whether n is not cut and rows follow each other.
        rows: of the block that do.
        wide: of the block along n.
        piece: elements of a row that lie together; 0 where all do.
    """
    return (np.minimum(wide, piece) if piece else wide) * choose(whole, rows, 1)


def c_stride(whole: Counts, apart_in_whole: int, spacing: int, n: int) -> Counts:
    """Elements from a run of C to the next.

    Args:
        whole: as for ``c_run``.
        apart_in_whole: rows from a run to the next where rows follow each other.
        spacing: rows from a row to the next where they do not.
        n: of the whole product.
    """
    return choose(whole, apart_in_whole, spacing) * n
