"""What every dataflow must satisfy, as a class of tests to derive from.

    from bisparse.testing.dataflow_contract import DataflowContract, Played

    class TestDiagonal(DataflowContract):
        dataflow = DIAGONAL

        def play(self, array, numbers, a, b, sparsity):
            ...  # a register-level machine of your own
            return Played(product=..., cycles=..., west_words=..., north_words=..., sums=...)

The machine shares no code with the dataflow: it is the definition that the formulas are held to, and its product shows
that it is a machine at all. Everything else follows from the formulas and is checked against counting by brute force:
legality, what repeats, floors, the search on one design and on many, the event engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..accel.tensor_engine import ArrayTiming
from ..configs.arrays import FloatArray, IntArray
from ..configs.errors import MappingError
from ..configs.pattern import Pattern
from ..dataflow.array_floor import ArrayFloor
from ..dataflow.dataflows import dataflow_named
from ..dataflow.dataflows.dataflow import Dataflow, Passed
from ..dataflow.dataflows.tile import ArrayTile, Sparsity
from ..dataflow.design_table import DesignTable
from ..dataflow.gemm import Gemm
from ..dataflow.mapping import LOOP_ORDERS, ArrayMapping, Mapping, sides_of
from ..dataflow.pipeline import Pipeline
from ..dataflow.product_cost import product_cost
from ..dataflow.search import best_mapping
from ..dataflow.search_many import search_many
from ..dataflow.side_mappings import timing_of_each
from ..dataflow.tile_grid import TileGrid
from ..dataflow.tile_pairs import TilePairs
from ..dataflow.tile_time import TileTime
from ..dataflow.works import Fused, PlannedProduct, TensorWork
from ..sim.event.engine import time_step
from ..sim.witness.event_agreement import bare_schedule
from .dataflow_cases import DataflowCase, columns, dataflow_cases, legal_numbers, small_hardware, small_product
from .formulas_contract import FormulasContract

DESIGNS_OF_A_TABLE = 4

_PLAYED: dict[tuple[type, int], Played] = {}
"""What the machine of a suite did with the case of a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a register-level machine did with one product.

    Attributes:
        product: [m, n] as it left.
        cycles: from the first operand in to the last sum out.
        west_words: values other than zero that entered from the west, each time that one was sent; indices of a
            compressed operand are not counted.
        north_words: the same from the north.
        sums: sums of outputs that left by the output port, partial ones each.
    """

    product: FloatArray
    cycles: int
    west_words: int
    north_words: int
    sums: int


class DataflowContract(FormulasContract, ABC):
    """Tests of one dataflow.

    Attributes:
        dataflow: the one; it must be registered.
        machine_cases: products that are played.
        search_cases: products that are searched.
    """

    machine_cases: ClassVar[int] = 40

    @abstractmethod
    def play(
        self, array: ArrayTiming, numbers: dict[str, int], a: FloatArray, b: FloatArray, sparsity: Sparsity
    ) -> Played:
        """Play a product on a register-level machine of the dataflow, not swapped.

        Args:
            array: one array; every count an integer.
            numbers: of a legal array mapping.
            a: operand A, [m, k].
            b: operand B, [k, n].
            sparsity: which of them is zero where it is pruned, in consecutive groups along k.
        """

    # Against the machine ---------------------------------------------------------------------------------------------

    def test_it_is_known_by_its_name(self) -> None:
        """Designs, options and schedules find it by name."""
        assert dataflow_named(self.dataflow.name) is self.dataflow
        assert self.dataflow.title

    def test_cycles_and_products_are_those_of_the_machine(self) -> None:
        """To the cycle, and to the last bit."""
        for case in dataflow_cases(self.dataflow, self.machine_cases):
            played, (a, b) = self._played(case), case.operands()
            assert np.array_equal(played.product, a @ b), f"the machine's product is wrong: {case}"
            closed = int(case.mapping.lying.cycles(case.timing, case.tile, case.mapping.numbers))
            assert closed == played.cycles, f"got {closed} cycles, the machine took {played.cycles}: {case}"

    def test_what_passes_the_ports_is_observed(self) -> None:
        """Operands are sent, and sums leave, as often as the machine says."""
        for case in dataflow_cases(self.dataflow, self.machine_cases):
            played, lying = self._played(case), case.mapping.lying
            a, b = (int(np.count_nonzero(operand)) for operand in case.operands())
            in_west, in_north = (a, b) if lying.west == "a" else (b, a)
            sends = lying.sends(case.timing, case.tile, case.mapping.numbers)
            told = (
                int(sends.west) * in_west,
                int(sends.north) * in_north,
                int(sends.sums) * case.gemm.m * case.gemm.n,
            )
            seen = (played.west_words, played.north_words, played.sums)
            assert told == seen, f"got {told} words west, north and out, the machine moved {seen}: {case}"

    def test_no_more_is_issued_than_processing_elements_can(self) -> None:
        """Issue and bubbles are part of the cycles, and utilisation is never above 1."""
        for case in dataflow_cases(self.dataflow, self.machine_cases):
            laid = case.timing, case.tile, case.mapping.numbers
            issue, bubble = case.mapping.lying.issue_and_bubble_cycles(*laid)
            assert int(bubble) >= 0, case
            assert int(issue) + int(bubble) <= int(case.mapping.lying.cycles(*laid)), case
            elements = case.hardware.peak_macs_per_cycle
            assert case.gemm.issued_macs <= int(issue) * elements, f"more is issued than there is room for: {case}"

    def _played(self, case: DataflowCase) -> Played:
        """The case on the machine, once for all tests; a swapped one with its operands exchanged."""
        name = type(self), case.seed
        if name not in _PLAYED:
            _PLAYED[name] = self._play_case(case)
        return _PLAYED[name]

    def _play_case(self, case: DataflowCase) -> Played:
        a, b = case.operands()
        if not case.mapping.swapped:
            return self.play(case.timing, case.mapping.numbers, a, b, case.sparsity)
        played = self.play(case.timing, case.mapping.numbers, b.T, a.T, case.sparsity.exchanged)
        return replace(played, product=played.product.T)

    # One and many ----------------------------------------------------------------------------------------------------

    def test_arrays_of_counts_say_what_integers_say(self) -> None:
        """Tiles, mappings and designs side by side: the same numbers as each alone."""
        for case in dataflow_cases(self.dataflow, self.search_cases):
            draw = np.random.default_rng(case.seed)
            tiles, designs = _tiles(case, draw), _table(draw, self.dataflow, case.seed)
            legal = legal_numbers(case.hardware, case.gemm, case.mapping.side)
            lying = case.mapping.lying
            # [A, J] on one design, then [S, J] under one mapping.
            together = _answers(lying, case.timing, _stacked(tiles), columns(legal))
            for row, numbers in enumerate(legal):
                _assert_alike(together, row, [_answers(lying, case.timing, tile, numbers) for tile in tiles], case)
            timing = timing_of_each(designs, np.arange(len(designs)))
            together = _answers(lying, timing, _stacked(tiles), case.mapping.numbers)
            for row, hardware in enumerate(designs.designs):
                alone = hardware.tensor_engine.timing
                told = [_answers(lying, alone, tile, case.mapping.numbers) for tile in tiles]
                _assert_alike(together, row, told, case)

    def test_legality_is_the_same_for_one_design_and_for_many(self) -> None:
        """Mapping by mapping, with interleave and without."""
        for case in dataflow_cases(self.dataflow, self.search_cases):
            table = _table(np.random.default_rng(case.seed), self.dataflow, case.seed)
            lying, side = case.mapping.lying, case.mapping.side
            timing = timing_of_each(table, np.arange(len(table)))
            for interleave in (True, False):
                values = lying.mappings(timing, case.sparsity, interleave=interleave)
                legal = lying.legal_on_each(timing, case.sparsity, values, interleave=interleave)
                assert legal.shape == (len(table), values.shape[1])
                for row, hardware in enumerate(table.designs):
                    alone = legal_numbers(hardware, case.gemm, side, interleave=interleave)
                    own = lying.mappings(hardware.tensor_engine.timing, case.sparsity, interleave=interleave)
                    assert _listed(lying, values[:, legal[row]]) == _listed(lying, own) == alone, case

    def test_a_mapping_that_repeats_stands_already_with_smaller_numbers(self) -> None:
        """What is cut to the tile is found as another mapping: same cycles, same sends."""
        for case in dataflow_cases(self.dataflow, self.search_cases):
            lying, timing, tile = case.mapping.lying, case.timing, case.tile
            legal = legal_numbers(case.hardware, case.gemm, case.mapping.side)
            standing = [each for each in legal if not bool(lying.repeats(timing, tile, each))]
            assert standing, f"every mapping repeats another: {case}"
            told = [(each, _answers(lying, timing, tile, each)) for each in standing]
            for numbers in legal:
                own = _answers(lying, timing, tile, numbers)
                smaller = [found for each, found in told if all(each[name] <= numbers[name] for name in numbers)]
                assert own in smaller, f"{numbers} is called a repetition and none stands for it: {case}"

    def test_mappings_read_apart(self) -> None:
        """No two mappings of a side have the same description."""
        for case in dataflow_cases(self.dataflow, self.search_cases):
            side = case.mapping.side
            legal = legal_numbers(case.hardware, case.gemm, side)
            assert len({str(ArrayMapping.on(side, numbers)) for numbers in legal}) == len(legal)

    # Searches and engines --------------------------------------------------------------------------------------------

    def test_floors_are_never_above_the_exact(self) -> None:
        """For every tile and side, over every legal mapping, on many designs."""
        for case in dataflow_cases(self.dataflow, self.search_cases, largest=9):
            draw, gemm = np.random.default_rng(case.seed), case.gemm
            table, everyone = _table(draw, self.dataflow, case.seed), np.arange(DESIGNS_OF_A_TABLE)
            for row, hardware in enumerate(table.designs):
                grid, pairs = TileGrid.ladder(gemm, hardware), TilePairs.of_design([gemm], hardware)
                floors = ArrayFloor(tiles=pairs.combinations, table=table, index=everyone, interleave=True)
                for side in sides_of(hardware.tensor_engine, gemm):
                    floor = np.broadcast_to(floors.cycles(side.lying), (len(table), *pairs.shape[1:]))[row].ravel()
                    legal = [ArrayMapping.on(side, numbers) for numbers in legal_numbers(hardware, gemm, side)]
                    if legal:
                        times = TileTime.of(grid, legal)
                        exact = times.total(times.least_cycles).min(axis=0)
                        assert (floor <= exact * (1 + 1e-12)).all(), f"floor above the exact: {side}, {case}"

    def test_the_search_finds_the_best_of_all(self) -> None:
        """Every legal mapping, tile and loop order timed exactly: none is faster."""
        searched = 0
        for seed in range(4 * self.search_cases):
            draw = np.random.default_rng(seed)
            hardware = small_hardware(draw, self.dataflow, kind=seed)
            gemm = small_product(draw, hardware, largest=4)
            cycles = _all_cycles(gemm, hardware)
            if not cycles:
                continue
            choice = best_mapping(gemm, hardware)
            assert choice.cycles == min(cycles), f"seed {seed}: {choice}, the best takes {min(cycles)}"
            searched += 1
            if searched == self.search_cases:
                return
        raise AssertionError("most products fit no buffer")

    def test_the_search_on_many_designs_finds_what_each_finds_alone(self) -> None:
        """The very mapping, design by design."""
        for case in dataflow_cases(self.dataflow, self.search_cases, largest=9):
            table = _table(np.random.default_rng(case.seed), self.dataflow, case.seed)
            found = search_many(case.gemm, table)
            for row, hardware in enumerate(table.designs):
                try:
                    alone = best_mapping(case.gemm, hardware).mapping
                except MappingError:
                    assert not found.feasible[row], case
                    continue
                assert found.feasible[row], case
                m, n, k = (int(axis.size[row, 0]) for axis in found.axes)
                assert (found.array_mapping(row), m, n, k, LOOP_ORDERS[found.orders[row]]) == (
                    alone.array, alone.tile_m, alone.tile_n, alone.tile_k, alone.order,
                ), case  # fmt: skip

    def test_the_event_engine_takes_the_cycles_of_the_closed_form(self) -> None:
        """Cycles, causes, bytes and actions of the best mapping, played tile by tile."""
        for case in dataflow_cases(self.dataflow, self.search_cases):
            try:
                mapping = best_mapping(case.gemm, case.hardware).mapping
            except MappingError:
                continue
            closed, played = product_cost(case.gemm, case.hardware, mapping), _by_events(case, mapping)
            for name in ("cycles", "dram_cycles", "read_bytes", "write_bytes", "port_bytes", "actions"):
                assert getattr(closed, name) == getattr(played, name), f"{name}: {case}"
            causes = [{cause: cycles for cause, cycles in each.causes.items() if cycles} for each in (closed, played)]
            assert causes[0] == causes[1], case


def _table(draw: np.random.Generator, dataflow: Dataflow, kind: int) -> DesignTable:
    """Designs that differ in numbers only."""
    return DesignTable(designs=[small_hardware(draw, dataflow, kind) for _ in range(DESIGNS_OF_A_TABLE)])


def _tiles(case: DataflowCase, draw: np.random.Generator) -> list[ArrayTile]:
    """Tiles of all sizes of a case's product."""
    pattern, tile = case.gemm.pattern, case.tile
    found = []
    for _ in range(5):
        groups = int(draw.integers(1, 9))
        m, n = (int(extent) for extent in draw.integers(1, 14, 2))
        found.append(replace(tile, m=m, n=n, groups=groups, slots=groups * Pattern.only(pattern).kept))
    return found


