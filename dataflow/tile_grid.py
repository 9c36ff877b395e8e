"""The tiles of a product: what each candidate tile size holds, moves and costs in DRAM time.

Arrays have a candidate axis [J] first, then one axis for each GEMM axis that matters: position 0 is a full tile, 1
the last one. Along k there are three: the first tile (no partial sums to read), those between, the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..accel.dram import DramTiming
from ..accel.engines import reduction_cycles
from ..accel.specification import Hardware
from ..accel.tensor_engine import groups_of, slots_of
from ..configs.arrays import BoolArray, IntArray
from .block_totals import BlockTotals, totals_of
from .design_view import DesignView
from .gemm import PLACES, SUM_BYTES, Axis, Gemm, Operand, Place
from .holding import Held, HeldByPlace, fits, kept
from .paired import by_pair
from .tiling import AxisTiles, axis_ladders

_FIRST_MIDDLE_LAST = [0, 0, 1]


@dataclass(frozen=True, kw_only=True)
class TileGrid:
    """Candidate tiles of one product on one design, or on a design each. ``pick`` narrows it to some of them.

    Attributes:
        gemm: the product.
        design: what is to be known of the design.
        m: tile sizes along m, [J] candidates.
        n: the same along n.
        k: the same along k.
        resident: which of A, B and C stay on chip, candidate by candidate, [J] each; as the product says when None.
        pairs: grids of the pairs of sizes that A, B and C depend on, and which pair each candidate has, [J]; see
            ``tile_pairs``.
    """

    gemm: Gemm
    design: DesignView
    m: AxisTiles
    n: AxisTiles
    k: AxisTiles
    resident: Mapping[Place, BoolArray] | None = None
    pairs: Mapping[Place, tuple[TileGrid, IntArray]] | None = None

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
            gemm=self.gemm,
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

    def __len__(self) -> int:
        return len(self.m)

    @property
    def trips(self) -> dict[Axis, IntArray]:
        """[J] tiles along each axis."""
        return {"m": self.m.trips, "n": self.n.trips, "k": self.k.trips}

    @cached_property
    def size_m(self) -> IntArray:
        """[J, 2] rows of C."""
        return self.m.size

    @cached_property
    def size_n(self) -> IntArray:
        """[J, 2] columns of C."""
        return self.n.size

    @cached_property
    def size_k(self) -> IntArray:
        """[J, 3] depth."""
        return self.k.size[:, _FIRST_MIDDLE_LAST]

    @cached_property
    def count_k(self) -> IntArray:
        """[J, 3] tiles of each kind along k."""
        first = np.ones_like(self.k.trips)
        lasts = np.where(self.k.trips > 1, self.k.lasts, 0)
        return np.stack([first, self.k.trips - 1 - lasts, lasts], axis=1)

    @cached_property
    def counts(self) -> IntArray:
        """[J, 2, 2, 3] tiles of each kind (m, n, k)."""
        m, n, k = (self._block_counts[axis] for axis in "mnk")
        return m[:, :, None, None] * n[:, None, :, None] * k[:, None, None, :]

    @property
    def slots(self) -> IntArray:
        """[J, 3] accumulations an output of a tile."""
        return self.size_k if self.gemm.compressed is None else self.kept_k

    @cached_property
    def kept_k(self) -> IntArray:
        """[J, 3] of the depth of a tile, what the pattern keeps."""
        taps, channels = self._k_taps_and_channels
        return np.asarray(slots_of(channels, taps, self.gemm.pattern))

    @cached_property
    def groups(self) -> IntArray:
        """[J, 3] groups of M along k; k itself when dense."""
        if self.gemm.compressed is None:
            return self.size_k
        taps, channels = self._k_taps_and_channels
        return np.asarray(groups_of(channels, taps, self.gemm.pattern))

    @property
    def _k_taps_and_channels(self) -> tuple[int, IntArray]:
        taps = self.gemm.taps if self.gemm.tap_axis == "k" else 1
        return taps, self.size_k // taps

    # Bytes -----------------------------------------------------------------------------------------------------------

    @property
    def value_bytes(self) -> int:
        """Bytes of an operand value."""
        return self.design.value_bytes

    @property
    def result_element_bytes(self) -> int:
        """Bytes of a finished element of C."""
        return self.gemm.result_bytes(self.value_bytes)

    @property
    def pair_bits(self) -> int:
        """Bits of a compressed value and its index."""
        return 8 * self.value_bytes + self.gemm.pattern.index_bits

    def _pairs(self, values: IntArray) -> IntArray:
        """Bytes of that many compressed values in whole bursts."""
        return self.memory.whole_bursts(-(-values * self.pair_bits // 8))

    @property
    def memory(self) -> DramTiming:
        """The memory's timing."""
        return self.design.memory

    def _unless_resident(self, place: Place, count: IntArray) -> IntArray:
        """What crosses to DRAM of an operand or result: nothing where it stays on chip."""
        if self.resident is not None:
            return np.where(self.resident[place][:, None, None], 0, count)
        return np.zeros_like(count) if place in self.gemm.on_chip else count

    def _of_blocks(self, place: Place, count: IntArray) -> IntArray:
        """Of the elements of a tile those that memory knows: the blocks on the diagonal, where that is all there is."""
        return count // self.gemm.packed if place == self.gemm.diagonal else count

    def _in_pairs(self, operand: Operand) -> bool:
        """Whether an operand lies in memory as pairs of value and index."""
        return operand == self.gemm.pruned_operand and not self.gemm.reduced_on_load

    def _b_elements(self) -> IntArray:
        """[J, 3, 2] elements of B fetched from memory for a tile, nothing pruned."""
        return self._of_blocks("b", self.size_k[:, :, None] * self.size_n[:, None, :])

    @by_pair("c")
    def result_elements(self) -> IntArray:
        """[J, 2, 2] elements of C that a tile finishes and that are asked for."""
        return self._of_blocks("c", self.size_m[:, :, None] * self.size_n[:, None, :])

    def _dense_a_elements(self) -> IntArray:
        """[J, 2, 3] elements of A fetched from memory for a tile: under a window, the image rows below it."""
        on_m, on_k = self.m, self.k
        if self.gemm.position_axis == "m":
            return on_m.rows[:, :, None] * on_k.channels[:, None, _FIRST_MIDDLE_LAST]
        return on_m.channels[:, :, None] * on_k.rows[:, None, _FIRST_MIDDLE_LAST]

    @by_pair("a")
    def a_held_bytes(self) -> IntArray:
        """[J, 2, 3] bytes of an A tile in its buffer."""
        elements = self._dense_a_elements()
        if self.gemm.compressed != "a":
            return elements * self.value_bytes
        return self._kept_a_bytes()

    def _kept_a_bytes(self) -> IntArray:
        """[J, 2, 3] bytes of an A tile as pairs: the window thins out with the pattern, S of every k elements stay."""
        return self._pairs(-(-self._dense_a_elements() * self.kept_k[:, None, :] // self.size_k[:, None, :]))

    @by_pair("b")
    def b_held_bytes(self) -> IntArray:
        """[J, 3, 2] bytes of a B tile in its buffer."""
        if self.gemm.compressed == "b":
            return self._pairs(self.kept_k[:, :, None] * self.size_n[:, None, :])
        return self.size_k[:, :, None] * self.size_n[:, None, :] * self.value_bytes

    @by_pair("a")
    def a_load_bytes(self) -> IntArray:
        """[J, 2, 3] bytes fetched from DRAM for an A tile: none when A stays on chip."""
        if self._in_pairs("a"):
            return self._unless_resident("a", self._kept_a_bytes())
        return self._unless_resident("a", self._dense_a_elements() * self.value_bytes)

    @by_pair("b")
    def b_load_bytes(self) -> IntArray:
        """[J, 3, 2] bytes fetched from DRAM for a B tile: none when B stays on chip."""
        if self._in_pairs("b"):
            kept = self._of_blocks("b", self.kept_k[:, :, None] * self.size_n[:, None, :])
            return self._unless_resident("b", self._pairs(kept))
        return self._unless_resident("b", self._b_elements() * self.value_bytes)

    @property
    def reduced_elements(self) -> IntArray:
        """[J, 2, 3] of A or [J, 3, 2] of B: elements of a tile that pass the reduction engine on their way in."""
        if not self.gemm.reduced_on_load:
            return np.zeros_like(self.a_held_bytes if self.gemm.pruned_operand == "a" else self.b_held_bytes)
        return self._dense_a_elements() if self.gemm.pruned_operand == "a" else self._b_elements()

    @by_pair("c")
    def sum_bytes(self) -> IntArray:
        """[J, 2, 2] bytes of a C tile of partial sums."""
        return self.size_m[:, :, None] * self.size_n[:, None, :] * SUM_BYTES

    @by_pair("c")
    def result_bytes(self) -> IntArray:
        """[J, 2, 2] bytes stored of a finished C tile: none when C stays on chip."""
        return self._unless_resident("c", self.result_elements * self.result_element_bytes)

    # Cycles of DRAM --------------------------------------------------------------------------------------------------

    @by_pair("a")
    def a_load_cycles(self) -> IntArray:
        """[J, 2, 3] cycles to load an A tile, reduction on the way included."""
        return self._with_reduction("a", self.a_fetch_cycles, self._dense_a_elements())

    @by_pair("a")
    def a_fetch_cycles(self) -> IntArray:
        """[J, 2, 3] cycles of DRAM to fetch an A tile."""
        on_m = self.gemm.position_axis == "m"
        positions, tapped = (self.m, self.k) if on_m else (self.k, self.m)
        together = self._channels_together(tapped)
        together = together[:, None, _FIRST_MIDDLE_LAST] if on_m else together[:, :, None]
        whole = (tapped.trips == 1)[:, None, None]
        rows = positions.run_rows[:, :, None] if on_m else positions.run_rows[:, None, _FIRST_MIDDLE_LAST]
        run = together * np.where(whole, rows, 1) * self.value_bytes
        # Some channels of every position (or tap, where patches lie expanded), or all of some rows of an image.
        pitch = np.where(whole, positions.pitch[:, None, None], 1)
        stride = pitch * self.gemm.channels * self.value_bytes
        if self._in_pairs("a"):
            run = self.a_load_bytes
        return self.memory.cycles(self.a_load_bytes, run, np.maximum(stride, run))

    def _channels_together(self, tapped: AxisTiles) -> IntArray:
        """[J, 2] neighbours in memory at one position: some channels, or all taps' where patches lie expanded."""
        return np.where((tapped.trips == 1)[:, None], tapped.channels, tapped.size // self.gemm.taps)

    @by_pair("b")
    def b_load_cycles(self) -> IntArray:
        """[J, 3, 2] cycles to load a B tile, reduction on the way included."""
        return self._with_reduction("b", self.b_fetch_cycles, self._b_elements())

    @by_pair("b")
    def b_fetch_cycles(self) -> IntArray:
        """[J, 3, 2] cycles of DRAM to fetch a B tile."""
        gemm = self.gemm
        if self._in_pairs("b") or gemm.diagonal == "b":
            # A stream, or the blocks of a pack, one behind the other.
            return self.memory.cycles(self.b_load_bytes, self.b_load_bytes)
        depth = self.size_k[:, :, None]
        whole_k, whole_n = (self.k.trips == 1)[:, None, None], (self.n.trips == 1)[:, None, None]
        channels = depth // (gemm.taps if gemm.tap_axis == "k" else 1)
        wide = self.size_n[:, None, :]
        all_channels = gemm.channels if gemm.tap_axis == "k" else gemm.k
        if gemm.b_contiguous == "n":
            run = np.where(whole_n, np.where(whole_k, depth, channels) * wide, wide)
            stride = np.where(whole_n, all_channels, 1) * gemm.n
        else:
            run = np.where(whole_k, channels * wide, channels)
            stride = np.where(whole_k, gemm.n, 1) * all_channels
        run_bytes, stride_bytes = run * self.value_bytes, np.maximum(stride, run) * self.value_bytes
        return self.memory.cycles(self.b_load_bytes, run_bytes, stride_bytes)

    def _with_reduction(self, operand: Operand, cycles: IntArray, elements: IntArray) -> IntArray:
        """The longer of fetching and reducing: the sorters work on the stream, wherever it comes from."""
        if self.gemm.pruned_operand != operand or not self.gemm.reduced_on_load:
            return cycles
        return np.maximum(cycles, reduction_cycles(self.design.reduction_lanes, elements, self.gemm.pattern.group))

    def _c_cycles(self, tile_bytes: IntArray, element_bytes: int, *, write: bool) -> IntArray:
        if self.gemm.diagonal == "c":
            return self.memory.cycles(tile_bytes, tile_bytes, write=write)
        whole = (self.n.trips == 1)[:, None, None] & (not self.gemm.scattered_result)
        rows = self.m.size
        if self.gemm.tap_axis == "m":
            rows = np.where((self.m.trips == 1)[:, None], rows, rows // self.gemm.taps)
        wide = np.minimum(self.size_n, self.gemm.result_piece) if self.gemm.result_piece else self.size_n
        run = wide[:, None, :] * np.where(whole, rows[:, :, None], 1) * element_bytes
        # From a row of C to the next, or from a tap's channels to the next tap's.
        apart = np.where(whole, self.gemm.channels if self.gemm.tap_axis == "m" else 0, self.gemm.result_spacing)
        return self.memory.cycles(tile_bytes, run, np.maximum(apart * self.gemm.n * element_bytes, run), write=write)

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

    @cached_property
    def _block_counts(self) -> dict[str, IntArray]:
        """Tiles of each kind along one axis: [J, 2], [J, 3] along k."""
        return {
            "m": np.stack([self.m.fulls, self.m.lasts], axis=1),
            "n": np.stack([self.n.fulls, self.n.lasts], axis=1),
            "k": self.count_k,
        }

    def sum_over_blocks(self, per_tile: IntArray, axes: str) -> IntArray:
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
                return self.sum_over_blocks(self.reduced_elements, "mk" if self.gemm.pruned_operand == "a" else "kn")
            case "a_cycles":
                return self.sum_over_blocks(self.a_load_cycles, "mk")
            case "b_cycles":
                return self.sum_over_blocks(self.b_load_cycles, "kn")
            case "first_a_cycles":
                return _at_first(self.a_load_cycles[:, :, 0], self.m)
            case "first_b_cycles":
                return _at_first(self.b_load_cycles[:, 0, :], self.n)
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

    def fits(self, a_in_west: bool) -> BoolArray:
        """[J] whether tiles of all three fit the buffers of their design, A in the west buffer or B."""
        return fits(self.held, self.gemm, self.design.room, a_in_west)

    def kept(self, a_in_west: bool | BoolArray) -> dict[Place, BoolArray]:
        """[6, J] for A, B and C each whether it is kept across its free loop, by loop order, see ``holding``."""
        return kept(self.held, self.gemm, self.design.room, a_in_west)


def _at_first(cycles: IntArray, along: AxisTiles) -> IntArray:
    """[J] of the first tile along an axis: a full one where there are several."""
    return np.where(along.trips > 1, cycles[:, 0], cycles[:, 1])
