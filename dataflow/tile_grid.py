"""The tiles of a product: what each candidate tile size costs in DRAM time, in all and in the buffers.

Arrays have a candidate axis [J] first, then one axis for each GEMM axis that matters: position 0 is a full tile, 1
the last one. Along k there are three: the first tile (no partial sums to read), those between, the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..accel.engines import reduction_cycles
from ..accel.specification import Hardware
from ..configs.arrays import BoolArray, IntArray
from .block_formulas import a_run, a_stride, b_run, b_stride, c_run, c_stride
from .block_totals import BlockTotals, totals_of
from .design_view import DesignView
from .gemm import PLACES, SUM_BYTES, Axis, Gemm, Operand, Place
from .holding import Held, HeldByPlace, fits, kept
from .paired import by_pair
from .tile_bytes import FIRST_MIDDLE_LAST, TileBytes
from .tiling import AxisTiles, axis_ladders

Transfers = tuple[IntArray, IntArray, IntArray]
"""Bytes of transfers, of their contiguous runs, and from the start of a run to the start of the next."""


@dataclass(frozen=True, kw_only=True)
class TileGrid(TileBytes):
    """Candidate tiles of one product on one design, or on a design each. ``pick`` narrows it to some of them."""

    @classmethod
    def ladder(cls, gemm: Gemm, hardware: Hardware) -> TileGrid:
        """All combinations of the three axes' ladders."""
        return cls.product_of_axes(gemm, DesignView.of(hardware), axis_ladders(gemm, hardware))

    @classmethod
    def product_of_axes(cls, gemm: Gemm, design: DesignView, axes: Sequence[AxisTiles]) -> TileGrid:
        """All combinations of tile sizes along m, n and k."""
        index = np.indices([len(tiles) for tiles in axes]).reshape(3, -1)
        m, n, k = (tiles.take(chosen) for tiles, chosen in zip(axes, index, strict=True))
        return cls(gemm=gemm, design=design, m=m, n=n, k=k)

    def pick(self, chosen: IntArray | BoolArray) -> TileGrid:
        """Some of the candidates. What was worked out of them already is carried over."""
        picked = TileGrid(
            gemm=self.gemm.pick(chosen),
            design=self.design.pick(chosen),
            m=self.m.take(chosen),
            n=self.n.take(chosen),
            k=self.k.take(chosen),
            resident=self.resident and {place: resident[chosen] for place, resident in self.resident.items()},
            pairs=self.pairs and {place: (grid, index[chosen]) for place, (grid, index) in self.pairs.items()},
        )
        known = {name: each[chosen] for name, each in vars(self).items() if isinstance(each, np.ndarray)}
        taken = {name: getattr(self, name).take(chosen) for name in ("held", "block_totals") if name in vars(self)}
        picked.knows(**known, **taken)
        return picked

    def knows(self, **known: Any) -> None:
        """Take what was worked out elsewhere, by name."""
        vars(self).update(known)

    # Cycles of DRAM --------------------------------------------------------------------------------------------------

    @by_pair("a")
    def a_load_cycles(self) -> IntArray:
        """[J, 2, 3] cycles to load an A tile, reduction on the way included."""
        return self._with_reduction("a", self.a_fetch_cycles, self._dense_a_elements())

    @by_pair("a")
    def a_fetch_cycles(self) -> IntArray:
        """[J, 2, 3] cycles of DRAM to fetch an A tile."""
        return self.memory.cycles(*self.a_transfers())

    def a_transfers(self) -> Transfers:
        """[J, 2, 3] what crosses from DRAM for an A tile."""
        gemm, on_m = self.by_block, self.gemm.position_axis == "m"
        positions, tapped = (self.m, self.k) if on_m else (self.k, self.m)
        whole, value = (tapped.trips == 1)[:, None, None], self.value_bytes
        # Along k the first tile, those in the middle and the last: shaped to meet.
        of_k, of_m = (slice(None), None, FIRST_MIDDLE_LAST), (slice(None), slice(None), None)
        here, there = (of_k, of_m) if on_m else (of_m, of_k)
        run = a_run(whole, tapped.channels[here], tapped.size[here], gemm.taps, positions.run_rows[there], value)
        stride = a_stride(whole, positions.pitch[:, None, None], gemm.channels, value)
        if self._in_pairs("a"):
            run = self.a_load_bytes
        return self.a_load_bytes, run, np.maximum(stride, run)

    @by_pair("b")
    def b_load_cycles(self) -> IntArray:
        """[J, 3, 2] cycles to load a B tile, reduction on the way included."""
        return self._with_reduction("b", self.b_fetch_cycles, self._b_elements())

    @by_pair("b")
    def b_fetch_cycles(self) -> IntArray:
        """[J, 3, 2] cycles of DRAM to fetch a B tile."""
        return self.memory.cycles(*self.b_transfers())

    def b_transfers(self) -> Transfers:
        """[J, 3, 2] what crosses from DRAM for a B tile."""
        gemm = self.by_block
        if self._in_pairs("b") or gemm.diagonal == "b":
            # A stream, or the blocks of a pack, one behind the other.
            return self.b_load_bytes, self.b_load_bytes, self.b_load_bytes
        depth, wide = self.size_k[:, :, None], self.size_n[:, None, :]
        whole_k, whole_n = (self.k.trips == 1)[:, None, None], (self.n.trips == 1)[:, None, None]
        on_k, along_n = gemm.tap_axis == "k", gemm.b_contiguous == "n"
        channels, all_channels = depth // (gemm.taps if on_k else 1), gemm.channels if on_k else gemm.k
        run = b_run(along_n, whole_k, whole_n, depth, channels, wide)
        stride = b_stride(along_n, whole_k, whole_n, all_channels, gemm.n)
        return self.b_load_bytes, run * self.value_bytes, np.maximum(stride, run) * self.value_bytes

    def _with_reduction(self, operand: Operand, cycles: IntArray, elements: IntArray) -> IntArray:
        """The longer of fetching and reducing: the sorters work on the stream, wherever it comes from."""
        if self.gemm.reduced_on_load != operand:
            return cycles
        group = self.gemm.format_of(operand).sorted_group
        return np.maximum(cycles, reduction_cycles(self.design.reduction_lanes, elements, group))

    def _c_cycles(self, tile_bytes: IntArray, element_bytes: int, *, write: bool) -> IntArray:
        return self.memory.cycles(*self.c_transfers(tile_bytes, element_bytes), write=write)

    def c_transfers(self, tile_bytes: IntArray, element_bytes: int) -> Transfers:
        """[J, 2, 2] what crosses to or from DRAM of a C tile.

        Args:
            tile_bytes: of each.
            element_bytes: of one of its elements.
        """
        if self.gemm.diagonal == "c":
            return tile_bytes, tile_bytes, tile_bytes
        gemm = self.by_block
        whole = (self.n.trips == 1)[:, None, None] & (not gemm.scattered_result)
        rows = self.m.size
        if gemm.tap_axis == "m":
            rows = np.where((self.m.trips == 1)[:, None], rows, rows // self.gemm.to_meet(1).taps)
        run = c_run(whole, rows[:, :, None], self.size_n[:, None, :], gemm.result_piece) * element_bytes
        # From a row of C to the next, or from a tap's channels to the next tap's.
        apart = gemm.channels if gemm.tap_axis == "m" else 0
        stride = c_stride(whole, apart, gemm.result_spacing, gemm.n) * element_bytes
        return tile_bytes, run, np.maximum(stride, run)

    @by_pair("c")
    def sum_load_cycles(self) -> IntArray:
        """[J, 2, 2] cycles to read a C tile of partial sums back."""
        return self._c_cycles(self.sum_bytes, SUM_BYTES, write=False)

    @by_pair("c")
    def sum_store_cycles(self) -> IntArray:
        """[J, 2, 2] cycles to write a C tile of partial sums."""
        return self._c_cycles(self.sum_bytes, SUM_BYTES, write=True)

    @by_pair("c")
    def result_cycles(self) -> IntArray:
        """[J, 2, 2] cycles to store a finished C tile: none when C stays on chip."""
        return self._unless_resident("c", self.bare_result_cycles)

    @by_pair("c")
    def bare_result_cycles(self) -> IntArray:
        """[J, 2, 2] cycles in which a finished C tile would be stored."""
        element_bytes = self.result_element_bytes
        return self._c_cycles(self.result_elements * element_bytes, element_bytes, write=True)

    def sum_over_blocks(self, per_tile: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
        """[J] sum of a per-tile quantity over every block of an operand, each counted once."""
        first, second = (self._block_counts[axis] for axis in axes)
        return np.asarray(np.einsum("jxy,jx,jy->j", per_tile, first, second))

    @cached_property
    def block_totals(self) -> BlockTotals:
        """Every block of every operand, moved once."""
        return BlockTotals(**{name: self.total(name) for place in PLACES for name in totals_of(self.gemm, place)})

    def total(self, name: str) -> IntArray:
        """[J] one of the totals by name."""
        match name:
            case "a_bytes":
                return self.sum_over_blocks(self.a_load_bytes, "mk")
            case "b_bytes":
                return self.sum_over_blocks(self.b_load_bytes, "kn")
            case "reduced_elements":
                return self.sum_over_blocks(self.reduced_elements, "mk" if self.gemm.reduced_on_load == "a" else "kn")
            case "a_cycles":
                return self.sum_over_blocks(self.a_load_cycles, "mk")
            case "b_cycles":
                return self.sum_over_blocks(self.b_load_cycles, "kn")
            case "first_a_cycles":
                return at_first(self.a_load_cycles[:, :, 0], self.m)
            case "first_b_cycles":
                return at_first(self.b_load_cycles[:, 0, :], self.n)
            case "last_result_cycles":
                return self.result_cycles[:, 1, 1]
        # Of C the names are those of the tiles.
        return self.sum_over_blocks(getattr(self, name), "mn")

    # In the buffers --------------------------------------------------------------------------------------------------

    @cached_property
    def held(self) -> HeldByPlace:
        """What tiles of A, B and C take of their buffers, alone and beside their neighbours."""
        return HeldByPlace({place: self.held_of(place) for place in PLACES})

    def held_of(self, place: Place) -> Held:
        """The same of one of them."""
        if place == "a":
            return self._held(self.a_held_bytes, "m", "k")
        return self._held(self.b_held_bytes, "k", "n") if place == "b" else self._held(self.sum_bytes, "m", "n")

    def _held(self, per_tile: IntArray, first: Axis, second: Axis) -> Held:
        along_first = (per_tile[:, :, 0] * self._block_counts[first]).sum(axis=1)
        along_second = (per_tile[:, 0, :] * self._block_counts[second]).sum(axis=1)
        return Held(
            tile_bytes=per_tile[:, 0, 0],
            row_bytes={first: along_first, second: along_second},
            all_bytes=self.sum_over_blocks(per_tile, first + second),
        )

    def fits(self, a_in_west: bool | BoolArray) -> BoolArray:
        """[J] whether tiles of all three fit the buffers of their design, A in the west buffer or B."""
        return fits(self.held, self.gemm, self.design.room, a_in_west)

    def kept(self, a_in_west: bool | BoolArray) -> dict[Place, BoolArray]:
        """[6, J] for A, B and C each whether it is kept across its free loop, by loop order, see ``holding``."""
        return kept(self.held, self.gemm, self.design.room, a_in_west)


def at_first(of_kinds: npt.NDArray[Any], along: AxisTiles) -> npt.NDArray[Any]:
    """[J] of [J, 2] what the first tile along an axis has: a full one where there are several."""
    return np.where(along.trips > 1, of_kinds[:, 0], of_kinds[:, 1])