def _stacked(tiles: list[ArrayTile]) -> ArrayTile:
    """The tiles in one, its counts [J]."""
    return replace(
        tiles[0],
        m=np.array([tile.m for tile in tiles]),
        n=np.array([tile.n for tile in tiles]),
        slots=np.array([tile.slots for tile in tiles]),
        groups=np.array([tile.groups for tile in tiles]),
    )


def _answers(lying: Dataflow, timing: ArrayTiming, tile: ArrayTile, numbers: Any) -> dict[str, Any]:
    """All that a dataflow says of a tile in counts."""
    issue, bubble = lying.issue_and_bubble_cycles(timing, tile, numbers)
    sends = lying.sends(timing, tile, numbers)
    passed = Passed(
        west_bytes=100 * tile.m, north_bytes=100 * tile.n, output_bytes=300, result_bytes=100, tiles_along_k=2
    )
    return {
        "cycles": lying.cycles(timing, tile, numbers),
        "issue": issue,
        "bubble": bubble,
        "west": sends.west,
        "north": sends.north,
        "sums": sends.sums,
        "hops": lying.hop_bytes(timing, passed),
    }


def _assert_alike(together: dict[str, Any], row: int, alone: list[dict[str, Any]], case: DataflowCase) -> None:
    for name, values in together.items():
        told = [int(each[name]) for each in alone]
        values = np.atleast_2d(values)
        # An axis may be missing, or be 1, where nothing depends on it.
        found = np.broadcast_to(values, (max(values.shape[0], row + 1), len(alone)))[row].tolist()
        assert found == told, f"{name}: got {found} together, {told} one at a time: {case}"


