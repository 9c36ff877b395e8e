"""What a mapped product does, counted for the energy model.

Counts are arrays over candidates: [A, 1] or [A, J] for what depends on the array mapping, [J] for what depends on
the tiles and loop order. Fills of a buffer equal the reads of the level above, tensor by tensor; the tests hold that
as a law.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..accel.energy import Actions
from ..accel.tensor_engine import ArrayTiming
from ..configs.arrays import BoolArray
from ..configs.sums import sum_in_order
from .dataflows.dataflow import Dataflow, Passed
from .gemm import SUM_BYTES, Gemm, Operand
from .shares import copies_of
from .tile_time import TileTime, timing_per_candidate
from .traffic import Traffic


def array_actions(times: TileTime) -> dict[str, Any]:
    """Actions of candidates that depend on how tiles are laid on the array, [A, J], all repetitions."""
    gemm = times.tiles.gemm
    return actions_on_array(
        gemm,
        timing_per_candidate(times.tiles.design.array),
        times.lying,
        trips_k=times.tiles.trips["k"],
        west_bytes=gemm.count * times.total(times.west_bytes),
        north_bytes=gemm.count * times.total(times.north_bytes),
        output_bytes=gemm.count * times.total(times.output_bytes),
    )


ON_ARRAY = (
    *("multiplies", "accumulates", "choices", "register_bits", "link_bits"),
    *("west_read_bits", "north_read_bits", "output_read_bits", "output_write_bits"),
)
"""Actions of the array, in the order of ``counts_on_array``."""

IN_MEMORY = ("west_write_bits", "north_write_bits", "output_write_bits", "output_read_bits", "dram_bits", "compares")
"""Actions of buffers, DRAM and the reduction engine, in the order of ``counts_in_memory``."""


def counts_on_array(
    macs: Any, choices: Any, hops: Any, results: Any, west: Any, north: Any, output: Any, split: Any, cols: Any
) -> tuple[Any, ...]:
    """How often the array does each of ``ON_ARRAY``.

    Args:
        macs: multiply-accumulates issued.
        choices: of one word of two, see ``Gemm.choices``.
        hops: bytes times the PEs that they hop to.
        results: bytes of finished sums.
        west: bytes through the west port.
        north: through the north port.
        output: through the output port.
        split: groups of columns that share k out; what leaves was added up over them, and passed the array's width.
        cols: columns of the array.
    """
    # Every fold writes its sums; all but the first of an output read them: writes exceed reads by one result.
    leaving = (output + results) // 2
    added = macs + (split - 1) * (leaving // SUM_BYTES)
    hops = hops + min(split - 1, 1) * cols * leaving
    return (
        macs,
        added,
        choices,
        added * 8 * SUM_BYTES + 8 * hops,
        8 * hops,
        8 * west,
        8 * north,
        8 * (output - results) // 2,
        8 * (output + results) // 2,
    )


def counts_in_memory(
    west: Any, north: Any, partial_sums: Any, finished_sums: Any, dram: Any, compares: Any
) -> tuple[Any, ...]:
    """How often each of ``IN_MEMORY`` happens.

    Args:
        west: bytes written into the west buffer.
        north: into the north buffer.
        partial_sums: bytes written to DRAM unfinished, and as many read back.
        finished_sums: bytes of sums that leave the output buffer for good.
        dram: bytes read and written.
        compares: of the reduction engine.
    """
    return 8 * west, 8 * north, 8 * partial_sums, 8 * (partial_sums + finished_sums), 8 * dram, compares


def actions_on_array(
    gemm: Gemm,
    array: ArrayTiming,
    lying: Dataflow,
    *,
    trips_k: Any,
    west_bytes: Any,
    north_bytes: Any,
    output_bytes: Any,
) -> dict[str, Any]:
    """Actions of the array, from what passes its ports in all repetitions.

    Operands and sums hop from PE to PE as the dataflow says, and each hop ends in a register. A multiply-accumulate
    writes its sum.

    Args:
        gemm: the product.
        array: the tensor engine, its counts flat.
        lying: the dataflow, as it lies.
        trips_k: tiles along k.
        west_bytes: through the west port.
        north_bytes: through the north port.
        output_bytes: through the output port.
    """
    results, split = passed_sum_bytes(gemm), gemm.split
    west: Operand = lying.west
    north: Operand = lying.north
    passed = Passed(
        west_bytes=copies_of(gemm, west) * west_bytes,
        north_bytes=copies_of(gemm, north) * north_bytes,
        # Each group of columns hands its own sums down.
        output_bytes=split * output_bytes,
        result_bytes=split * results,
        tiles_along_k=trips_k,
    )
    hops = lying.hop_bytes(array, passed)
    issued, ports = (gemm.issued_macs, gemm.choices), (west_bytes, north_bytes, output_bytes)
    counts = counts_on_array(*issued, hops, results, *ports, split, array.cols)
    return dict(zip(ON_ARRAY, counts, strict=True))


def memory_actions(gemm: Gemm, traffic: Traffic, a_in_west: bool | BoolArray) -> dict[str, Any]:
    """Actions of candidates that depend on tiles and loop order, [J], all repetitions."""
    tiles, count = traffic.tiles, gemm.count
    held: dict[Operand, Any] = {
        "a": traffic.a_fetches * tiles.sum_over_blocks(tiles.a_held_bytes, "mk"),
        "b": traffic.b_fetches * tiles.sum_over_blocks(tiles.b_held_bytes, "kn"),
    }
    return actions_in_memory(
        gemm,
        filled_bytes={operand: count * filled for operand, filled in held.items()},
        a_in_west=a_in_west,
        partial_sum_bytes=count * traffic.partial_sum_bytes,
        dram_bytes=gemm.own_part(count * traffic.read_bytes) + gemm.own_part(count * traffic.write_bytes),
        reduced=gemm.own_part(count * traffic.reduced_elements),
    )


def actions_in_memory(
    gemm: Gemm,
    *,
    filled_bytes: Mapping[Operand, Any],
    a_in_west: bool | BoolArray,
    partial_sum_bytes: Any,
    dram_bytes: Any,
    reduced: Any,
) -> dict[str, Any]:
    """Actions of buffers, DRAM and the reduction engine, from what moves in all repetitions.

    Args:
        gemm: the product.
        filled_bytes: written into the buffer of each operand.
        a_in_west: whether A is the operand in the west buffer.
        partial_sum_bytes: written to DRAM unfinished, and as many read back.
        dram_bytes: read and written.
        reduced: elements of the operand reduced on its way in; each meets the N kept so far.
    """
    counts = counts_in_memory(
        _where(a_in_west, filled_bytes["a"], filled_bytes["b"]),
        _where(a_in_west, filled_bytes["b"], filled_bytes["a"]),
        partial_sum_bytes,
        finished_sum_bytes(gemm),
        dram_bytes,
        reduced * gemm.format_of(gemm.reduced_on_load or "b").sorted_kept,
    )
    return dict(zip(IN_MEMORY, counts, strict=True))


def passed_sum_bytes(gemm: Gemm) -> int:
    """Bytes of finished sums that pass the output port, all repetitions."""
    return gemm.count * gemm.m * gemm.n * SUM_BYTES


def finished_sum_bytes(gemm: Gemm) -> int:
    """Bytes of sums that leave the output buffer for good, all repetitions."""
    blocks = gemm.packed if gemm.diagonal == "c" else 1
    return gemm.count * gemm.m * gemm.n // blocks * SUM_BYTES


def applied_actions(gemm: Gemm, elements: tuple[Any, Any]) -> dict[str, Any]:
    """Actions of the lanes before the buffers; none where nothing is applied on the way in.

    Args:
        gemm: the product.
        elements: of A and of B that pass them, in all repetitions.
    """
    if not any(gemm.applied):
        return {}
    pairs = zip(gemm.applied, elements, strict=True)
    return {"vector_operations": sum_in_order(each * gemm.own_part(passed) for each, passed in pairs)}


def _where(condition: bool | BoolArray, then: Any, otherwise: Any) -> Any:
    if isinstance(condition, np.ndarray):
        return np.where(condition, then, otherwise)
    return then if condition else otherwise


def merge(*counts: Actions) -> dict[str, Any]:
    """Sum of several counts, action by action."""
    total: dict[str, Any] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total
