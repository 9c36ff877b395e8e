"""The mapping search compiled, on many designs or one: for each what ``search.best_mapping`` finds, for time.

Compiled where numba is installed (see ``compiled``), and where the dataflows are said in plain formulas; else the
designs are searched one after another. Either way the same mappings are found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from ..accel.specification import Hardware, load_hardware
from ..configs.arrays import BoolArray, IntArray
from ..configs.errors import MappingError
from ..training.graph import Stage
from . import objective
from .compiled import case, numba_build, tables
from .compiled.kernel import Kernel
from .dataflows.formulas import Grouping
from .dataflows.tile import Sparsity
from .design_table import DesignTable
from .gemm import AXES, Gemm, Place
from .mapping import LOOP_ORDERS, ArrayMapping, Side, sides_of
from .mapping import Mapping as SingleMapping
from .objective import NEVER
from .product_cost import MappedProducts, SideTimes
from .search import Choice, best_mapping
from .side_mappings import OF_TIMING, SideMappings, timing_of_each
from .tile_grid import TileGrid
from .tile_pairs import TilePairs
from .tile_time import TileTime
from .tiling import AxisTiles, ladders_along, tiles_of_sizes


@dataclass(frozen=True, kw_only=True)
class BestMappings:
    """The mappings found for one product, one a design of a table, [S].

    Attributes:
        gemm: the product.
        table: the designs.
        feasible: where there is a mapping; the rest of what stands here says nothing where there is none.
        axes: tiles along m, n and k.
        sides: that the designs offer.
        side: which of them.
        parameters: [P, S] of the array mapping, in the order of its dataflow's; 1 beyond these.
        orders: loop order, a number in ``LOOP_ORDERS``.
        cycles: of the product, all repetitions; NEVER where there is no mapping.
        moved_bytes: between DRAM and chip, all repetitions.
    """

    gemm: Gemm
    table: DesignTable
    feasible: BoolArray
    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    sides: tuple[Side, ...]
    side: IntArray
    parameters: IntArray
    orders: IntArray
    cycles: IntArray
    moved_bytes: IntArray

    def array_mapping(self, design: int) -> ArrayMapping:
        """How tiles lie on the array of one design."""
        side = self.sides[self.side[design]]
        numbers = side.lying.named(self.parameters[:, design])
        return ArrayMapping.on(side, {name: int(number) for name, number in numbers.items()})

    def mapped(self, chosen: IntArray, resident: Mapping[Place, BoolArray] | None = None) -> MappedProducts:
        """The product on some of the designs.

        Args:
            chosen: which designs.
            resident: which of A, B and C stay on chip, a design each.
        """
        m, n, k = (axis.take(chosen) for axis in self.axes)
        tiles = TileGrid(gemm=self.gemm, design=self.table.view(chosen), m=m, n=n, k=k, resident=resident)
        side, by_side = self.side[chosen], []
        for number, each in enumerate(self.sides):
            rows = np.flatnonzero(side == number)
            if len(rows):
                own = tiles if len(rows) == len(side) else tiles.pick(rows)
                times = TileTime.in_turn(own, each.lying, self.parameters[:, chosen[rows]])
                by_side.append(SideTimes(rows=rows, times=times))
        return MappedProducts(tiles=tiles, orders=self.orders[chosen], by_side=by_side)


def search_many(
    gemm: Gemm,
    table: DesignTable,
    designs: IntArray | None = None,
    *,
    dataflows: tuple[str, ...] | None = None,
    interleave: bool = True,
) -> BestMappings:
    """Find the fastest mapping of a product on every design of a table.

    Args:
        gemm: the product.
        table: the designs.
        designs: only these of them; all when None.
        dataflows: only these; all that the designs offer when None.
        interleave: whether a PE may turn between accumulations.
    """
    wanted = np.arange(len(table)) if designs is None else designs
    index, which = table.distinct(reducing=gemm.reduced_on_load, designs=wanted)
    search = _Search(
        gemm=gemm,
        table=table,
        index=index,
        sides=sides_of(table.first.tensor_engine, gemm, dataflows),
        dataflows=dataflows,
        interleave=interleave,
    )
    found = search.compiled() if search.compiles else search.one_by_one()
    place = np.full(len(table), -1)
    place[wanted] = which
    return found.of_designs(search, place)


PATIENCE = 100
"""Searches on single designs after which a process loads what is compiled: as many as take the time of loading it."""

_searches = count(1)


def fastest_mapping(
    gemm: Gemm, hardware: Hardware, *, dataflows: tuple[str, ...] | None = None, interleave: bool = True
) -> Choice:
    """Find the fastest mapping of a product on one design, compiled where that is quicker; as ``search.best_mapping``.

    Raises:
        MappingError: the design lacks the pattern, or no tile fits its buffers.
    """
    if next(_searches) > PATIENCE and numba_build.is_built() and hardware.tensor_engine.supports(gemm.pattern):
        table = DesignTable(designs=[hardware])
        sides = sides_of(hardware.tensor_engine, gemm, dataflows)
        search = _Search(
            gemm=gemm,
            table=table,
            index=np.zeros(1, dtype=np.int64),
            sides=sides,
            dataflows=dataflows,
            interleave=interleave,
        )
        if search.compiles:
            found = search.compiled()
            if found.cycles[0] < NEVER:
                return found.choice(search)
    return best_mapping(gemm, hardware, dataflows=dataflows, interleave=interleave)


def build(told: Callable[[], None]) -> None:
    """Have the compiler do its work now, where it has not on this machine.

    Args:
        told: called before it begins: it takes half a minute.
    """
    if numba_build.is_installed() and not numba_build.is_built():
        told()
        table = DesignTable(designs=[load_hardware("sat-vcu1525").model])
        search_many(Gemm(name="any", operator="any", stage=Stage.FORWARD, m=8, n=8, k=8), table)
        numba_build.mark_built()


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a search found on the designs that it tells apart, [D]; arguments as of ``BestMappings``."""

    axes: tuple[AxisTiles, AxisTiles, AxisTiles]
    side: IntArray
    parameters: IntArray
    orders: IntArray
    cycles: IntArray
    moved_bytes: IntArray
    candidates: IntArray

    def choice(self, search: _Search) -> Choice:
        """The same of the only design, as the search on one gives it."""
        side = search.sides[self.side[0]]
        numbers = {name: int(number) for name, number in side.lying.named(self.parameters[:, 0]).items()}
        m, n, k = (int(axis.size[0, 0]) for axis in self.axes)
        cycles, moved, legal = int(self.cycles[0]), int(self.moved_bytes[0]), int(self.candidates[0])
        return Choice(
            mapping=SingleMapping(
                array=ArrayMapping.on(side, numbers),
                tile_m=m,
                tile_n=n,
                tile_k=k,
                order=LOOP_ORDERS[self.orders[0]],
                form=search.gemm.form,
            ),
            value=float(cycles),
            cycles=cycles,
            moved_bytes=moved,
            candidates=legal,
            timed_exactly=legal,
        )

    def of_designs(self, search: _Search, place: IntArray) -> BestMappings:
        """The same of all designs of a table; ``place`` [S] is which of the distinct ones each is, -1 for none."""
        known, at = place >= 0, np.maximum(place, 0)
        if not len(self.cycles):
            known, at = np.zeros(len(place), dtype=bool), place[:0]
        cycles = np.full(len(place), NEVER)
        cycles[known] = self.cycles[place[known]]
        m, n, k = (axis.take(at) for axis in self.axes)
        return BestMappings(
            gemm=search.gemm,
            table=search.table,
            feasible=cycles < NEVER,
            axes=(m, n, k),
            sides=search.sides,
            side=self.side[at],
            parameters=self.parameters[:, at],
            orders=self.orders[at],
            cycles=cycles,
            moved_bytes=np.where(cycles < NEVER, self.moved_bytes[at] if len(at) else NEVER, NEVER),
        )


