"""Cycle counts of one tile on the tensor engine: closed forms, vectorised over tiles and mappings.

Modelled: an R x C array whose processing elements (PEs) issue one multiply-accumulate a cycle, output stationary
(OS) or weight stationary (WS), dense or N:M, with interleave, latencies, fold overlap and the way results leave. Input
stationary (IS) is WS with the operands' roles exchanged. Not modelled here: buffers, ports and DRAM (see
``dataflow.traffic``). Source: the project's hardware model, docs/hardware-model.md. The register-level machine in
``sim.witness.machines`` agrees with every number these functions return; the tests hold the two together.

Every count may be a Python integer or an integer array; arrays broadcast. Counts are cycles of the array clock. A
compiler takes the same functions, see ``dataflow.compiled``: so no strings, no keyword-only arguments.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..configs.arrays import Counts, choose

Count = int | npt.NDArray[np.int64]
"""A count, or an array of counts."""

Drain = Literal["shift", "wire"]
StationaryLoad = Literal["chain", "latch"]


class ArrayTiming(NamedTuple):
    """What fixes the timing of a tensor engine; counts may be arrays, an element a design.

    Attributes:
        rows: R, PEs from north to south.
        cols: C, PEs from west to east.
        mac_latency: P, cycles from the issue of a multiply-accumulate to a usable result, the hop to a neighbour
            included.
        accumulate_latency: L, cycles before an accumulation that depends on the last one may issue; 1 <= L <= P.
        register_depth: D, partial sums (OS) or stationary values (WS) that a PE can hold.
        overlapped: whether the next fold starts while this one empties (shadow registers).
        shifted_drain: whether OS results leave down the column, one a cycle, or by a wire per PE.
        chained_load: whether WS weights are shifted down a chain, or go into row-addressed latches.
        spread_groups: whether the N kept values of a stationary group lie in N PEs of a column, or all in one.
        tile_overlap: whether the next tile enters while this one empties; ``overlapped`` then.
    """

    rows: Count
    cols: Count
    mac_latency: Count
    accumulate_latency: Count
    register_depth: Count
    overlapped: bool
    shifted_drain: bool
    chained_load: bool
    spread_groups: bool = False
    tile_overlap: bool = False


class Handover(NamedTuple):
    """When a tile lets the next one into the array, in cycles from its own begin; counts broadcast.

    Attributes:
        interval: until a tile like it may enter, as a fold may after the folds of one tile.
        hold: until all that it left in result registers has shifted out (OS); 0 where nothing else is in the way.
        lead: until its own results come there.
        first: what PEs are set to: outputs along m that they turn between (OS), groups that they hold (WS).
        second: outputs along n (OS), cycles from a slot to the next (WS). They are set anew when the array is empty.
    """

    interval: Count
    hold: Count
    lead: Count
    first: Count
    second: Count


def ceil_div(count: Count, size: Count) -> Count:
    """Smallest integer at or above ``count / size``; both positive.

    >>> ceil_div(7, 3)
    3
    """
    return -(-count // size)


def with_sum_chain(array: ArrayTiming, shares: Count) -> ArrayTiming:
    """The timing of an array whose columns stand in groups, each with a share of k, their sums added on the way out.

    A sum of the first group passes east along the foot of the columns, a column a cycle, and meets the sum of the same
    output of each later group, whose operands are skewed by as much. Every meeting takes an adder's latency, so that
    all sums are finished that much later.

    >>> array = ArrayTiming(rows=4, cols=8, mac_latency=3, accumulate_latency=2, register_depth=1,
    ...                     overlapped=True, shifted_drain=True, chained_load=False)
    >>> with_sum_chain(array, 4).mac_latency
    9
    """
    return array._replace(mac_latency=array.mac_latency + (shares - 1) * array.accumulate_latency)


def output_stationary_cycles(
    array: ArrayTiming, m: Count, n: Count, slots: Count, interleave_m: Count = 1, interleave_n: Count = 1
) -> Count:
    """Cycles of an [m, n] output tile held in place, ``slots`` accumulations an output.

    A fold is (R * Im) x (C * In) outputs, ``Im * In`` a PE; an interleave larger than the tile offers is cut to what
    there is. Edge folds occupy the whole array.

    Args:
        array: the tensor engine.
        m: output rows, mapped along the array's rows.
        n: output columns, mapped along the array's columns.
        slots: S, accumulations an output (k when dense).
        interleave_m: Im, output rows a PE turns between.
        interleave_n: In, output columns a PE turns between.

    SCALE-Sim 3's output-stationary fold, R + C + K - 2:

    >>> textbook = ArrayTiming(rows=32, cols=32, mac_latency=1, accumulate_latency=1, register_depth=1,
    ...                        overlapped=False, shifted_drain=False, chained_load=True)
    >>> int(output_stationary_cycles(textbook, m=32, n=32, slots=100))
    162
    """
    folds, interleave = output_stationary_folds(array, m, n, interleave_m, interleave_n)
    issue, drain = output_stationary_fold(array, slots, interleave)
    ends = (array.rows - 1) + (array.cols - 1) + (array.mac_latency - 1) + drain
    found: Count = folds * (issue + ends)
    if array.overlapped:
        found = (folds - 1) * np.maximum(issue, drain) + issue + ends
    return found


def output_stationary_folds(
    array: ArrayTiming, m: Count, n: Count, interleave_m: Count, interleave_n: Count
) -> tuple[Count, Count]:
    """Folds that cover an [m, n] tile, and the interleave I = Im * In that remains after cutting it to the tile."""
    on_rows, on_cols = output_stationary_interleave(array, m, n, interleave_m, interleave_n)
    return ceil_div(m, array.rows * on_rows) * ceil_div(n, array.cols * on_cols), on_rows * on_cols


def output_stationary_interleave(
    array: ArrayTiming, m: Count, n: Count, interleave_m: Count, interleave_n: Count
) -> tuple[Count, Count]:
    """Im and In as cut to an [m, n] tile."""
    return np.minimum(interleave_m, ceil_div(m, array.rows)), np.minimum(interleave_n, ceil_div(n, array.cols))


def output_stationary_fold(array: ArrayTiming, slots: Count, interleave: Count) -> tuple[Counts, Counts]:
    """Cycles for which a fold holds the issue port, and for which its results leave a column."""
    issue = (slots - 1) * np.maximum(interleave, array.accumulate_latency) + interleave
    drain = interleave * array.rows if array.shifted_drain else 0 * interleave
    return issue, drain


def output_stationary_handover(
    array: ArrayTiming, m: Count, n: Count, slots: Count, interleave_m: Count = 1, interleave_n: Count = 1
) -> Handover:
    """When an [m, n] output tile lets the next one in; arguments as for ``output_stationary_cycles``.

    The last fold holds a result register of the bottom row until it has shifted out; the next tile fills it once it
    has issued all slots but the last.
    """
    folds, interleave = output_stationary_folds(array, m, n, interleave_m, interleave_n)
    issue, drain = output_stationary_fold(array, slots, interleave)
    on_rows, on_cols = output_stationary_interleave(array, m, n, interleave_m, interleave_n)
    period = np.maximum(issue, drain)
    return Handover(
        folds * period, (folds - 1) * period + issue - interleave + drain, issue - interleave, on_rows, on_cols
    )


def weight_stationary_cycles(
    array: ArrayTiming,
    moving: Count,
    columns: Count,
    groups: Count,
    group_slots: Count = 1,
    group_load: Count = 1,
    resident_groups: Count = 1,
    interleave: Count = 1,
) -> Count:
    """Cycles of a tile whose stationary operand is [k, columns] while ``moving`` vectors stream past it.

    A dense k counts as groups of one: ``groups=k, group_slots=1, group_load=1``. A compressed stationary operand
    holds N pairs a group (``group_slots=group_load=N``); a compressed moving operand meets M stationary values a
    group in N slots (``group_slots=N, group_load=M``).

    Args:
        array: the tensor engine.
        moving: T, vectors streamed (m under WS, n under IS).
        columns: output columns mapped along the array's columns (n under WS, m under IS).
        groups: G, groups along k.
        group_slots: multiply-accumulates a group.
        group_load: stationary values a group.
        resident_groups: g, groups that a PE holds; cut to what a full column of PEs needs.
        interleave: I, vectors a PE turns between; 1 when a PE has one slot.

    SCALE-Sim 3's weight-stationary fold, 2R + C + T - 2:

    >>> textbook = ArrayTiming(rows=32, cols=32, mac_latency=1, accumulate_latency=1, register_depth=1,
    ...                        overlapped=False, shifted_drain=False, chained_load=True)
    >>> int(weight_stationary_cycles(textbook, moving=100, columns=32, groups=32))
    194
    """
    folds, resident = weight_stationary_folds(array, columns, groups, resident_groups)
    load = array.rows * resident * group_load
    beats, skew, _ = weight_stationary_fold(array, moving, resident * group_slots, interleave)
    ends = beats + skew + (array.cols - 1) + (array.mac_latency - 1)
    found: Counts = folds * (load + ends)
    if array.overlapped:
        found = load + (folds - 1) * weight_stationary_period(array, load, beats, skew) + ends
    cycles: Count = found
    return cycles


def weight_stationary_fold(
    array: ArrayTiming, moving: Count, slots: Count, interleave: Count
) -> tuple[Counts, Counts, Counts]:
    """Cycles for which vectors enter the first row, by which the last row is later, and from a PE's slot to the next.

    Args:
        array: the tensor engine.
        moving: T, vectors streamed.
        slots: multiply-accumulates of a PE for a vector.
        interleave: I, vectors a PE turns between.
    """
    batch = choose(slots == 1, 1, np.minimum(interleave, moving))
    spacing = np.maximum(batch, array.accumulate_latency)
    beats = ceil_div(moving, batch) * (slots - 1) * spacing + moving
    row_delay = (slots - 1) * spacing + array.accumulate_latency
    return beats, (array.rows - 1) * row_delay, spacing


def weight_stationary_period(array: ArrayTiming, load: Count, beats: Counts, skew: Counts) -> Counts:
    """Cycles from one overlapped fold to the next; arguments as ``weight_stationary_fold`` gives them."""
    return np.maximum(beats, load + skew if array.chained_load else load)


def weight_stationary_handover(
    array: ArrayTiming,
    moving: Count,
    columns: Count,
    groups: Count,
    group_slots: Count = 1,
    group_load: Count = 1,
    resident_groups: Count = 1,
    interleave: Count = 1,
) -> Handover:
    """When such a tile lets the next one in; arguments as for ``weight_stationary_cycles``."""
    folds, resident = weight_stationary_folds(array, columns, groups, resident_groups)
    load = array.rows * resident * group_load
    beats, skew, spacing = weight_stationary_fold(array, moving, resident * group_slots, interleave)
    period = weight_stationary_period(array, load, beats, skew)
    return Handover(folds * period, 0, 0, resident, spacing)


def weight_stationary_folds(
    array: ArrayTiming, columns: Count, groups: Count, resident_groups: Count
) -> tuple[Count, Count]:
    """Folds that cover the stationary operand, and the groups a PE holds after cutting them to what there is."""
    resident = np.minimum(resident_groups, ceil_div(groups, array.rows))
    return ceil_div(groups, array.rows * resident) * ceil_div(columns, array.cols), resident


def output_stationary_bubbles(
    array: ArrayTiming, m: Count, n: Count, slots: Count, interleave_m: Count, interleave_n: Count
) -> tuple[Count, Count]:
    """Of a tile's cycles: those in which PEs issue, and those lost because too few accumulations hide the latency."""
    folds, interleave = output_stationary_folds(array, m, n, interleave_m, interleave_n)
    waiting = np.maximum(array.accumulate_latency - interleave, 0)
    return folds * slots * interleave, folds * (slots - 1) * waiting


