"""The tiles of a product: what each candidate tile size holds, moves and costs in DRAM time.

Arrays have a candidate axis [J] first, then one axis for each GEMM axis that matters: position 0 is a full tile, 1
the last one. Along k there are three: the first tile (no partial sums to read), those between, the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accel.dram import DramTiming
from ..accel.engines import reduction_cycles
from ..accel.specification import SIDES, Hardware, Side
from ..accel.tensor_engine import Count, groups_of, slots_of
from ..configs.arrays import BoolArray, IntArray
from ..configs.errors import MappingError
from .block_totals import BlockTotals
from .design_view import DesignView
from .gemm import SUM_BYTES, Axis, Gemm, Operand, Place
from .mapping import Mapping as ProductMapping
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
    """

    gemm: Gemm
    design: DesignView
    m: AxisTiles
    n: AxisTiles
    k: AxisTiles
    resident: Mapping[Place, BoolArray] | None = None

    @classmethod
    def ladder(cls, gemm: Gemm, hardware: Hardware) -> TileGrid:
        """All combinations of the three axes' ladders."""
        return cls.product_of_axes(gemm, DesignView.of(hardware), axis_ladders(gemm, hardware))

    @classmethod
    def of_mapping(cls, gemm: Gemm, hardware: Hardware, mapping: ProductMapping) -> TileGrid:
        """The one candidate that a mapping names.

        Raises:
            MappingError: the ladder has no such tile, or it does not fit the buffers.
        """
        wanted = (mapping.tile_m, mapping.tile_n, mapping.tile_k)
        named = [
            tiles.take(np.flatnonzero(tiles.size[:, 0] == size)[:1])
            for tiles, size in zip(axis_ladders(gemm, hardware), wanted, strict=True)
        ]
        tiles = cls.product_of_axes(gemm, DesignView.of(hardware), named)
        if len(tiles) == 0 or not tiles.fits(mapping.array.west)[0]:
            shown = "x".join(map(str, wanted))
            raise MappingError(f"{gemm.name}: got tile {shown}, need one that is legal and fits {hardware.name}")
        return tiles

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
        )
        known = {name: value[chosen] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        vars(picked).update(known)
        return picked

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
        trips = self.k.trips
        return np.stack([np.ones_like(trips), np.maximum(trips - 2, 0), (trips > 1).astype(np.int64)], axis=1)

    @cached_property
    def counts(self) -> IntArray:
        """[J, 2, 2, 3] tiles of each kind (m, n, k)."""
        m, n, k = (self._block_counts[axis] for axis in "mnk")
        return m[:, :, None, None] * n[:, None, :, None] * k[:, None, None, :]

    @cached_property
    def slots(self) -> IntArray:
        """[J, 3] accumulations an output of a tile."""
        if self.gemm.compressed is None:
            return self.size_k
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

    def _dense_a_elements(self) -> IntArray:
        """[J, 2, 3] elements of A fetched from memory for a tile: under a window, the image rows below it."""
        on_m, on_k = self.m, self.k
        if self.gemm.position_axis == "m":
            return on_m.rows[:, :, None] * on_k.channels[:, None, _FIRST_MIDDLE_LAST]
        return on_m.channels[:, :, None] * on_k.rows[:, None, _FIRST_MIDDLE_LAST]

    @cached_property
    def a_held_bytes(self) -> IntArray:
        """[J, 2, 3] bytes of an A tile in its buffer."""
        elements = self._dense_a_elements()
        if self.gemm.compressed != "a":
            return elements * self.value_bytes
        # The window thins out with the pattern: S of every k elements are kept.
        kept = -(-elements * self.slots[:, None, :] // self.size_k[:, None, :])
        return self._pairs(kept)

    @cached_property
    def b_held_bytes(self) -> IntArray:
        """[J, 3, 2] bytes of a B tile in its buffer."""
        if self.gemm.compressed == "b":
            return self._pairs(self.slots[:, :, None] * self.size_n[:, None, :])
        return self.size_k[:, :, None] * self.size_n[:, None, :] * self.value_bytes

    @cached_property
    def a_load_bytes(self) -> IntArray:
        """[J, 2, 3] bytes fetched from DRAM for an A tile: none when A stays on chip."""
        if self.gemm.compressed == "a" and not self.gemm.reduced_on_load:
            return self._unless_resident("a", self.a_held_bytes)
        return self._unless_resident("a", self._dense_a_elements() * self.value_bytes)

    @cached_property
    def b_load_bytes(self) -> IntArray:
        """[J, 3, 2] bytes fetched from DRAM for a B tile: none when B stays on chip."""
        if self.gemm.compressed == "b" and not self.gemm.reduced_on_load:
            return self._unless_resident("b", self.b_held_bytes)
        return self._unless_resident("b", self.size_k[:, :, None] * self.size_n[:, None, :] * self.value_bytes)

    @property
    def reduced_elements(self) -> IntArray:
        """[J, 2, 3] of A or [J, 3, 2] of B: elements of a tile that pass the reduction engine on their way in."""
        if not self.gemm.reduced_on_load:
            return np.zeros_like(self.a_held_bytes if self.gemm.compressed == "a" else self.b_held_bytes)
        if self.gemm.compressed == "a":
            return self._dense_a_elements()
        return self.size_k[:, :, None] * self.size_n[:, None, :]

    @cached_property
    def sum_bytes(self) -> IntArray:
        """[J, 2, 2] bytes of a C tile of partial sums."""
        return self.size_m[:, :, None] * self.size_n[:, None, :] * SUM_BYTES

    @cached_property
    def result_bytes(self) -> IntArray:
        """[J, 2, 2] bytes stored of a finished C tile: none when C stays on chip."""
        return self._unless_resident("c", self.size_m[:, :, None] * self.size_n[:, None, :] * self.result_element_bytes)

    # Cycles of DRAM --------------------------------------------------------------------------------------------------

    @cached_property
    def a_load_cycles(self) -> IntArray:
        """[J, 2, 3] cycles to load an A tile, reduction on the way included."""
        return self._with_reduction("a", self.a_fetch_cycles, self._dense_a_elements())

    @cached_property
    def a_fetch_cycles(self) -> IntArray:
        """[J, 2, 3] cycles of DRAM to fetch an A tile."""
        on_m = self.gemm.position_axis == "m"
        positions, tapped = (self.m, self.k) if on_m else (self.k, self.m)
        together = self._channels_together(tapped)
        together = together[:, None, _FIRST_MIDDLE_LAST] if on_m else together[:, :, None]
        whole = (tapped.trips == 1)[:, None, None]
        run = together * np.where(whole, positions.run_rows[:, None, None], 1) * self.value_bytes
        # The last tile's positions may be fewer than a full tile's.
        run = np.minimum(run, self.a_load_bytes)
        # Some channels of every position (or tap, where patches lie expanded), or whole images' rows.
        stride = np.where(whole, self._image_elements, self.gemm.channels) * self.value_bytes
        if self.gemm.compressed == "a" and not self.gemm.reduced_on_load:
            run = self.a_load_bytes
        return self.memory.cycles(self.a_load_bytes, run, np.maximum(stride, run))

    @property
    def _image_elements(self) -> int:
        """Elements from an image to the next where A is fetched as images' rows; 0 where its positions all follow."""
        window = self.gemm.window
        if window is None or not self.design.patch_expansion:
            return 0
        return window.input_rows * window.input_row_elements * self.gemm.channels

    def _channels_together(self, tapped: AxisTiles) -> IntArray:
        """[J, 2] neighbours in memory at one position: some channels, or all taps' where patches lie expanded."""
        return np.where((tapped.trips == 1)[:, None], tapped.channels, tapped.size // self.gemm.taps)

    @cached_property
    def b_load_cycles(self) -> IntArray:
        """[J, 3, 2] cycles to load a B tile, reduction on the way included."""
        return self._with_reduction("b", self.b_fetch_cycles, self.size_k[:, :, None] * self.size_n[:, None, :])

    @cached_property
    def b_fetch_cycles(self) -> IntArray:
        """[J, 3, 2] cycles of DRAM to fetch a B tile."""
        gemm = self.gemm
        if gemm.compressed == "b" and not gemm.reduced_on_load:
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
        if self.gemm.compressed != operand or not self.gemm.reduced_on_load:
            return cycles
        return np.maximum(cycles, reduction_cycles(self.design.reduction_lanes, elements, self.gemm.pattern.group))

    def _c_cycles(self, tile_bytes: IntArray, element_bytes: int, *, write: bool) -> IntArray:
        whole = (self.n.trips == 1)[:, None, None] & (not self.gemm.scattered_result)
        rows = self.m.size
        if self.gemm.tap_axis == "m":
            rows = np.where((self.m.trips == 1)[:, None], rows, rows // self.gemm.taps)
        run = self.size_n[:, None, :] * np.where(whole, rows[:, :, None], 1) * element_bytes
        # From a row of C to the next, or from a tap's channels to the next tap's.
        apart = np.where(whole, self.gemm.channels if self.gemm.tap_axis == "m" else 0, self.gemm.result_spacing)
        return self.memory.cycles(tile_bytes, run, np.maximum(apart * self.gemm.n * element_bytes, run), write=write)

    @cached_property
    def sum_load_cycles(self) -> IntArray:
        """[J, 2, 2] cycles to read a C tile of partial sums back."""
        return self._c_cycles(self.sum_bytes, SUM_BYTES, write=False)

    @cached_property
    def sum_store_cycles(self) -> IntArray:
        """[J, 2, 2] cycles to write a C tile of partial sums."""
        return self._c_cycles(self.sum_bytes, SUM_BYTES, write=True)

    @cached_property
    def result_cycles(self) -> IntArray:
        """[J, 2, 2] cycles to store a finished C tile: none when C stays on chip."""
        return self._unless_resident("c", self.bare_result_cycles)

    @cached_property
    def bare_result_cycles(self) -> IntArray:
        """[J, 2, 2] cycles in which a finished C tile would be stored."""
        element_bytes = self.result_element_bytes
        tile_bytes = self.size_m[:, :, None] * self.size_n[:, None, :] * element_bytes
        return self._c_cycles(tile_bytes, element_bytes, write=True)

    @cached_property
    def _block_counts(self) -> dict[str, IntArray]:
        """Tiles of each kind along one axis: [J, 2], [J, 3] along k."""
        one = np.ones_like(self.m.trips)
        return {
            "m": np.stack([self.m.trips - 1, one], axis=1),
            "n": np.stack([self.n.trips - 1, one], axis=1),
            "k": self.count_k,
        }

    def sum_over_blocks(self, per_tile: IntArray, axes: str) -> IntArray:
        """[J] sum of a per-tile quantity over every block of an operand, each counted once."""
        first, second = (self._block_counts[axis] for axis in axes)
        return np.asarray(np.einsum("jxy,jx,jy->j", per_tile, first, second))

    @cached_property
    def block_totals(self) -> BlockTotals:
        """Every block of every operand, moved once."""
        return BlockTotals(
            a_bytes=self.sum_over_blocks(self.a_load_bytes, "mk"),
            b_bytes=self.sum_over_blocks(self.b_load_bytes, "kn"),
            sum_bytes=self.sum_over_blocks(self.sum_bytes, "mn"),
            result_bytes=self.sum_over_blocks(self.result_bytes, "mn"),
            reduced_elements=self.sum_over_blocks(self.reduced_elements, "mk" if self.gemm.compressed == "a" else "kn"),
            a_cycles=self.sum_over_blocks(self.a_load_cycles, "mk"),
            b_cycles=self.sum_over_blocks(self.b_load_cycles, "kn"),
            sum_load_cycles=self.sum_over_blocks(self.sum_load_cycles, "mn"),
            sum_store_cycles=self.sum_over_blocks(self.sum_store_cycles, "mn"),
            result_cycles=self.sum_over_blocks(self.result_cycles, "mn"),
        )

    def held_bytes(self, west: Operand) -> dict[str, IntArray]:
        """[J] bytes that a full tile takes of each buffer, with this operand in the west buffer."""
        a, b = self.a_held_bytes[:, 0, 0], self.b_held_bytes[:, 0, 0]
        in_west, in_north = (a, b) if west == "a" else (b, a)
        return {"west": in_west, "north": in_north, "output": self.sum_bytes[:, 0, 0]}

    def fits_in(self, tiles_held: Count, capacity_bytes: Mapping[Side, Count], west: Operand) -> BoolArray:
        """Whether as many tiles as buffers hold at once fit, with this operand in the west buffer.

        Args:
            tiles_held: that many; a number, or [S, 1] of many designs.
            capacity_bytes: of each buffer, likewise.
            west: the operand in the west buffer.

        Returns:
            [J], or [S, J] of many designs.
        """
        held = self.held_bytes(west)
        fitting = [tiles_held * held[side] <= capacity_bytes[side] for side in SIDES]
        return np.asarray(fitting[0] & fitting[1] & fitting[2])

    def fits(self, west: Operand) -> BoolArray:
        """[J] the same for the buffers of the design."""
        buffers = self.design.buffers
        assert buffers is not None, "candidates of many designs fit"
        capacity = {side: buffer.capacity_bytes for side, buffer in buffers.by_side.items()}
        return self.fits_in(buffers.tiles_held, capacity, west)
