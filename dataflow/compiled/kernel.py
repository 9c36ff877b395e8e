"""The mapping search as loops over plain numbers, for a compiler; what it finds is what ``dataflow.search`` finds.

One product, one side, many designs, each for itself. Of every tile two floors are known from a few numbers an axis or a
pair of axes: of the array and of DRAM. Tiles whose floor is not above the best value so far are looked at: transfers
are timed, array mappings, loop orders; what may still win is timed position by position. Then, of what is as fast as
the fastest or nearly, what moves the fewest bytes is sought among the tiles that may be so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...accel.tensor_engine import ceil_div
from ...configs.arrays import BoolArray
from ..dataflows.formulas import Formulas
from ..dataflows.tile import Folds
from ..formats.stored import least_stored_bytes
from ..memory_floor import least_dram_cycles, least_unhidden_cycles
from ..objective import NEVER, slower_by_a_part
from ..tile_floors import HARDLY_LESS
from ..tile_time import operand_bytes, output_bytes
from .case import Case, Record, Records
from .steps import (
    Room,
    array_of,
    first_request,
    fold_all,
    full_tiles,
    is_before,
    keep_all,
    look,
    loop_orders,
    moved_again,
    new_room,
    place_of,
    price_blocks,
    take,
    turning,
)
from .walk import walked


class Kernel(NamedTuple):
    """The two searches of a dataflow: functions of (case, best, possible, fastest), all [S], see ``case``.

    Attributes:
        fastest: lower ``best`` to the fastest mapping of each design, and put into ``possible`` [S, tiles] which tiles
            may have one that is nearly as fast; does not look at ``fastest``.
        thriftiest: of what takes hardly longer than the ``fastest`` lower ``best`` to what moves the fewest bytes,
            fewer than those of the fastest.
    """

    fastest: Callable[..., Any]
    thriftiest: Callable[..., Any]


class Parts(NamedTuple):
    """A kernel, and the functions of the same dataflow that it calls."""

    kernel: Kernel
    called: tuple[Callable[..., Any], ...]


def parts_of(formulas: Formulas) -> Parts:
    """The searches of a dataflow, of its formulas: functions that run as they stand, and that a compiler takes."""
    tile_cycles, tile_sends, tile_repeats = formulas.cycles, formulas.sends, formulas.repeats
    tile_handover = formulas.handover
    least_cycles, least_sends = formulas.least_cycles, formulas.least_sends

    def lie(
        case: Case, design: Record, x: int, y: int, z: int, unhidden: int, limit: int, legal: BoolArray, room: Room
    ) -> None:
        """Put into the room the cycles of a tile's kinds on the array, under every mapping that may keep a limit.

        ``unhidden`` cycles come on top of those of the array; ``legal`` [A] are mappings that registers hold.
        """
        product, kind, grouping, parameters = case.product, case.kind, case.grouping, case.parameters
        tables, ladder, cycles, total, handovers = case.tables, design.ladder, room.cycles, room.total, room.handovers
        m, n, k = tables.m[ladder, x], tables.n[ladder, y], tables.k[ladder, z]
        array, exchanged, ports = array_of(design, kind), kind.exchanged, design.ports
        stored, value, mappings = product.stored, product.value_bytes, len(total)
        cycles[mappings, :] = NEVER
        # Full tiles, each at least as long as the first along k, rule most mappings out.
        all_full = full_tiles(m, 2) * full_tiles(n, 2) * full_tiles(k, 3)
        for mapping in range(mappings):
            first, second = parameters[0, mapping], parameters[1, mapping]
            total[mapping] = NEVER
            if not legal[mapping]:
                continue
            rows, cols = (n.extent[0], m.extent[0]) if exchanged else (m.extent[0], n.extent[0])
            held = k.slots[0] if grouping.apart else k.groups[0]
            if tile_repeats(array, grouping, rows, cols, k.slots[0], held, first, second):
                continue
            summed = 0
            for number in range(12):
                at_m, at_n, at_k = number // 6, number // 3 % 2, number % 3
                if at_m == 1 and m.extent[1] == m.extent[0]:
                    cycles[mapping, number] = cycles[mapping, number - 6]
                    handovers[mapping, number] = handovers[mapping, number - 6]
                elif at_n == 1 and n.extent[1] == n.extent[0]:
                    cycles[mapping, number] = cycles[mapping, number - 3]
                    handovers[mapping, number] = handovers[mapping, number - 3]
                elif at_k == 2 and k.extent[2] == k.extent[1]:
                    cycles[mapping, number] = cycles[mapping, number - 1]
                    handovers[mapping, number] = handovers[mapping, number - 1]
                else:
                    tile_m, tile_n, depth, slots = m.extent[at_m], n.extent[at_n], k.extent[at_k], k.slots[at_k]
                    rows, cols = (tile_n, tile_m) if exchanged else (tile_m, tile_n)
                    held = slots if grouping.apart else k.groups[at_k]
                    sends = tile_sends(array, grouping, rows, cols, slots, held, first, second)
                    kept = k.kept[at_k]
                    of_a = operand_bytes(tile_m, kept, depth, stored, value, product.compressed == 0)
                    of_b = operand_bytes(tile_n, kept, depth, stored, value, product.compressed == 1)
                    west, north = (of_b, of_a) if exchanged else (of_a, of_b)
                    by_west, by_north = ceil_div(west * sends.west, ports[0]), ceil_div(north * sends.north, ports[1])
                    by_output = ceil_div(output_bytes(tile_m, tile_n, sends.sums, 1 if at_k > 0 else 0), ports[2])
                    on_array = tile_cycles(array, grouping, rows, cols, slots, held, first, second)
                    by_port = max(by_output, max(by_west, by_north))
                    if kind.tile_overlap:
                        own = tile_handover(array, grouping, rows, cols, slots, held, first, second)
                        numbers = handovers[mapping, number]
                        numbers[0], numbers[1], numbers[2], numbers[3] = by_port, on_array, own.interval, own.hold
                        numbers[4], numbers[5], numbers[6] = own.lead, own.first, own.second
                        on_array = own.interval
                    cycles[mapping, number] = max(on_array, by_port)
                if number == 0 and product.repetitions * all_full * cycles[mapping, 0] + unhidden > limit:
                    break
                summed += cycles[mapping, number] * m.count[at_m] * n.count[at_n] * k.count[at_k]
            else:
                total[mapping] = summed
                for number in range(12):
                    cycles[mappings, number] = min(cycles[mappings, number], cycles[mapping, number])

    def floor_tiles(case: Case, design: Record, room: Room) -> int:
        """Put into the room cycles that no mapping of a tile beats; infinite where it does not fit.

        Tiles that fit, in all loop orders that differ.
        """
        product, tables, kind, grouping = case.product, case.tables, case.kind, case.grouping
        array, exchanged, deepest, ladder = array_of(design, kind), kind.exchanged, design.deepest, design.ladder
        kept_a, kept_b, kept_c, folds, floors = room.kept_a, room.kept_b, room.kept_c, room.folds, room.floors
        once_a, once_b, results = room.once_a, room.once_b, room.results
        first_a, first_b, last_c, of_m, of_n = room.first_a, room.first_b, room.last_c, tables.m, tables.n
        request, count = first_request(product, design), product.repetitions
        west_port, north_port, output_port = design.ports[0], design.ports[1], design.ports[2]
        extent = product.n if exchanged else product.m
        sizes_m, sizes_n = tables.sizes[ladder, 0], tables.sizes[ladder, 1]
        floors[:] = np.inf
        found = 0
        for z in range(tables.sizes[ladder, 2]):
            k, slots, kept, groups = tables.k[ladder, z], 0, 0, 0
            for number in range(3):
                held = k.slots[number] if grouping.apart else k.groups[number]
                slots += k.count[number] * k.slots[number]
                kept += k.count[number] * k.kept[number]
                groups += k.count[number] * ceil_div(held, array.rows)
            dense, trips_k, stored = product.k * product.value_bytes, k.trips, product.stored
            of_a, of_b = product.m * dense, product.n * dense
            if product.compressed == 0:
                of_a = least_stored_bytes(product.m * kept, stored)
            if product.compressed == 1:
                of_b = least_stored_bytes(product.n * kept, stored)
            to_west, to_north = (of_b, of_a) if exchanged else (of_a, of_b)
            by_output = output_bytes(product.m, product.n, trips_k, 0) / output_port
            for x in range(sizes_m):
                if kept_a[x, z] < 0:
                    continue
                trips_m = of_m[ladder, x].trips
                for y in range(sizes_n):
                    if kept_b[y, z] < 0 or kept_c[x, y] < 0:
                        continue
                    trips_n = of_n[ladder, y].trips
                    on_m, on_n = (folds[0, x], folds[1, x], trips_m), (folds[2, y], folds[3, y], trips_n)
                    rows, cols = (on_n, on_m) if exchanged else (on_m, on_n)
                    sums = Folds(rows[0], cols[0], rows[1], cols[1], groups, slots, rows[2], cols[2], trips_k, extent)
                    west, north = least_sends(array, grouping, deepest, sums)
                    by_port = max(max(to_west * west / west_port, to_north * north / north_port), by_output)
                    on_array = max(float(least_cycles(array, grouping, deepest, sums)), by_port)
                    unhidden = least_unhidden_cycles(first_a[x, z], first_b[y, z], last_c[x, y], request)
                    memory = least_dram_cycles(once_a[x, z], once_b[y, z], 0.0, results[x, y], count, request)
                    floors[x, y, z] = max(count * HARDLY_LESS * on_array + unhidden, memory)
                    found += loop_orders(of_m[ladder, x], of_n[ladder, y], k)
        return found

    def raise_floor(case: Case, design: Record, number: int, room: Room) -> float:
        """Raise the floor of a tile to what DRAM alone takes in its best loop order."""
        product, tables, ladder = case.product, case.tables, design.ladder
        x, y, z = place_of(number, room)
        m, n, k = tables.m[ladder, x], tables.n[ladder, y], tables.k[ladder, z]
        once_a, once_b, again = room.once_a[x, z], room.once_b[y, z], room.sums[x, y] * (k.trips - 1)
        more_a, more_b = once_a * (n.trips - 1), once_b * (m.trips - 1)
        kept_a, kept_b, kept_c = room.kept_a[x, z], room.kept_b[y, z], room.kept_c[x, y]
        least = moved_again(turning(m, n, k), more_a, more_b, again, kept_a, kept_b, kept_c)
        request, results = first_request(product, design), room.results[x, y]
        memory = least_dram_cycles(once_a, once_b, least, results, product.repetitions, request)
        room.floors[x, y, z] = max(room.floors[x, y, z], memory)
        return float(room.floors[x, y, z])

    def lower(
        case: Case, design: Record, number: int, legal: BoolArray, room: Room, tile: Record, best: Record
    ) -> None:
        """Lower the best of a design to what a tile has that is better: faster, or as fast and moves fewer bytes."""
        product, tables, kind, mappings = case.product, case.tables, case.kind, len(room.total)
        x, y, z = place_of(number, room)
        look(product, tables, kind, design, x, y, z, room, tile)
        if tile.memory.min() > best.cycles:
            return
        lie(case, design, x, y, z, tile.unhidden, best.cycles, legal, room)
        for order in range(6):
            moved = tile.moved[order]
            if tile.memory[order] > best.cycles:
                continue
            least = walked(tables, design, tile, order, room, mappings, False)
            for mapping in range(mappings):
                if room.total[mapping] >= NEVER:
                    continue
                bound = max(least, product.repetitions * room.total[mapping] + tile.unhidden)
                if bound > best.cycles:
                    continue
                # Where it is as fast, its bytes decide, then its place.
                first = moved < best.moved or (
                    moved == best.moved and is_before(kind.side, mapping, number, order, best)
                )
                if bound == best.cycles and not first:
                    continue
                cycles = walked(tables, design, tile, order, room, mapping, kind.tile_overlap)
                if cycles < best.cycles or (cycles == best.cycles and first):
                    take(best, cycles, moved, kind.side, mapping, number, order)

    def thrift(
        case: Case,
        design: Record,
        number: int,
        order: int,
        alike: int,
        legal: BoolArray,
        room: Room,
        tile: Record,
        best: Record,
    ) -> None:
        """Lower the best of a design to what a tile has in a loop order within ``alike`` cycles: fewer bytes."""
        product, tables, kind, mappings = case.product, case.tables, case.kind, len(room.total)
        x, y, z = place_of(number, room)
        look(product, tables, kind, design, x, y, z, room, tile)
        lie(case, design, x, y, z, tile.unhidden, alike, legal, room)
        moved, least = tile.moved[order], walked(tables, design, tile, order, room, mappings, False)
        for mapping in range(mappings):
            if room.total[mapping] >= NEVER:
                continue
            limit = min(best.cycles, alike) if moved == best.moved else alike
            if max(least, product.repetitions * room.total[mapping] + tile.unhidden) > limit:
                continue
            cycles = walked(tables, design, tile, order, room, mapping, kind.tile_overlap)
            first = moved < best.moved or cycles < limit or is_before(kind.side, mapping, number, order, best)
            if cycles <= limit and first:
                take(best, cycles, moved, kind.side, mapping, number, order)

    def fastest(case: Case, best: Records, possible: BoolArray, fastest: Records) -> None:
        """See ``Kernel``."""
        product, tables, kind = case.product, case.tables, case.kind
        room, tile = new_room(tables, case.parameters.shape[1]), case.tile[0]
        floors = room.floors.reshape(-1)
        for row in range(len(case.designs)):
            if not case.legal[row].any():
                continue
            design, own, legal = case.designs[row], best[row], case.legal[row]
            keep_all(product, tables, kind, design, room)
            fold_all(tables, kind, design, room)
            price_blocks(product, tables, design, room)
            own.candidates += legal.sum() * floor_tiles(case, design, room)
            # First the most promising tile, whose time rules out most others.
            lowest, chosen = float(own.cycles), -1
            for number in range(len(floors)):
                if floors[number] < lowest:
                    floor = raise_floor(case, design, number, room)
                    if floor < lowest:
                        lowest, chosen = floor, number
            if chosen >= 0:
                lower(case, design, chosen, legal, room, tile, own)
            if own.cycles >= NEVER:
                continue
            alike = slower_by_a_part(own.cycles, kind.alike)
            for number in range(len(floors)):
                if floors[number] > alike or number == chosen:
                    continue
                if raise_floor(case, design, number, room) <= own.cycles:
                    lower(case, design, number, legal, room, tile, own)
                    alike = slower_by_a_part(own.cycles, kind.alike)
            for number in range(len(floors)):
                possible[row, number] = floors[number] <= alike

    def thriftiest(case: Case, best: Records, possible: BoolArray, fastest: Records) -> None:
        """See ``Kernel``."""
        product, tables, kind = case.product, case.tables, case.kind
        room, tile = new_room(tables, case.parameters.shape[1]), case.tile[0]
        candidates, moved = np.empty((2, 6 * possible.shape[1]), dtype=np.int64)
        for row in range(len(case.designs)):
            if fastest[row].cycles >= NEVER or not possible[row].any():
                continue
            design, own, alike = case.designs[row], best[row], slower_by_a_part(fastest[row].cycles, kind.alike)
            keep_all(product, tables, kind, design, room)
            found = 0
            for number in range(possible.shape[1]):
                if possible[row, number]:
                    x, y, z = place_of(number, room)
                    look(product, tables, kind, design, x, y, z, room, tile)
                    for order in range(6):
                        fewer = tile.moved[order] < fastest[row].moved and tile.moved[order] <= own.moved
                        if fewer and tile.memory[order] <= alike:
                            candidates[found], moved[found] = 6 * number + order, tile.moved[order]
                            found += 1
            # What moves least first; what moves more than the best is no better.
            for at in np.argsort(moved[:found]):
                if moved[at] > own.moved:
                    break
                number, order = candidates[at] // 6, candidates[at] % 6
                thrift(case, design, number, order, alike, case.legal[row], room, tile, own)

    parts = Parts(
        kernel=Kernel(fastest=fastest, thriftiest=thriftiest), called=(lie, floor_tiles, raise_floor, lower, thrift)
    )
    # A compiler tells functions apart by name and by how many it had met: of two dataflows that two processes compiled
    # and a third one loads, functions of one name would be taken for each other.
    for function in (*parts.kernel, *parts.called):
        function.__qualname__ = f"{formulas.cycles.__module__}.{formulas.cycles.__qualname__}.{function.__name__}"
    return parts
