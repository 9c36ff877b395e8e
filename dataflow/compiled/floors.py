"""Floors of tiles, which no mapping of them beats, and the tiles whose floors are within a limit: for a compiler.

Tiles are ruled out by the size along k first, then by those along k and m, at what no other size goes below; so the
floors that a dataflow says may not fall where any of its folds grows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..dataflows.formulas import Formulas, Grouping
from ..dataflows.tile import Folds
from ..memory_floor import least_dram_cycles, least_unhidden_cycles
from ..tile_floors import HARDLY_LESS
from .case import Case, Kind, Product, Record
from .room import Room
from .steps import array_of, first_request, moved_again, place_of


class Counted(NamedTuple):
    """What floors ask before any tile is known; as in ``Case``, and cycles before the first byte."""

    product: Product
    kind: Kind
    grouping: Grouping
    request: float


def floors_of(formulas: Formulas) -> tuple[Callable[..., float], Callable[..., int]]:
    """The floor of a tile, and the search for tiles within a limit, of a dataflow's formulas."""
    least_cycles, least_sends = formulas.least_cycles, formulas.least_sends

    def floor_of(
        case: Counted,
        design: Record,
        on_m: tuple[int, int, int],
        on_n: tuple[int, int, int],
        along_k: tuple[int, int, int],
        passed: tuple[float, float, float],
        loads: tuple[float, float],
        begun: float,
        results: tuple[float, float],
        limit: float,
    ) -> float:
        """Cycles that no mapping of a tile beats; any number above a limit where they are above that.

        Args:
            case: what is known before any tile.
            design: the design.
            on_m: see ``Room.folds_m``.
            on_n: ``Room.folds_n``.
            along_k: ``Room.along_k``.
            passed: ``Room.passed``.
            loads: cycles on all blocks of A and of B.
            begun: on the first of both.
            results: on all results, and on the last.
            limit: of interest.
        """
        product, kind, grouping, request = case
        memory = least_dram_cycles(loads[0], loads[1], 0.0, results[0], product.repetitions, request)
        if memory > limit:
            return float(memory)
        array, deepest, ports = array_of(design, kind), design.deepest, design.ports
        extent = product.laid_n if kind.exchanged else product.laid_m
        rows, cols = (on_n, on_m) if kind.exchanged else (on_m, on_n)
        slots, groups, trips_k = along_k
        sums = Folds(rows[0], cols[0], rows[1], cols[1], groups, slots, rows[2], cols[2], trips_k, extent)
        west, north = least_sends(array, grouping, deepest, sums)
        from_west, from_north = passed[0] * west, passed[1] * north
        by_port = max(
            max(from_west / ports[0], from_north / ports[1]),
            max((from_west + from_north) / ports[3], passed[2] / ports[2]),
        )
        on_array = max(float(least_cycles(array, grouping, deepest, sums)), by_port)
        unhidden = least_unhidden_cycles(begun, 0.0, results[1], request)
        return float(max(product.repetitions * HARDLY_LESS * on_array + unhidden, memory))

    def search_floors(case: Case, design: Record, lowest: bool, limit: float, hint: int, room: Room) -> int:
        """Put into the room the tiles whose floors are within a limit, or of these one of the lowest; how many.

        What DRAM takes in the best loop order is part of the floor. The tile of number ``hint``, if any, is looked at
        first where the lowest is sought.
        """
        ladder, found = design.ladder, 0
        sizes, count = case.tables.sizes[ladder], case.product.repetitions
        request = first_request(case.product, design)
        known = Counted(case.product, case.kind, case.grouping, request)
        kept_a, kept_b, kept_c, within, floors = room.kept_a, room.kept_b, room.kept_c, room.within, room.floors
        folds_m, folds_n, all_k, all_passed = room.folds_m, room.folds_n, room.along_k, room.passed
        once_a, once_b, results = room.once_a, room.once_b, room.results
        least_m, least_n, least_c = room.least_m, room.least_n, room.least_c
        least_a, least_b, least_results = room.least_a, room.least_b, room.least_results
        columns, depths = kept_b.shape
        first = 0 if hint < 0 else -1
        at_x, at_y, at_z = place_of(max(hint, 0), columns, depths)
        for depth in range(first, sizes[2]):
            # What lies where the last one was first: its time rules out most.
            z = at_z if depth < 0 else depth
            if least_n[z, 0] < 0 or least_m[z, 0] < 0:
                continue
            along_k = all_k[z, 0], all_k[z, 1], all_k[z, 2]
            passed = all_passed[z, 0], all_passed[z, 1], all_passed[z, 2]
            if depth >= 0:
                # What no size along m and n goes below.
                on_m, on_n = (
                    (least_m[z, 0], least_m[z, 1], least_m[z, 2]),
                    (least_n[z, 0], least_n[z, 1], least_n[z, 2]),
                )
                loads, begun = (least_a[z, 0], least_b[z, 0]), least_a[z, 1] + least_b[z, 1]
                if floor_of(known, design, on_m, on_n, along_k, passed, loads, begun, (0.0, 0.0), limit) > limit:
                    continue
            for x in range(at_x if depth < 0 else 0, at_x + 1 if depth < 0 else sizes[0]):
                if kept_a[x, z] < 0 or least_c[x, 0] < 0:
                    continue
                on_m, all_a, first_a = (folds_m[x, 0], folds_m[x, 1], folds_m[x, 2]), once_a[x, z, 0], once_a[x, z, 1]
                if depth >= 0:
                    on_n = (
                        max(least_n[z, 0], least_c[x, 0]),
                        max(least_n[z, 1], least_c[x, 1]),
                        max(least_n[z, 2], least_c[x, 2]),
                    )
                    loads, begun, out = (
                        (all_a, least_b[z, 0]),
                        first_a + least_b[z, 1],
                        (least_results[x, 0], least_results[x, 1]),
                    )
                    if floor_of(known, design, on_m, on_n, along_k, passed, loads, begun, out, limit) > limit:
                        continue
                for y in range(at_y if depth < 0 else 0, at_y + 1 if depth < 0 else sizes[1]):
                    if kept_b[y, z] < 0 or kept_c[x, y] < 0:
                        continue
                    on_n, out = (folds_n[y, 0], folds_n[y, 1], folds_n[y, 2]), (results[x, y, 0], results[x, y, 1])
                    all_b = once_b[y, z, 0]
                    loads, begun = (all_a, all_b), first_a + once_b[y, z, 1]
                    floor = floor_of(known, design, on_m, on_n, along_k, passed, loads, begun, out, limit)
                    if floor > limit:
                        continue
                    code = (1 if on_m[2] > 1 else 0) + (2 if on_n[2] > 1 else 0) + (4 if along_k[2] > 1 else 0)
                    again = moved_again(
                        code,
                        all_a * (on_n[2] - 1),
                        all_b * (on_m[2] - 1),
                        results[x, y, 2] * (along_k[2] - 1),
                        kept_a[x, z],
                        kept_b[y, z],
                        kept_c[x, y],
                    )
                    floor = max(floor, least_dram_cycles(all_a, all_b, again, out[0], count, request))
                    if floor <= limit:
                        found = 0 if lowest else found
                        within[found], floors[found] = (x * columns + y) * depths + z, floor
                        found += 1
                        limit = floor if lowest else limit
        return found

    return floor_of, search_floors
