"""Where the blocks of a mapped product lie in memory: the contiguous runs of each, in bytes from its tensor's start.

Activations NHWC, weights HWIO, C along n; a compressed operand lies block by block, each in whole bursts. Not known
here, and so assumed: padding (the rows under a window begin at row x stride, moved into the image at its end), and what
lies between the phases of a strided convolution run backwards (each has a tensor of its own, its rows spaced).
Source: docs/hardware-model.md, "Memory".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product
from typing import NamedTuple

from ...dataflow.gemm import Operand
from ...dataflow.window import Window
from ..event.block import Block
from ..event.tile_walk import SUM_BYTES, TileWalk
from ..witness.machines.loop_nest import TileVisit


class ByteRun(NamedTuple):
    """Contiguous bytes of a tensor."""

    start: int
    size: int


@dataclass(frozen=True, kw_only=True)
class ProductLayout:
    """The tensors of one repetition of a product, and the runs of their blocks.

    Attributes:
        walk: the product, cut into tiles.
    """

    walk: TileWalk

    def runs(self, what: str, visit: TileVisit) -> Iterator[ByteRun]:
        """The runs of a block that a tile moves.

        Args:
            what: ``a``, ``b``, ``sums``, ``partial`` or ``final``, as the walk calls it.
            visit: the tile.
        """
        m, n, k = visit.m_index, visit.n_index, visit.k_index
        match what:
            case "a":
                yield from self._a_runs(m, k)
            case "b":
                yield from self._b_runs(k, n)
            case "final":
                yield from self._c_runs(m, n, self.walk.result_element_bytes)
            case _:
                yield from self._c_runs(m, n, SUM_BYTES)

    def tensor_bytes(self, what: str) -> int:
        """Bytes of the whole tensor, one repetition."""
        gemm, value = self.walk.gemm, self.walk.value_bytes
        match what:
            case "a":
                if self._compressed("a"):
                    return self._a_stream[-1]
                window = self._window
                positions = gemm.m if gemm.position_axis == "m" else gemm.k
                if window is not None:
                    return window.images * window.image_inputs * gemm.channels * value
                return positions * gemm.channels * gemm.taps * value
            case "b":
                blocks = gemm.packed if gemm.diagonal == "b" else 1
                return self._b_stream[-1] if self._compressed("b") else gemm.k * gemm.n // blocks * value
            case "final" if gemm.diagonal == "c":
                return self.walk.asked_for(gemm.m * gemm.n) * self.walk.result_element_bytes
            case "final":
                return self._c_rows * gemm.n * self.walk.result_element_bytes
        return self._c_rows * gemm.n * SUM_BYTES

    # A ---------------------------------------------------------------------------------------------------------------

    def _compressed(self, operand: Operand) -> bool:
        return self.walk.gemm.in_pairs(operand)

    @cached_property
    def _a_stream(self) -> list[int]:
        """Where each block of a compressed A begins, tiles along k innermost, and where the last ends."""
        walk = self.walk
        tiles = product(range(len(walk.sizes_m)), range(len(walk.sizes_k)))
        return _ends(walk.a_block(m, k) for m, k in tiles)

    @property
    def _window(self) -> Window | None:
        """How A's rows lie in images; None where its positions simply follow each other."""
        return self.walk.gemm.window if self.walk.hardware.buffers.patch_expansion else None

    def _a_runs(self, tile_m: int, tile_k: int) -> Iterator[ByteRun]:
        if self._compressed("a"):
            number = tile_m * len(self.walk.sizes_k) + tile_k
            yield ByteRun(self._a_stream[number], self._a_stream[number + 1] - self._a_stream[number])
            return
        gemm, value = self.walk.gemm, self.walk.value_bytes
        on_positions, on_taps = (tile_m, tile_k) if gemm.position_axis == "m" else (tile_k, tile_m)
        tapped = self.walk.sizes_k if gemm.tap_axis == "k" else self.walk.sizes_m
        # Patches lie expanded, every tap's channels side by side, or are expanded from the image on chip.
        taps = 1 if self._window is not None or self.walk.hardware.buffers.patch_expansion else gemm.taps
        channels = gemm.channels
        first, some = self.walk.start(gemm.tap_axis, on_taps) // gemm.taps, tapped[on_taps] // gemm.taps
        for start, count in self._positions(on_positions):
            if some == channels:
                yield ByteRun(start * taps * channels * value, count * taps * channels * value)
                continue
            for position, tap in product(range(start, start + count), range(taps)):
                yield ByteRun(((position * taps + tap) * channels + first) * value, some * value)

    def _positions(self, tile: int) -> Iterator[tuple[int, int]]:
        """First position in memory, and how many follow it, of each piece of a tile along A's position axis."""
        walk, window, axis = self.walk, self._window, self.walk.gemm.position_axis
        if window is None:
            yield walk.start(axis, tile), (walk.sizes_m if axis == "m" else walk.sizes_k)[tile]
            return
        piece = walk.pieces[tile]
        reached, cut = piece.reached(window), piece.cut(window)
        # The input positions under it begin at position x stride, moved into the image at its end.
        first = [
            min(begin * each.stride, each.inputs - span) if at <= cut else 0
            for at, (each, begin, span) in enumerate(zip(window.axes, piece.begin, reached, strict=True))
        ]
        outside = [range(begin, begin + span) for begin, span in zip(first[:cut], reached[:cut], strict=True)]
        inside = math.prod(axis.inputs for axis in window.axes[cut + 1 :])
        for image, *place in product(range(piece.image, piece.image + piece.images), *outside):
            number = image
            for each, at in zip(window.axes, (*place, first[cut]), strict=False):
                number = number * each.inputs + at
            yield number * inside, reached[cut] * inside

    # B and C ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _b_stream(self) -> list[int]:
        """Where each block of a compressed B begins, tiles along n innermost, and where the last ends."""
        walk = self.walk
        tiles = product(range(len(walk.sizes_k)), range(len(walk.sizes_n)))
        return _ends(walk.b_block(k, n) for k, n in tiles)

    def _b_runs(self, tile_k: int, tile_n: int) -> Iterator[ByteRun]:
        if self._compressed("b"):
            number = tile_k * len(self.walk.sizes_n) + tile_n
            yield ByteRun(self._b_stream[number], self._b_stream[number + 1] - self._b_stream[number])
            return
        walk, gemm = self.walk, self.walk.gemm
        if gemm.diagonal == "b":
            yield ByteRun(0, self.tensor_bytes("b"))
            return
        taps = gemm.taps if gemm.tap_axis == "k" else 1
        all_k, some_k = gemm.k // taps, walk.sizes_k[tile_k] // taps
        k, n = walk.start("k", tile_k) // taps, walk.start("n", tile_n)
        inner = (n, walk.sizes_n[tile_n], gemm.n)
        outer = (k, some_k, all_k)
        if gemm.b_contiguous == "k":
            inner, outer = outer, inner
        yield from _box(taps, outer, inner, walk.value_bytes)

    @property
    def _c_rows(self) -> int:
        """Positions that the rows of C span."""
        gemm = self.walk.gemm
        return gemm.m * gemm.result_spacing if gemm.scattered_result else gemm.m

    def _c_runs(self, tile_m: int, tile_n: int, element_bytes: int) -> Iterator[ByteRun]:
        walk, gemm = self.walk, self.walk.gemm
        if gemm.diagonal == "c":
            yield ByteRun(0, self.tensor_bytes("final"))
            return
        taps = gemm.taps if gemm.tap_axis == "m" else 1
        row, rows = walk.start("m", tile_m) // taps, walk.sizes_m[tile_m] // taps
        n, wide = walk.start("n", tile_n), walk.sizes_n[tile_n]
        if gemm.result_piece:
            # A plane for each piece of a row, all rows' pieces side by side in it.
            piece = gemm.result_piece
            for each, begin in product(range(row, row + rows), range(n - n % piece, n + wide, piece)):
                first, end = max(begin, n), min(begin + piece, n + wide)
                start = (begin // piece * gemm.m + each) * piece + first - begin
                yield ByteRun(start * element_bytes, (end - first) * element_bytes)
            return
        if gemm.scattered_result:
            for each in range(row, row + rows):
                yield ByteRun((each * gemm.result_spacing * gemm.n + n) * element_bytes, wide * element_bytes)
            return
        yield from _box(taps, (row, rows, gemm.m // taps), (n, wide, gemm.n), element_bytes)


def _ends(blocks: Iterator[Block]) -> list[int]:
    return list(accumulate((block.moved_bytes for block in blocks), initial=0))


def _box(
    planes: int, rows: tuple[int, int, int], columns: tuple[int, int, int], element_bytes: int
) -> Iterator[ByteRun]:
    """The runs of (first, count) rows and columns out of so many, the same in each of some planes."""
    first_row, row_count, all_rows = rows
    first, count, all_columns = columns
    if count < all_columns:
        for plane, row in product(range(planes), range(first_row, first_row + row_count)):
            yield ByteRun(((plane * all_rows + row) * all_columns + first) * element_bytes, count * element_bytes)
    elif row_count < all_rows:
        for plane in range(planes):
            start = (plane * all_rows + first_row) * all_columns
            yield ByteRun(start * element_bytes, row_count * all_columns * element_bytes)
    else:
        yield ByteRun(0, planes * all_rows * all_columns * element_bytes)
