"""Every legal mapping of a small product, evaluated one at a time in plain integers from the written hardware model."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache, cached_property

from bisparse.accel.energy import EnergyModel
from bisparse.accel.specification import Hardware
from bisparse.accel.tensor_engine import (
    Handover,
    output_stationary_cycles,
    output_stationary_handover,
    weight_stationary_cycles,
    weight_stationary_handover,
)
from bisparse.dataflow.gemm import Gemm
from bisparse.dataflow.mapping import ArrayMapping, Mapping
from bisparse.sim.event.tile_walk import TileWalk

ORDERS = ["".join(order) for order in itertools.permutations("mnk")]
PRICES = EnergyModel(
    prices_pj={
        "multiplies": 3.0,
        "accumulates": 2.0,
        "choices": 0.09,
        "register_bits": 0.011,
        "link_bits": 0.07,
        "west_read_bits": 0.31,
        "west_write_bits": 0.37,
        "north_read_bits": 0.29,
        "north_write_bits": 0.41,
        "output_read_bits": 0.23,
        "output_write_bits": 0.43,
        "dram_bits": 5.3,
        "compares": 1.7,
    },
    static_watts=0.9,
    notes=(),
)


# Every legal mapping -------------------------------------------------------------------------------------------------


def legal_sizes(gemm, axis):
    """Every legal tile size along an axis."""
    if gemm.window is not None and axis == gemm.position_axis and not (gemm.split > 1 and axis == gemm.beside):
        (rows, row), images = (axis.positions for axis in gemm.window.axes), range(1, gemm.window.images + 1)
        in_row, in_image = set(range(1, row)), {height * row for height in range(1, rows)}
        return sorted(in_row | in_image | {several * rows * row for several in images})
    extent = {"m": gemm.m, "n": gemm.n, "k": gemm.k}[axis]
    if gemm.split > 1 and axis == gemm.beside:
        return [extent]
    taps = gemm.taps if axis == gemm.tap_axis else 1
    group = gemm.pattern.group if axis == "k" and gemm.compressed else 1
    channels = extent // taps
    return [taps * size for size in range(1, channels + 1) if size % group == 0 or size == channels]


def spreads(engine, gemm, moving):
    """Whether a PE holds single values: nothing is pruned, or what stays is and its groups are spread."""
    return not gemm.compressed or (engine.spread_groups and gemm.compressed != moving)


def legal_array_mappings(engine, gemm):
    """Every way to lay a tile on the array, those that the search leaves out included."""
    along_columns = {"a": "n", "b": "m"}
    for mapping in _on_any_side(engine, gemm):
        if gemm.split == 1 or along_columns[mapping.west] == gemm.beside:
            yield mapping


def _on_any_side(engine, gemm):
    depth = range(1, engine.register_depth + 1)
    compressed, pattern = gemm.compressed, gemm.pattern
    for swapped in (False, True) if engine.swap_operands else (False,):
        west = "b" if swapped else "a"
        if "os" in engine.dataflows and (compressed != west or engine.compressed_west):
            for on_rows, on_cols in itertools.product(depth, depth):
                if on_rows * on_cols <= engine.register_depth:
                    yield ArrayMapping(dataflow="os", swapped=swapped, interleave_m=on_rows, interleave_n=on_cols)
    for dataflow, moving in (("ws", "a"), ("is", "b")):
        if dataflow in engine.dataflows and (compressed != moving or engine.compressed_moving):
            values = pattern.group if compressed == moving else pattern.kept
            values = 1 if spreads(engine, gemm, moving) else values
            for groups, interleave in itertools.product(depth, depth):
                if groups * values <= engine.register_depth:
                    yield ArrayMapping(dataflow=dataflow, resident_groups=groups, interleave=interleave)


def claimed_array_mappings(engine, gemm):
    """Those that the search claims to consider: under WS and IS no interleave below the accumulate latency."""
    least = min(engine.accumulate_latency, engine.register_depth)
    for mapping in legal_array_mappings(engine, gemm):
        slots = 1 if spreads(engine, gemm, {"ws": "a", "is": "b"}.get(mapping.dataflow)) else gemm.pattern.kept
        alone = mapping.resident_groups * slots == 1
        tried = mapping.interleave == 1 if alone else mapping.interleave >= least
        if mapping.dataflow == "os" or tried:
            yield mapping


# One mapping, in plain integers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """Extents of one tile, and whether it adds to partial sums."""

    m: int
    n: int
    k: int
    slots: int
    groups: int
    adds: bool


@dataclass(frozen=True)
class OnArray:
    """What the array does with one tile; ``hands_over`` where tiles overlap."""

    cycles: int
    array_cycles: int
    port_cycles: int
    hands_over: Handover | None
    west_bytes: int
    north_bytes: int
    output_reads: int
    output_writes: int
    hop_bytes: int


def on_array(hardware, gemm, walk, mapping, tile):
    """Cycles and bytes of one tile on the array."""
    engine = hardware.tensor_engine
    operand = {
        "a": tile.m * tile.k * walk.value_bytes,
        "b": tile.n * tile.k * walk.value_bytes,
    }
    if gemm.compressed:
        side = tile.m if gemm.compressed == "a" else tile.n
        operand[gemm.compressed] = walk.depth.stored_bytes(side * tile.slots, side * tile.k, walk.value_bytes)
    sums, shares, timing = 4 * tile.m * tile.n, gemm.split, engine.timing
    if shares > 1:
        # Groups of M are shared out whole, N slots each; sums are added once for every share but the first.
        groups = math.ceil(tile.groups / shares)
        tile = replace(tile, groups=groups, slots=groups * (gemm.pattern.kept if gemm.compressed else 1))
        timing = timing._replace(mac_latency=engine.mac_latency + (shares - 1) * engine.accumulate_latency)
    # Each of several arrays has a part of one axis, and the operand of the other axis goes to all of them.
    m, n = (math.ceil(tile.m / gemm.units), tile.n) if gemm.along == "m" else (tile.m, math.ceil(tile.n / gemm.units))
    sent = {"a": 1, "b": gemm.units} if gemm.along == "m" else {"a": gemm.units, "b": 1}
    if gemm.tap_rows > 1:
        channels = math.ceil(tile.groups / gemm.taps / engine.rows) * engine.rows
        tile = replace(tile, groups=gemm.taps * channels)
    if mapping.dataflow == "os":
        west, north = ("b", "a") if mapping.swapped else ("a", "b")
        rows, cols = (n, m) if mapping.swapped else (m, n)
        cols *= shares
        laid = {
            "m": rows,
            "n": cols,
            "slots": tile.slots,
            "interleave_m": mapping.interleave_m,
            "interleave_n": mapping.interleave_n,
        }
        array = int(output_stationary_cycles(timing, **laid))
        handover = output_stationary_handover(timing, **laid)
        a_fold_of_rows = engine.rows * min(mapping.interleave_m, math.ceil(rows / engine.rows))
        a_fold_of_cols = engine.cols * min(mapping.interleave_n, math.ceil(cols / engine.cols))
        west_bytes = operand[west] * math.ceil(cols / a_fold_of_cols)
        north_bytes = operand[north] * math.ceil(rows / a_fold_of_rows)
        writes, reads = sums, sums if tile.adds else 0
        hops = sent[west] * west_bytes * engine.cols + sent[north] * north_bytes * engine.rows
        hops += shares * sums * engine.rows / 2 if engine.drain == "shift" else 0
    else:
        moving, stationary = ("a", "b") if mapping.dataflow == "ws" else ("b", "a")
        vectors, columns = (m, n) if moving == "a" else (n, m)
        kept, groups, lanes = gemm.pattern.kept, tile.groups, 1
        held = gemm.pattern.group if gemm.compressed == moving else kept
        if spreads(engine, gemm, moving):
            # Each value stands alone, and each gets the group's values.
            kept, held, groups, lanes = 1, 1, tile.slots, kept
        laid = {
            "moving": vectors,
            "columns": columns * shares,
            "groups": groups,
            "group_slots": kept,
            "group_load": held,
            "resident_groups": mapping.resident_groups,
            "interleave": mapping.interleave,
        }
        array = int(weight_stationary_cycles(timing, **laid))
        handover = weight_stationary_handover(timing, **laid)
        folds_of_k = math.ceil(groups / (engine.rows * mapping.resident_groups))
        folds_of_columns = math.ceil(columns * shares / engine.cols)
        west_bytes, north_bytes = lanes * operand[moving] * folds_of_columns, operand[stationary]
        writes = sums * folds_of_k
        reads = writes if tile.adds else writes - sums
        hops = sent[moving] * west_bytes * engine.cols + sent[stationary] * north_bytes * engine.rows / 2
        hops += shares * writes * engine.rows
    hops += writes * engine.cols if shares > 1 else 0
    ports = hardware.buffers
    slowest = max(
        math.ceil(west_bytes / ports.west.port_bytes_per_cycle),
        math.ceil(north_bytes / ports.north.port_bytes_per_cycle),
        math.ceil((reads + writes) / ports.output.port_bytes_per_cycle),
        math.ceil((west_bytes + north_bytes) / (ports.shared_port_bytes_per_cycle or math.inf)),
    )
    return OnArray(
        cycles=max(array, slowest),
        array_cycles=array,
        port_cycles=slowest,
        hands_over=handover if engine.tile_overlap else None,
        west_bytes=west_bytes,
        north_bytes=north_bytes,
        output_reads=reads,
        output_writes=writes,
        hop_bytes=hops,
    )


def until_next(tile, following):
    """Cycles of a tile, until the next one enters where tiles overlap."""
    own = tile.hands_over
    if following is None or own is None:
        return tile.cycles
    after = following.hands_over
    if (own.first, own.second) != (after.first, after.second):
        return tile.cycles
    # As a fold would; when what it claims is free; and with this one out by the time when the one after it may enter.
    soonest = max(own.interval, own.hold - after.lead, tile.array_cycles - after.interval)
    return max(soonest, tile.port_cycles)


@dataclass(frozen=True)
class Walked:
    """One tiling in one loop order: steps that look alike, counted."""

    walk: TileWalk
    steps: Counter
    tiles: Counter
    ends: int

    @classmethod
    def of(cls, walk):
        steps, tiles = Counter(), Counter()
        latency, sequence = walk.hardware.dram_latency_cycles, walk.steps

        @cache
        def tile_at(m, n, k):
            return Tile(
                m=walk.sizes_m[m],
                n=walk.sizes_n[n],
                k=walk.sizes_k[k],
                slots=walk.slots(k),
                groups=walk.depth.groups(walk.sizes_k[k]),
                adds=k > 0,
            )

        visited = [tile_at(visit.m_index, visit.n_index, visit.k_index) for visit, _, _ in sequence]
        for number, tile in enumerate(visited):
            load = sequence[number + 1][1] if number + 1 < len(sequence) else 0
            store = sequence[number - 1][2] if number else 0
            following = visited[number + 1] if number + 1 < len(sequence) else None
            steps[tile, following, max(load + latency if load else 0, load + store)] += 1
            tiles[tile] += 1
        return cls(walk=walk, steps=steps, tiles=tiles, ends=latency + sequence[0][1] + sequence[-1][2])

    def cycles(self, times):
        return self.ends + sum(
            count * max(until_next(times[tile], times.get(following)), memory)
            for (tile, following, memory), count in self.steps.items()
        )

    @cached_property
    def moved_bytes(self):
        moved = self.walk.moved
        reads = moved.a_bytes + moved.b_bytes + moved.partial_sum_read_bytes
        return reads + moved.partial_sum_write_bytes + moved.result_bytes

    def actions(self, gemm, mapping, times):
        """Every action of the product, all repetitions."""
        moved, west = self.walk.moved, "b" if mapping.swapped or mapping.dataflow == "is" else "a"
        over = {
            name: sum(count * getattr(times[tile], name) for tile, count in self.tiles.items())
            for name in ("west_bytes", "north_bytes", "output_reads", "output_writes", "hop_bytes")
        }
        macs = sum(count * tile.m * tile.n * tile.slots for tile, count in self.tiles.items())
        fills = {"a": gemm.count * moved.a_held_bytes, "b": gemm.count * moved.b_held_bytes}
        finished = 4 * gemm.count * gemm.m * gemm.n
        added = macs + over["output_writes"] // 4 * (gemm.split - 1)
        return {
            "multiplies": macs,
            "accumulates": added,
            "choices": macs * sum(gemm.format_of(each).selected_from - 1 for each in gemm.compressed),
            "register_bits": 32 * added + 8 * over["hop_bytes"],
            "link_bits": 8 * over["hop_bytes"],
            "west_read_bits": 8 * over["west_bytes"],
            "west_write_bits": 8 * fills[west],
            "north_read_bits": 8 * over["north_bytes"],
            "north_write_bits": 8 * fills["b" if west == "a" else "a"],
            "output_read_bits": 8 * (over["output_reads"] + gemm.count * moved.partial_sum_write_bytes + finished),
            "output_write_bits": 8 * (over["output_writes"] + gemm.count * moved.partial_sum_read_bytes),
            "dram_bits": 8 * gemm.count * self.moved_bytes,
            "compares": gemm.count * moved.reduced_elements * gemm.pattern.kept,
        }


def joules_of(actions):
    return sum(number * PRICES.prices_pj[name] * 1e-12 for name, number in actions.items())


@dataclass(frozen=True)
class Costed:
    """What one mapping costs. Energy is counted when it is asked for: the fastest are few of all there are."""

    gemm: Gemm
    hardware: Hardware
    array: ArrayMapping
    walked: Walked
    times: dict
    cycles: int

    @property
    def moved_bytes(self):
        return self.walked.moved_bytes

    @cached_property
    def joules(self):
        dynamic = joules_of(self.walked.actions(self.gemm, self.array, self.times))
        return dynamic + PRICES.static_watts * self.cycles / self.hardware.clock_hz

    def value(self, name):
        if name == "time":
            return self.cycles
        return self.joules * self.cycles if name == "energy-delay" else self.joules


def tiled(gemm, hardware, sizes, order, west):
    m, n, k = sizes
    return TileWalk(gemm=gemm, hardware=hardware, tile_m=m, tile_n=n, tile_k=k, order=order, west=west)


def brute_force(gemm, hardware):
    """What every legal mapping costs, and how many the search claims to consider."""
    mappings = list(legal_array_mappings(hardware.tensor_engine, gemm))
    claimed = list(claimed_array_mappings(hardware.tensor_engine, gemm))
    found, claims = {}, 0
    for west, sizes in itertools.product("ab", itertools.product(*(legal_sizes(gemm, axis) for axis in "mnk"))):
        tilings = [tiled(gemm, hardware, sizes, order, west) for order in ORDERS]
        if not tilings[0].fits:
            continue
        turning = sum(len(cut) > 1 for cut in (tilings[0].sizes_m, tilings[0].sizes_n, tilings[0].sizes_k))
        claims += sum(mapping.west == west for mapping in claimed) * math.factorial(turning)
        walked = [Walked.of(walk) for walk in tilings]
        for mapping in mappings:
            if mapping.west != west:
                continue
            times = {tile: on_array(hardware, gemm, tilings[0], mapping, tile) for tile in walked[0].tiles}
            for each in walked:
                tile = dict(zip(("tile_m", "tile_n", "tile_k"), sizes, strict=True))
                whole = Mapping(array=mapping, **tile, order=each.walk.order, form=gemm.form)
                found[whole] = Costed(gemm, hardware, mapping, each, times, each.cycles(times))
    return found, claims
