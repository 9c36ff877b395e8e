"""Tiles that overlap on the array: the closed form has the cycle in which the machine lets each one enter."""

from collections import Counter
from itertools import pairwise

import pytest
from bisparse.accel.specification import TensorEngine, load_hardware
from bisparse.accel.tensor_engine import (
    ArrayTiming,
    cycles_to_next,
    output_stationary_cycles,
    output_stationary_handover,
)
from bisparse.dataflow.dataflows import dataflow_named
from bisparse.sim.witness import array_agreement as agreement
from bisparse.sim.witness.machines.random_tiles import random_tiles
from bisparse.sim.witness.machines.specification import HazardError
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_machine_agrees_with_closed_form import TILES_THAT_WAIT_FOR_REGISTERS


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_tiles_begin_and_end_as_on_the_machine(seed):
    assert agreement.check_tiles(random_tiles(seed)) is None


def test_a_disagreement_says_what_differs(monkeypatch):
    tiles = random_tiles(1)
    begins, cycles = agreement.closed_form_begins(tiles)
    monkeypatch.setattr(agreement, "closed_form_begins", lambda _: (begins, cycles + 1))
    told = agreement.check_tiles(tiles)
    assert told.startswith(f"closed form begins {begins} and {cycles + 1} cycles, machine {begins} and {cycles}: Tiles")


def handed(tiles):
    """What the dataflow says of each tile: when it lets the next one in, and its cycles alone."""
    dataflow = dataflow_named(tiles.case.mapping.dataflow)
    laid = [agreement._laid(tiles.case, *extents, tile_overlap=True) for extents in tiles.extents]
    return [(dataflow.handover(*each), int(dataflow.cycles(*each))) for each in laid]


@pytest.mark.parametrize("seed", TILES_THAT_WAIT_FOR_REGISTERS)
def test_a_tile_cannot_enter_a_cycle_sooner_than_registers_are_free(seed):
    tiles = random_tiles(seed)
    a, b = tiles.case.operands()
    machine, waiting = tiles.machine(), 0
    laid = [machine.lay(a[m, k], b[k, n]) for m, n, k in tiles.tiles]
    for ((own, whole), (after, _)), pair in zip(pairwise(handed(tiles)), pairwise(laid), strict=True):
        registers = own.hold - after.lead
        if (own.first, own.second) == (after.first, after.second) and registers > max(
            own.interval, whole - after.interval
        ):
            machine.play(pair, [0, registers])
            with pytest.raises(HazardError, match="captured over one that had not left"):
                machine.play(pair, [0, registers - 1])
            waiting += 1
    assert waiting, "the seed is listed because a tile waits for registers"


def test_three_tiles_are_never_on_the_array():
    """The machine says so where they would be: here of a tile of one accumulation between two others."""
    tiles = random_tiles(TILES_THAT_WAIT_FOR_REGISTERS[0])
    a, b = tiles.case.operands()
    machine = tiles.machine()
    (m, n, k) = tiles.tiles[0]
    tile = machine.lay(a[m, k][:1, :1], b[k, n][:1, :1])
    assert tile.alone.cycles > 2 * tile.interval
    with pytest.raises(HazardError, match="three tiles were on the array at once"):
        machine.play([tile] * 3, [0, tile.interval, 2 * tile.interval])
    apart = machine.cycles_to_next(tile, tile)
    machine.play([tile] * 3, [0, apart, 2 * apart])


def test_every_reason_to_wait_is_visited():
    """Dataflow, and what decides when the next tile enters."""
    seen = Counter()
    for tiles in map(random_tiles, range(400)):
        for (own, whole), (after, _) in pairwise(handed(tiles)):
            reasons = {"fold": own.interval, "registers": own.hold - after.lead, "third tile": whole - after.interval}
            alike = (own.first, own.second) == (after.first, after.second)
            seen[tiles.case.mapping.dataflow, max(reasons, key=reasons.get) if alike else "set anew"] += 1
        seen["late"] += any(tiles.late)
    wanted = [(dataflow, reason) for dataflow in ("os", "ws", "is") for reason in ("fold", "third tile", "set anew")]
    assert {reason: seen[reason] for reason in (*wanted, ("os", "registers"), "late") if seen[reason] < 10} == {}


def test_an_output_stationary_tile_by_hand():
    """32 x 32 PEs, L = 4, P = 6, 8 outputs a PE, k = 64: 512 cycles of issue, 256 of drain, 67 of skew and pipeline.

    A tile of four folds takes 4 * 512 + 67 + 256 alone; the next one enters after 4 * 512.
    """
    array = ArrayTiming(
        rows=32,
        cols=32,
        mac_latency=6,
        accumulate_latency=4,
        register_depth=8,
        overlapped=True,
        shifted_drain=True,
        chained_load=True,
        tile_overlap=True,
    )
    tile = {"m": 256, "n": 128, "slots": 64, "interleave_m": 8}
    whole, own = output_stationary_cycles(array, **tile), output_stationary_handover(array, **tile)
    assert (int(whole), int(own.interval)) == (4 * 512 + 67 + 256, 4 * 512)
    assert int(cycles_to_next(whole, own, own.interval, own.lead, own.first, own.second)) == 4 * 512
    # Of two accumulations an output: the next tile's first results would come before the last ones of this have left.
    short = output_stationary_handover(array, **tile | {"slots": 2})
    registers = 3 * 512 + 504 + 256 - 8
    assert int(own.hold - short.lead) == registers
    assert int(cycles_to_next(whole, own, short.interval, short.lead, short.first, short.second)) == registers


@given(
    st.sampled_from(["os", "ws", "is"]),
    st.lists(st.integers(1, 300), min_size=8, max_size=8),
    st.lists(st.integers(1, 40), min_size=5, max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_a_tile_is_never_left_later_than_alone(name, sizes, engine, shifted, chained):
    """Whatever comes next: at the latest it enters when the array is empty, at the soonest after the folds."""
    rows, cols, latency, more, depth = engine
    array = ArrayTiming(rows, cols, latency + more, latency, depth, True, shifted, chained, False, True)
    dataflow = dataflow_named(name)
    numbers = dict(zip(dataflow.parameters, sizes[6:], strict=True))
    tiles = [agreement.ArrayTile(m=m, n=n, slots=k, groups=k, sparsity=DENSE) for m, n, k in (sizes[:3], sizes[3:6])]
    own, after = (dataflow.handover(array, tile, numbers) for tile in tiles)
    whole = dataflow.cycles(array, tiles[0], numbers)
    until = cycles_to_next(whole, own, after.interval, after.lead, after.first, after.second)
    assert own.interval <= until <= whole
    issue, bubble = dataflow.issue_and_bubble_cycles(array, tiles[0], numbers)
    assert issue + bubble <= own.interval


DENSE = agreement.Sparsity(compressed=None, pattern=agreement.DENSE)


def test_tiles_overlap_only_where_folds_do():
    engine = load_hardware("systolic-textbook").model.tensor_engine.model_dump()
    assert engine["overlapped"] is engine["tile_overlap"] is False
    with pytest.raises(ValueError, match="tile_overlap: got true, need overlapped: true beside it"):
        TensorEngine(**engine | {"tile_overlap": True})
    assert TensorEngine(**engine | {"tile_overlap": True, "overlapped": True}).timing.tile_overlap