@dataclass(frozen=True, kw_only=True)
class _Search:
    """The search for one product, on the designs that it tells apart."""

    gemm: Gemm
    table: DesignTable
    index: IntArray
    sides: tuple[Side, ...]
    dataflows: tuple[str, ...] | None
    interleave: bool

    @property
    def compiles(self) -> bool:
        """Whether a compiler is there and takes all dataflows."""
        told = all(side.lying.in_formulas is not None for side in self.sides)
        return told and numba_build.is_installed()

    # One after another -----------------------------------------------------------------------------------------------

    def one_by_one(self) -> _Found:
        """By the search on one design."""
        none = np.full(len(self.index), NEVER)
        found = {name: np.zeros_like(none) for name in ("side", "orders", "candidates")}
        found |= {"cycles": none, "moved_bytes": none.copy()}
        most = max((len(side.lying.parameters) for side in self.sides), default=0)
        parameters = np.ones((most, len(self.index)), dtype=np.int64)
        whole = {"m": self.gemm.m, "n": self.gemm.n, "k": self.gemm.k}
        sizes = {axis: [whole[axis]] * len(self.index) for axis in AXES}
        for row, design in enumerate(self.index.tolist()):
            hardware = self.table.designs[design]
            try:
                choice = best_mapping(self.gemm, hardware, dataflows=self.dataflows, interleave=self.interleave)
            except MappingError:
                continue
            mapping, gemm = choice.mapping, self.gemm
            found["cycles"][row], found["moved_bytes"][row] = choice.cycles, choice.moved_bytes
            found["candidates"][row] = choice.candidates
            found["side"][row] = self.sides.index(mapping.array.side)
            found["orders"][row] = LOOP_ORDERS.index(mapping.order)
            own = list(mapping.array.numbers.values())
            parameters[: len(own), row] = own
            for axis, size in zip(AXES, (mapping.tile_m, mapping.tile_n, mapping.tile_k), strict=True):
                sizes[axis][row] = size
        expansion = self.table.first.buffers.patch_expansion
        m, n, k = (tiles_of_sizes(gemm, axis, sizes[axis], patch_expansion=expansion) for axis in AXES)
        return _Found(axes=(m, n, k), parameters=parameters, **found)

    # Compiled --------------------------------------------------------------------------------------------------------

    def compiled(self) -> _Found:
        """By the kernels."""
        pairs, ladder = self._ladders()
        told, product, mappings = tables.tables_of(pairs), tables.product_of(pairs), self._mappings()
        designs = tables.designs_of(self.table, self.index, ladder, interleave=self.interleave)
        best = np.zeros(len(self.index), dtype=case.BEST)
        best["cycles"] = best["moved"] = NEVER
        asked = []
        for number, of_side in enumerate(mappings):
            if not of_side.parameters.shape[1]:
                continue
            kernel, grouping, exchanged = self._kernel(self.sides[number])
            one = case.Case(
                product=product,
                tables=told,
                kind=tables.kind_of(self.table, number, exchanged=exchanged, alike=objective.ALIKE),
                grouping=grouping,
                designs=designs,
                parameters=np.array(of_side.parameters, order="C"),
                legal=np.array(of_side.legal(self.table, self.index), order="C"),
                tile=np.zeros(1, dtype=case.TILE),
            )
            possible = np.zeros((len(self.index), int(np.prod(pairs.shape[1:]))), dtype=bool)
            kernel.fastest(one, best, possible, best)
            asked.append((kernel, one, possible))
        fastest = best.copy()
        for kernel, one, possible in asked:
            kernel.thriftiest(one, best, possible, fastest)
        return self._found(pairs, ladder, best, [of_side.parameters for of_side in mappings])

    def _ladders(self) -> tuple[TilePairs, IntArray]:
        """The sizes of tiles that designs try, and which ladder of them each has."""
        numbers = self.table.numbers
        unit = np.minimum(numbers["rows"], numbers["cols"])
        names = ("run_overhead_bytes", "burst_bytes")
        first, ladder = self.table.alike(names, self.index, unit[self.index])
        view = self.table.view(first)
        m, n, k = (
            ladders_along(self.gemm, axis, unit[first].tolist(), patch_expansion=view.patch_expansion) for axis in AXES
        )
        return TilePairs(gemm=self.gemm, design=view, axes=(m, n, k)), ladder

    def _mappings(self) -> list[SideMappings]:
        arrays, _ = self.table.alike(OF_TIMING, self.index)
        timing = timing_of_each(self.table, arrays)
        return [SideMappings.of(self.gemm, side, timing, interleave=self.interleave) for side in self.sides]

    def _kernel(self, side: Side) -> tuple[Kernel, Grouping, bool]:
        """The kernel of a side, how groups lie there, and whether operands change places."""
        told = side.lying.in_formulas
        assert told is not None, "all sides compile"
        plain, exchanged = told
        sparsity = Sparsity.of(self.gemm)
        own = sparsity.exchanged if exchanged else sparsity
        grouping = plain.grouping(self.table.first.tensor_engine.timing, own)
        return numba_build.compiled(plain.formulas), grouping, exchanged

    def _found(self, pairs: TilePairs, ladder: IntArray, best: case.Records, parameters: list[IntArray]) -> _Found:
        own = np.ones((max((len(each) for each in parameters), default=0), len(best)), dtype=np.int64)
        for number, each in enumerate(parameters):
            rows = np.flatnonzero((best["side"] == number) & (best["cycles"] < NEVER))
            own[: len(each), rows] = each[:, best["mapping"][rows]]
        moved = np.where(best["cycles"] < NEVER, best["moved"], 0)
        return _Found(
            axes=pairs.sizes(ladder * int(np.prod(pairs.shape[1:])) + best["tile"]),
            side=best["side"],
            parameters=own,
            orders=best["order"],
            cycles=best["cycles"],
            candidates=best["candidates"],
            moved_bytes=np.asarray(self.gemm.own_part(self.gemm.count * moved)),
        )
