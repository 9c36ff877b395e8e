"""The mapping search as loops over plain numbers, for a compiler; what it finds is what ``dataflow.search`` finds.

One product, one side, many designs, each for itself. Of every tile two floors are known from a few numbers an axis or a
pair of axes: of the array and of DRAM. Tiles whose floor is not above the best value so far are looked at: transfers
are timed, array mappings, loop orders; what may still win is timed position by position. Then, of what is as fast as
the fastest or nearly, what takes the least energy is sought among the tiles that may be so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...accel.energy import joules_of
from ...accel.tensor_engine import ceil_div
from ...configs.arrays import BoolArray, FloatArray, IntArray
from ..actions import counts_on_array
from ..dataflows.dataflow import Passed
from ..dataflows.formulas import Formulas
from ..dataflows.tile import Folds
from ..objective import NEVER, joules_in_all, slower_by_a_part
from ..tile_floors import HARDLY_LESS
from ..tile_time import operand_bytes, output_bytes
from .case import Case, Record, Records
from .floors import floors_of
from .room import (
    Room,
    count_tiles,
    fold_all,
    is_there,
    look_around,
    new_room,
    pass_ports,
)
from .steps import (
    all_kept,
    array_of,
    copies_to,
    full_tiles,
    is_before,
    is_thriftier,
    look,
    move,
    operands_in_all,
    place_of,
    sizes_of,
    spend,
    take,
    tiling_of,
)
from .walk import hand_over, walked


class Kernel(NamedTuple):
    """The two searches of a dataflow: functions of (case, best, possible, kept, least, fastest), all [S].

    Attributes:
        fastest: lower ``best`` to the fastest mapping of each design, and put into ``possible`` [S, tiles] the numbers
            of tiles that may have one that is nearly as fast, -1 behind the last, into ``kept`` [S, tiles] what of each
            is, ``all_kept``, and into ``least`` [S, tiles] the joules that it takes at least on the array. Does not
            look at ``fastest``.
        thriftiest: of what takes hardly longer than the ``fastest`` lower ``best`` to what takes the least energy.
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
    tile_handover, tile_hops = formulas.handover, formulas.hops
    all_sends, least_sends = formulas.all_sends, formulas.least_sends
    floor_of, search_floors = floors_of(formulas)

    def lie(
        case: Case,
        design: Record,
        m: Record,
        n: Record,
        k: Record,
        unhidden: int,
        limit: int,
        legal: BoolArray,
        cycles: IntArray,
        handovers: IntArray,
        total: IntArray,
    ) -> int:
        """Put into the last three what ``Room`` says of a tile, under every mapping that may keep a limit.

        ``unhidden`` cycles come on top of those of the array; ``legal`` [A] are the mappings that are asked about.
        Returns the least of ``total``.
        """
        product, kind, grouping, parameters = case.product, case.kind, case.grouping, case.parameters
        array, exchanged, ports = array_of(design, kind), kind.exchanged, design.ports
        stored_a, stored_b, value, mappings = product.stored_a, product.stored_b, product.value_bytes, len(total)
        cycles[mappings, :] = NEVER
        least_total = NEVER
        # Full tiles, each at least as long as the first along k, rule most mappings out.
        all_full = full_tiles(m, 2) * full_tiles(n, 2) * full_tiles(k, 3)
        for mapping in range(mappings):
            first, second = parameters[0, mapping], parameters[1, mapping]
            total[mapping] = NEVER
            if not legal[mapping]:
                continue
            rows, cols = (n.laid[0], m.laid[0]) if exchanged else (m.laid[0], n.laid[0])
            held = k.slots[0] if grouping.apart else k.groups[0]
            if tile_repeats(array, grouping, rows, cols, k.slots[0], held, first, second):
                continue
            summed, worth = 0, True
            for at in range(4):
                number, at_m, at_n = 3 * at, at // 2, at % 2
                if at_m == 1 and m.extent[1] == m.extent[0]:
                    for at_k in range(number, number + 3):
                        cycles[mapping, at_k] = cycles[mapping, at_k - 6]
                        if kind.tile_overlap:
                            handovers[mapping, at_k] = handovers[mapping, at_k - 6]
                elif at_n == 1 and n.extent[1] == n.extent[0]:
                    for at_k in range(number, number + 3):
                        cycles[mapping, at_k] = cycles[mapping, at_k - 3]
                        if kind.tile_overlap:
                            handovers[mapping, at_k] = handovers[mapping, at_k - 3]
                else:
                    tile_m, tile_n = m.extent[at_m], n.extent[at_n]
                    rows, cols = (n.laid[at_n], m.laid[at_m]) if exchanged else (m.laid[at_m], n.laid[at_n])
                    # The first along k and those in the middle differ in nothing but sums that come back.
                    for at_k in range(0, 3, 2):
                        depth, slots = k.extent[at_k], k.slots[at_k]
                        if at_k == 2 and depth == k.extent[0]:
                            cycles[mapping, number + 2] = cycles[mapping, number + 1]
                            if kind.tile_overlap:
                                handovers[mapping, number + 2] = handovers[mapping, number + 1]
                            continue
                        held = slots if grouping.apart else k.groups[at_k]
                        on_array = least = tile_cycles(array, grouping, rows, cols, slots, held, first, second)
                        if kind.tile_overlap:
                            own = tile_handover(array, grouping, rows, cols, slots, held, first, second)
                            least = own.interval
                            for each in range(at_k, max(at_k, 1) + 1):
                                hand_over(handovers[mapping, number + each], on_array, own)
                        if at + at_k == 0 and product.repetitions * all_full * least + unhidden > limit:
                            worth = False
                            break
                        sends = tile_sends(array, grouping, rows, cols, slots, held, first, second)
                        of_a = operand_bytes(tile_m, k.kept_a[at_k], depth, stored_a, value, product.compressed_a)
                        of_b = operand_bytes(tile_n, k.kept_b[at_k], depth, stored_b, value, product.compressed_b)
                        west, north = (of_b, of_a) if exchanged else (of_a, of_b)
                        from_west, from_north = west * sends.west, north * sends.north
                        by_operand = max(
                            max(ceil_div(from_west, ports[0]), ceil_div(from_north, ports[1])),
                            ceil_div(from_west + from_north, ports[3]),
                        )
                        for each in range(at_k, max(at_k, 1) + 1):
                            of_c = output_bytes(tile_m, tile_n, sends.sums, 1 if each > 0 else 0)
                            by_port = max(ceil_div(of_c, ports[2]), by_operand)
                            handovers[mapping, number + each, 0] = by_port
                            cycles[mapping, number + each] = max(least, by_port)
                    if not worth:
                        break
                    if at == 0 and product.repetitions * all_full * cycles[mapping, 0] + unhidden > limit:
                        worth = False
                        break
                for at_k in range(3):
                    summed += cycles[mapping, number + at_k] * m.count[at_m] * n.count[at_n] * k.count[at_k]
            if worth:
                total[mapping] = summed
                least_total = min(least_total, summed)
                for number in range(12):
                    cycles[mappings, number] = min(cycles[mappings, number], cycles[mapping, number])
        return least_total

    def lower(case: Case, design: Record, number: int, legal: BoolArray, room: Room, best: Record) -> None:
        """Lower the best of a design to what a tile has that is faster."""
        product, kind, mappings = case.product, case.kind, len(room.total)
        starts, positions = case.tables.starts, case.tables.positions
        cycles, handovers, total = room.cycles, room.handovers, room.total
        tables, found, latency, line = case.tables, case.tile[0], design.latency, case.tables.line[design.ladder]
        x, y, z, row, column, depth = sizes_of(number, design.ladder, tables.at_m, tables.at_n, tables.at_k)
        m, n, k = tables.m[row], tables.n[column], tables.k[depth]
        a, b, c = tables.a[line, row, depth], tables.b[line, column, depth], tables.c[line, row, column]
        move(m, n, k, a, b, c, room.kept_a[x, z], room.kept_b[y, z], room.kept_c[x, y], found)
        if look(product, kind.timed, design, m, n, k, a, b, c, found) >= best.cycles:
            return
        on_array = lie(case, design, m, n, k, found.unhidden, best.cycles, legal, cycles, handovers, total)
        for order in range(6):
            if max(found.memory[order], product.repetitions * on_array + found.unhidden) >= best.cycles:
                continue
            least = walked(starts, positions, latency, found, order, cycles[mappings], handovers[mappings], False)
            for mapping in range(mappings):
                if total[mapping] >= NEVER:
                    continue
                bound = max(least, product.repetitions * total[mapping] + found.unhidden)
                if bound >= best.cycles:
                    continue
                taken = walked(
                    starts, positions, latency, found, order, cycles[mapping], handovers[mapping], kind.tile_overlap
                )
                if taken < best.cycles:
                    take(best, taken, np.inf, found.moved[order], kind.side, mapping, number, order)

    def spend_on_array(
        case: Case, design: Record, m: Record, n: Record, k: Record, legal: BoolArray, joules: FloatArray
    ) -> float:
        """Put into the last what all tiles spend on the array under every mapping that registers hold; the least."""
        product, kind, grouping, parameters = case.product, case.kind, case.grouping, case.parameters
        array, split, times = array_of(design, kind), product.split, product.repetitions
        tiling = tiling_of(kind.exchanged, grouping.apart, m, n, k)
        to_west, to_north = copies_to(product, kind.exchanged)
        of_a, of_b = operands_in_all(product, m, n, k)
        of_west, of_north = (of_b, of_a) if kind.exchanged else (of_a, of_b)
        least = np.inf
        for mapping in range(len(joules)):
            if not legal[mapping]:
                continue
            sends = all_sends(array, grouping, tiling, parameters[0, mapping], parameters[1, mapping])
            west, north = times * of_west * sends.west, times * of_north * sends.north
            output = times * output_bytes(product.m, product.n, sends.sums, 0)
            passed = Passed(to_west * west, to_north * north, split * output, split * product.passed_sums, k.trips)
            hops = tile_hops(array, passed)
            results, macs, choices = product.passed_sums, product.macs, product.choices
            counts = counts_on_array(macs, choices, hops, results, west, north, output, split, array.cols)
            joules[mapping] = joules_of(counts, design.on_array)
            least = min(least, joules[mapping])
        return least

    def least_on_array(case: Case, design: Record, room: Room, x: int, y: int, z: int) -> float:
        """Joules on the array that no mapping of a tile beats, but for rounding."""
        product, kind, grouping = case.product, case.kind, case.grouping
        array, folds_m, folds_n = array_of(design, kind), room.folds_m, room.folds_n
        along_k, passed = room.along_k, room.passed
        on_m, on_n = (folds_m[x, 0], folds_m[x, 1], folds_m[x, 2]), (folds_n[y, 0], folds_n[y, 1], folds_n[y, 2])
        rows, cols = (on_n, on_m) if kind.exchanged else (on_m, on_n)
        extent = product.laid_n if kind.exchanged else product.laid_m
        slots, groups, trips_k = along_k[z, 0], along_k[z, 1], along_k[z, 2]
        sums = Folds(rows[0], cols[0], rows[1], cols[1], groups, slots, rows[2], cols[2], trips_k, extent)
        sends_west, sends_north = least_sends(array, grouping, design.deepest, sums)
        times, results = float(product.repetitions), float(product.passed_sums)
        west, north, output = (
            times * passed[z, 0] * sends_west,
            times * passed[z, 1] * sends_north,
            times * passed[z, 2],
        )
        split = product.split
        to_west, to_north = copies_to(product, kind.exchanged)
        moved = Passed(to_west * west, to_north * north, split * output, split * product.passed_sums, trips_k)
        hops = float(tile_hops(array, moved))
        macs, choices = float(product.macs), float(product.choices)
        counts = counts_on_array(macs, choices, hops, results, west, north, output, split, array.cols)
        return float(joules_of(counts, design.on_array))

    def thrift(
        case: Case, design: Record, number: int, kept: int, fastest: int, legal: BoolArray, room: Room, best: Record
    ) -> None:
        """Lower the best of a design to what a tile has that is hardly slower than the fastest and takes less energy.

        ``kept`` is what ``Kernel`` says of the tile, ``fastest`` are the cycles of the fastest.
        """
        product, kind, mappings = case.product, case.kind, len(room.total)
        starts, positions = case.tables.starts, case.tables.positions
        cycles, handovers, total, eligible = room.cycles, room.handovers, room.total, room.eligible
        tables, found, latency, line = case.tables, case.tile[0], design.latency, case.tables.line[design.ladder]
        _, _, _, row, column, depth = sizes_of(number, design.ladder, tables.at_m, tables.at_n, tables.at_k)
        m, n, k = tables.m[row], tables.n[column], tables.k[depth]
        a, b, c = tables.a[line, row, depth], tables.b[line, column, depth], tables.c[line, row, column]
        alike = slower_by_a_part(fastest, kind.alike)
        move(m, n, k, a, b, c, kept & 15, kept >> 4 & 15, kept >> 8, found)
        if look(product, kind.timed, design, m, n, k, a, b, c, found) > alike:
            return
        spend(product, kind.exchanged, design, m, n, k, a, b, c, found)
        least_moving = np.inf
        for order in range(6):
            if found.memory[order] <= alike:
                least_moving = min(least_moving, found.joules[order])
        # Nothing is faster than the fastest: what mappings take at least, before any is timed.
        least = least_moving + spend_on_array(case, design, m, n, k, legal, room.joules)
        if joules_in_all(least, design.watts, fastest, design.clock) > best.joules:
            return
        for mapping in range(mappings):
            least = room.joules[mapping] + least_moving
            eligible[mapping] = (
                legal[mapping] and joules_in_all(least, design.watts, fastest, design.clock) <= best.joules
            )
        on_array = lie(case, design, m, n, k, found.unhidden, alike, eligible, cycles, handovers, total)
        if product.repetitions * on_array + found.unhidden > alike:
            return
        for order in range(6):
            if found.memory[order] > alike:
                continue
            moved = found.moved[order]
            bound = walked(starts, positions, latency, found, order, cycles[mappings], handovers[mappings], False)
            for mapping in range(mappings):
                if total[mapping] >= NEVER:
                    continue
                least = max(bound, product.repetitions * total[mapping] + found.unhidden)
                dynamic = room.joules[mapping] + found.joules[order]
                if least > alike or joules_in_all(dynamic, design.watts, least, design.clock) > best.joules:
                    continue
                taken = walked(
                    starts, positions, latency, found, order, cycles[mapping], handovers[mapping], kind.tile_overlap
                )
                joules = joules_in_all(dynamic, design.watts, taken, design.clock)
                before = is_before(kind.side, mapping, number, order, best)
                if taken <= alike and is_thriftier(joules, moved, taken, before, best):
                    take(best, taken, joules, moved, kind.side, mapping, number, order)

    def fastest(
        case: Case, best: Records, possible: IntArray, kept: IntArray, least: FloatArray, fastest: Records
    ) -> None:
        """See ``Kernel``."""
        product, tables, kind, apart = case.product, case.tables, case.kind, case.grouping.apart
        columns, depths = tables.at_n.shape[1], tables.at_k.shape[1]
        room, hint = new_room(tables.at_m.shape[1], columns, depths, case.parameters.shape[1]), -1
        for row in range(len(case.designs)):
            possible[row, 0] = -1
            if not case.legal[row].any():
                continue
            design, own, legal = case.designs[row], best[row], case.legal[row]
            sizes = tables.sizes[design.ladder]
            fold_all(tables, kind, design, apart, room)
            look_around(product, tables, kind, design, room)
            pass_ports(product, sizes[2], kind.exchanged, room)
            if kind.counted:
                own.candidates += legal.sum() * count_tiles(tables, design, room)
            # First the most promising tile, whose time rules out most others; that of the design before is near it.
            x, y, z = place_of(max(hint, 0), columns, depths)
            hint = hint if hint >= 0 and is_there(x, y, z, sizes, room) else -1
            chosen = -1
            if search_floors(case, design, True, float(own.cycles), hint, room) > 0:
                chosen = hint = room.within[0]
                lower(case, design, chosen, legal, room, own)
            if own.cycles >= NEVER:
                continue
            found = search_floors(case, design, False, float(slower_by_a_part(own.cycles, kind.alike)), -1, room)
            for at in np.argsort(room.floors[:found]):
                if room.floors[at] >= own.cycles:
                    break
                if room.within[at] != chosen:
                    lower(case, design, room.within[at], legal, room, own)
            alike, count = slower_by_a_part(own.cycles, kind.alike), 0
            for at in range(found):
                if room.floors[at] <= alike:
                    number = room.within[at]
                    x, y, z = place_of(number, columns, depths)
                    possible[row, count] = number
                    kept[row, count] = all_kept(room.kept_a[x, z], room.kept_b[y, z], room.kept_c[x, y])
                    least[row, count] = HARDLY_LESS * least_on_array(case, design, room, x, y, z)
                    count += 1
            if count < possible.shape[1]:
                possible[row, count] = -1

    def thriftiest(
        case: Case, best: Records, possible: IntArray, kept: IntArray, least: FloatArray, fastest: Records
    ) -> None:
        """See ``Kernel``."""
        product, tables, kind, tile = case.product, case.tables, case.kind, case.tile[0]
        at_m, at_n, at_k, of_m, of_n, of_k = tables.at_m, tables.at_n, tables.at_k, tables.m, tables.n, tables.k
        of_a, of_b, of_c = tables.a, tables.b, tables.c
        room, bounds = new_room(0, 0, 0, case.parameters.shape[1]), np.empty(possible.shape[1])
        for row in range(len(case.designs)):
            if fastest[row].cycles >= NEVER or possible[row, 0] < 0:
                continue
            design, own, cycles, legal = case.designs[row], best[row], fastest[row].cycles, case.legal[row]
            found, line = 0, tables.line[design.ladder]
            while found < possible.shape[1] and possible[row, found] >= 0:
                number, stays, joules = possible[row, found], kept[row, found], least[row, found]
                if joules_in_all(joules, design.watts, cycles, design.clock) <= own.joules:
                    _, _, _, i, j, depth = sizes_of(number, design.ladder, at_m, at_n, at_k)
                    m, n, k = of_m[i], of_n[j], of_k[depth]
                    a, b, c = of_a[line, i, depth], of_b[line, j, depth], of_c[line, i, j]
                    move(m, n, k, a, b, c, stays & 15, stays >> 4 & 15, stays >> 8, tile)
                    spend(product, kind.exchanged, design, m, n, k, a, b, c, tile)
                    joules += HARDLY_LESS * tile.joules.min()
                bounds[found] = joules_in_all(joules, design.watts, cycles, design.clock)
                found += 1
            for at in np.argsort(bounds[:found]):
                if bounds[at] > own.joules:
                    break
                thrift(case, design, possible[row, at], kept[row, at], cycles, legal, room, own)

    parts = Parts(
        kernel=Kernel(fastest=fastest, thriftiest=thriftiest),
        called=(lie, floor_of, search_floors, lower, spend_on_array, least_on_array, thrift),
    )
    # A compiler tells functions apart by name and by how many it had met: of two dataflows that two processes compiled
    # and a third one loads, functions of one name would be taken for each other.
    for function in (*parts.kernel, *parts.called):
        function.__qualname__ = f"{formulas.cycles.__module__}.{formulas.cycles.__qualname__}.{function.__name__}"
    return parts