def weight_stationary_bubbles(
    array: ArrayTiming,
    moving: Count,
    columns: Count,
    groups: Count,
    group_slots: Count,
    resident_groups: Count,
    interleave: Count,
) -> tuple[Count, Count]:
    """The same split under WS and IS."""
    folds, resident = weight_stationary_folds(array, columns, groups, resident_groups)
    slots = resident * group_slots
    beats, _, _ = weight_stationary_fold(array, moving, slots, interleave)
    issue: Counts = folds * slots * moving
    return issue, folds * beats - issue


def cycles_to_next(
    whole: Count, own: Handover, next_interval: Count, next_lead: Count, next_first: Count, next_second: Count
) -> Count:
    """Cycles from a tile's begin to the next one's, on an array that overlaps tiles, no port in the way.

    The next one enters as a fold would, and not before what it claims is free; and so late that this tile has left when
    yet another one may follow the next: there are never three on the array.

    Args:
        whole: cycles of the tile alone.
        own: of the tile.
        next_interval: of the next one, see ``Handover``; likewise below.
        next_lead: of the next one.
        next_first: of the next one.
        next_second: of the next one.
    """
    alike = (own.first == next_first) & (own.second == next_second)
    soonest = np.maximum(np.maximum(own.interval, own.hold - next_lead), whole - next_interval)
    found: Count = choose(alike, soonest, whole)
    return found