def _listed(lying: Dataflow, values: IntArray) -> list[dict[str, int]]:
    return [dict(zip(lying.parameters, each, strict=True)) for each in values.T.tolist()]


def _all_cycles(gemm: Gemm, hardware: Any) -> list[int]:
    """The time of every legal mapping, tile and loop order."""
    grid, found = TileGrid.ladder(gemm, hardware), []
    for side in sides_of(hardware.tensor_engine, gemm):
        tiles = grid.pick(grid.fits(side.west == "a"))
        if not len(tiles):
            continue
        rows = np.repeat(np.arange(len(tiles)), len(LOOP_ORDERS))
        orders = np.tile(np.arange(len(LOOP_ORDERS)), len(tiles))
        legal = [ArrayMapping.on(side, numbers) for numbers in legal_numbers(hardware, gemm, side)]
        if legal:
            of_kind = TileTime.of(tiles, legal).of_kind_at(
                np.repeat(np.arange(len(legal)), len(rows)), np.tile(rows, len(legal))
            )
            every = tiles.pick(np.tile(rows, len(legal)))
            pipeline = Pipeline(
                tiles=every,
                orders=np.tile(orders, len(legal)),
                tile_cycles=of_kind,
                count=gemm.count,
                a_in_west=side.west == "a",
            )
            found += pipeline.cycles.tolist()
    return found


def _by_events(case: DataflowCase, mapping: Mapping) -> Any:
    """The cost of the product as the event engine plays it."""
    planned = PlannedProduct(gemm=case.gemm, mapping=mapping, candidates=1)
    work = TensorWork(
        operator="case",
        module="",
        kind="linear",
        stage=case.gemm.stage,
        products=(planned,),
        useful_macs=case.gemm.issued_macs,
        dense_macs=case.gemm.m * case.gemm.n * case.gemm.k,
        fused=Fused(works=()),
    )
    (time,) = time_step(bare_schedule("case", case.hardware, (work,))).works
    return time.costs[0]
