"""What a product that was run cost: its tiles added up, as the rest of the program reads it."""

from __future__ import annotations

from collections import Counter

from ...accel.specification import SIDES
from ...dataflow.actions import actions_in_memory, actions_on_array, applied_actions, merge
from ...dataflow.product_cost import ProductCost
from .tensor_engine import ProductRun
from .tile_program import Tile, TileProgram


def product_figures(program: TileProgram, run: ProductRun) -> ProductCost:
    """The figures of one run: cycles as played, traffic and actions as its tiles moved them."""
    total: Counter[str] = Counter()
    for tile, times in run.tiles.items():
        for name, figure in _figures(tile).items():
            total[name] += times * figure
    gemm, array = program.gemm, program.mapping.array
    for name in ("read", "written", "reduced"):
        total[name] = int(gemm.own_part(total[name]))
    on_array = actions_on_array(
        gemm,
        program.hardware.tensor_engine.timing,
        array.lying,
        trips_k=len(program.walk.sizes_k),
        west_bytes=total["west bytes"],
        north_bytes=total["north bytes"],
        output_bytes=total["output bytes"],
    )
    in_memory = actions_in_memory(
        gemm,
        filled_bytes={"a": total["a filled"], "b": total["b filled"]},
        a_in_west=array.west == "a",
        partial_sum_bytes=total["partial sums"],
        dram_bytes=total["read"] + total["written"],
        reduced=total["reduced"],
    )
    return ProductCost(
        cycles=run.cycles,
        causes=run.causes,
        dram_cycles=total["dram"],
        read_bytes=total["read"],
        write_bytes=total["written"],
        port_bytes={side: total[f"{side} bytes"] for side in SIDES},
        reduced_elements=total["reduced"],
        actions=merge(on_array, in_memory, applied_actions(gemm, (total["a applied"], total["b applied"]))),
        busy={name: total[name] for name in _resources(program)},
    )


def _resources(program: TileProgram) -> list[str]:
    """Names that results give to resources that are busy; of equals the first limits."""
    ports = [f"{port} port" for port in program.hardware.buffers.port_widths]
    return ["array", *ports, "reduction", "dram", *(["load lanes"] if any(program.gemm.applied) else [])]


def _figures(tile: Tile) -> dict[str, int]:
    on_array = tile.on_array
    return {
        "array": on_array.array_cycles,
        **{f"{side} port": cycles for side, cycles in on_array.port_cycles.items()},
        **{f"{side} bytes": moved for side, moved in on_array.port_bytes.items()},
        "reduction": tile.sort_cycles,
        "dram": tile.dram_cycles,
        "a filled": tile.filled_bytes["a"],
        "b filled": tile.filled_bytes["b"],
        "read": tile.read_bytes,
        "written": tile.write_bytes,
        "partial sums": tile.partial_sum_bytes,
        "reduced": tile.reduced_elements,
        "load lanes": tile.load_lane_cycles,
        "a applied": tile.applied_elements["a"],
        "b applied": tile.applied_elements["b"],
    }
