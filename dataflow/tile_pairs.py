"""The combinations of tile sizes along m, n and k, by pairs of axes, of one product or of many.

What an operand's tiles hold and move depends on two of the three axes: it is worked out for every pair of sizes, and
met by the others by broadcasting. A ladder has thousands of combinations and some hundred pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..accel.specification import Hardware
from ..configs.arrays import BoolArray, IntArray
from .block_totals import BlockTotals, totals_of
from .design_view import DesignView
from .formats.stored import Stored
from .gemm import AXES, OPERANDS, PLACES, Axis, Gemm, Operand, Place
from .gemm_batch import GemmBatch
from .holding import AXES_OF, Held, HeldByPlace, Room, kept, least_bytes
from .tile_grid import TileGrid
from .tiling import AxisLadders, AxisTiles, ladders_along


@dataclass(frozen=True, kw_only=True)
class Combinations:
    """All combinations of tile sizes of a ladder each, arrays that broadcast to [E, M, N, K].

    Attributes:
        gemm: the product, or one a ladder with its sizes [E, 1, 1, 1].
        m: tiles along m, [E, M, 1, 1].
        n: tiles along n, [E, 1, N, 1].
        k: tiles along k, [E, 1, 1, K].
        present: where there is a size along all of m, n and k: shorter ladders are filled up.
        slots: [E, 1, 1, K, 3] accumulations an output of the first tile along k, those between, and the last.
        groups: groups along k of the same.
        count_k: how many there are of each.
        held: what tiles of A, B and C take of their buffers.
        totals: every block of every operand, moved once.
        kept_along_k: elements kept of each operand in all tiles along k, times ``kept_scale``, [E, 1, 1, K].
        stored: what the bytes of each operand depend on where it is sparse.
    """

    gemm: Gemm
    m: AxisTiles
    n: AxisTiles
    k: AxisTiles
    present: dict[Axis, BoolArray]
    slots: IntArray
    groups: IntArray
    count_k: IntArray
    held: HeldByPlace
    totals: BlockTotals
    kept_along_k: Mapping[Operand, IntArray]
    stored: Mapping[Operand, Stored]

    def take(self, ladder: IntArray) -> Combinations:
        """Of some ladders, in the given order; itself where there is one for all."""
        if len(self.slots) == 1:
            return self
        return Combinations(
            gemm=self.gemm,
            m=self.m.take(ladder),
            n=self.n.take(ladder),
            k=self.k.take(ladder),
            present={axis: present[ladder] for axis, present in self.present.items()},
            slots=self.slots[ladder],
            groups=self.groups[ladder],
            count_k=self.count_k[ladder],
            held=self.held.take(ladder),
            totals=self.totals.take(ladder),
            kept_along_k={operand: kept[ladder] for operand, kept in self.kept_along_k.items()},
            stored=self.stored,
        )

    @property
    def trips(self) -> dict[Axis, IntArray]:
        """Tiles along each axis."""
        return {"m": self.m.trips, "n": self.n.trips, "k": self.k.trips}

    def fits(self, room: Room, a_in_west: bool) -> BoolArray:
        """Whether tiles of all three fit their buffers.

        Args:
            room: in the buffers, each count [E, 1, 1, 1].
            a_in_west: whether A lies in the west buffer, or B.
        """
        found = np.asarray(self.present["m"] & self.present["k"])
        for place in ("a", "b", "c"):
            found = found & (least_bytes(self.held[place], self.gemm, room) <= room.of(place, a_in_west))
        return found & self.present["n"]

    def kept(self, room: Room, a_in_west: bool) -> dict[Place, BoolArray]:
        """For A, B and C each whether it is kept across its free loop, by loop order; arguments as for ``fits``."""
        return kept(self.held, self.gemm, room, a_in_west)


@dataclass(frozen=True, kw_only=True)
class TilePairs:
    """The ladders [L] of a product, or one of each of some products.

    Attributes:
        gemm: the product, or one a ladder.
        design: what is to be known of the design, or of a design a ladder.
        axes: ladders along m, n and k.
    """

    gemm: Gemm
    design: DesignView
    axes: tuple[AxisLadders, AxisLadders, AxisLadders]

    @classmethod
    def of_design(cls, gemms: Sequence[Gemm], hardware: Hardware) -> TilePairs:
        """The ladders of products of one batch (see ``gemm_batch``) on a design."""
        view, unit = DesignView.of(hardware), min(hardware.tensor_engine.rows, hardware.tensor_engine.cols)
        m, n, k = (
            AxisLadders.joined(
                [ladders_along(gemm, axis, [unit], patch_expansion=view.patch_expansion) for gemm in gemms]
            )
            for axis in AXES
        )
        return cls(gemm=GemmBatch.of(gemms), design=view, axes=(m, n, k))

    @cached_property
    def shape(self) -> tuple[int, int, int, int]:
        """L, M, N and K."""
        m, n, k = self.axes
        return len(m.at), m.at.shape[1], n.at.shape[1], k.at.shape[1]

    def _sizes(self, axes: tuple[Axis, ...]) -> list[int]:
        """L, and M, N and K, 1 for those that are none of some axes."""
        ladders, *sizes = self.shape
        return [ladders, *(size if axis in axes else 1 for axis, size in zip(AXES, sizes, strict=True))]

    # Pairs -----------------------------------------------------------------------------------------------------------

    @cached_property
    def pairs(self) -> dict[Place, TileGrid]:
        """Of A, B and C each the pairs of sizes that it depends on, ladder by ladder; the third axis has its first."""
        return {place: self._combined(AXES_OF[place]) for place in PLACES}

    def _combined(self, axes: tuple[Axis, ...]) -> TileGrid:
        """All combinations of sizes along some axes, ladder by ladder, with the first of the others."""
        ladder, *at = np.indices(self._sizes(axes)).reshape(4, -1)
        m, n, k = (each.tiles.take(each.at[ladder, along]) for each, along in zip(self.axes, at, strict=True))
        return TileGrid(gemm=self.gemm.pick(ladder), design=self.design.pick(ladder), m=m, n=n, k=k)

    @cached_property
    def along_k(self) -> TileGrid:
        """The sizes along k, ladder by ladder, with the first of the others."""
        return self._combined(("k",))

    @cached_property
    def combinations(self) -> Combinations:
        """All of them."""
        along = [
            each.tiles.take(each.at.reshape(-1)).reshape(*self._sizes((axis,)))
            for axis, each in zip(AXES, self.axes, strict=True)
        ]
        by_k, of_k = self.along_k, (*self._sizes(("k",)), 3)
        return Combinations(
            gemm=self.gemm.to_meet(len(AXES)),
            m=along[0],
            n=along[1],
            k=along[2],
            present={
                axis: each.present.reshape(self._sizes((axis,))) for axis, each in zip(AXES, self.axes, strict=True)
            },
            slots=by_k.slots.reshape(of_k),
            groups=by_k.groups.reshape(of_k),
            count_k=by_k.count_k.reshape(of_k),
            held=HeldByPlace({place: self._held(place) for place in PLACES}),
            totals=BlockTotals(
                **{
                    name: self._spread(place, self.pairs[place].total(name))
                    for place in PLACES
                    for name in totals_of(self.gemm, place)
                }
            ),
            kept_along_k={
                operand: (by_k.kept_k(operand) * by_k.count_k).sum(axis=1).reshape(self._sizes(("k",)))
                for operand in OPERANDS
            },
            stored={operand: by_k.stored(operand) for operand in OPERANDS},
        )

    @cached_property
    def _held_by_pair(self) -> HeldByPlace:
        return HeldByPlace({place: self.pairs[place].held_of(place) for place in PLACES})

    def _held(self, place: Place) -> Held:
        held = self._held_by_pair[place]
        return Held(
            tile_bytes=self._spread(place, held.tile_bytes),
            row_bytes={axis: self._spread(place, each) for axis, each in held.row_bytes.items()},
            all_bytes=self._spread(place, held.all_bytes),
        )

    def _spread(self, place: Place, of_pairs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Figures of the pairs of A, B or C, shaped to broadcast."""
        return of_pairs.reshape(self._sizes(AXES_OF[place]))

    # Tiles by number -------------------------------------------------------------------------------------------------

    def sizes(self, chosen: IntArray) -> tuple[AxisTiles, AxisTiles, AxisTiles]:
        """Tiles along m, n and k of some combinations, by their flat numbers."""
        ladder, *at = np.unravel_index(chosen, self.shape)
        m, n, k = (each.tiles.take(each.at[ladder, along]) for each, along in zip(self.axes, at, strict=True))
        return m, n, k

    def tiles(self, chosen: IntArray) -> TileGrid:
        """Some of the combinations, by their flat numbers."""
        ladder, *at = np.unravel_index(chosen, self.shape)
        m, n, k = self.sizes(chosen)
        pairs = {}
        for place in PLACES:
            # Along the axis that is none of it there is one size.
            own = [along if axis in AXES_OF[place] else 0 * along for axis, along in zip(AXES, at, strict=True)]
            index = np.ravel_multi_index((ladder, *own), self._sizes(AXES_OF[place]))
            pairs[place] = (self.pairs[place], index)
        gemm, design = self.gemm.pick(ladder), self.design.pick(ladder)
        grid = TileGrid(gemm=gemm, design=design, m=m, n=n, k=k, pairs=pairs)
        grid.knows(
            held=HeldByPlace({place: self._held_by_pair[place].take(pairs[place][1]) for place in PLACES}),
            block_totals=BlockTotals(
                **{
                    name: getattr(self.combinations.totals, name).reshape(-1)[pairs[place][1]]
                    for place in PLACES
                    for name in totals_of(self.gemm, place)
                }
            ),
        )
        return grid
