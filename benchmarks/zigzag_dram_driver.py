"""Run in ZigZag's own environment: the fewest DRAM bytes that it finds for one matrix product.

Usage: ``python zigzag_dram_driver.py REQUEST.json FOLDER``. The request names the product, the array, the capacities
and how far the search goes, as ``against_zigzag.py`` writes them. A byte moved in DRAM costs a billion times what one
moved in a buffer costs, and ZigZag looks for the least energy, so it looks for the fewest bytes in DRAM. One search for
each pair of axes along the array; one that takes too much CPU time is given up. Prints one JSON document last. ZigZag
writes its results to the folder that it is given.
"""

import json
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zigzag.api import get_hardware_performance_zigzag
from zigzag.hardware.architecture.memory_port import DataDirection

SUM_BITS = 32
VALUE_BITS = 16
DRAM_ENERGY, BUFFER_ENERGY = 1.0, 1e-9
DRAM_BITS = 8
"""Bits a DRAM access: accesses are bytes then."""

PORT_BITS = 1 << 20
"""Bits a buffer access: ports never set the pace."""

PLACES = {"I": "a", "W": "b", "O": "c"}
"""What ZigZag calls the operands and the result."""


class TooLongError(Exception):
    """A search took more CPU time than it may."""


def main() -> None:
    """Map the product that the request describes."""
    request, folder = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    signal.signal(signal.SIGPROF, _give_up)
    found = {axes: _search(request, axes, folder) for axes in request["axes"]}
    print()
    print(json.dumps({"dram_bytes": found, "version": version("zigzag-dse")}))


def _give_up(*_: object) -> None:
    raise TooLongError


def _search(request: dict[str, Any], axes: str, folder: Path) -> dict[str, int] | None:
    """Bytes of each operand in the best mapping with some axes along the array; None when it took too long."""
    signal.setitimer(signal.ITIMER_PROF, request["cpu_seconds"])
    try:
        return _dram_bytes(_best(request, axes, folder))
    except TooLongError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _best(request: dict[str, Any], axes: str, folder: Path) -> Any:
    """ZigZag's account of the best mapping."""
    accelerator, mapping = folder / "accelerator.yaml", folder / "mapping.yaml"
    # JSON is YAML.
    accelerator.write_text(json.dumps(_accelerator(request)), encoding="utf-8")
    mapping.write_text(json.dumps(_mapping(request, axes)), encoding="utf-8")
    _, _, evaluations = get_hardware_performance_zigzag(
        workload=[_layer(request)],
        accelerator=str(accelerator),
        mapping=str(mapping),
        opt="energy",
        dump_folder=str(folder),
        pickle_filename=str(folder / "found.pickle"),
        lpf_limit=request["lpf_limit"],
        loma_show_progress_bar=False,
    )
    return evaluations[0][1][0][0]


def _dram_bytes(evaluation: Any) -> dict[str, int]:
    """Bytes read and written of each operand, at the memory level farthest out."""
    return {
        PLACES[operand.name]: sum(levels[-1].get(direction) for direction in DataDirection)
        for operand, levels in evaluation.memory_word_access.items()
    }


def _layer(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 0,
        "name": "product",
        "operator_type": "Gemm",
        "equation": "O[m][n]+=I[m][k]*W[k][n]",
        "dimension_relations": [],
        "loop_dims": ["M", "N", "K"],
        "loop_sizes": [request["m"], request["n"], request["k"]],
        "operand_precision": {"I": VALUE_BITS, "W": VALUE_BITS, "O": SUM_BITS, "O_final": 8 * request["result_bytes"]},
        "operand_source": {"I": 0, "W": 0},
    }


def _mapping(request: dict[str, Any], axes: str) -> list[dict[str, Any]]:
    """Which axes lie along the array's rows and columns; all else is ZigZag's to find."""
    along_rows, along_cols = axes.upper()
    return [
        {
            "name": "default",
            "spatial_mapping": {
                "D1": [f"{along_rows}, {request['rows']}"],
                "D2": [f"{along_cols}, {request['cols']}"],
            },
            "memory_operand_links": {"I": "I1", "W": "I2", "O": "O"},
        }
    ]


def _accelerator(request: dict[str, Any]) -> dict[str, Any]:
    """An array, a buffer an operand that doubles what is replaced, and DRAM."""
    capacities = {"I1": request["west_bytes"], "I2": request["north_bytes"], "O": request["output_bytes"]}
    buffers = {
        f"buffer_{operand}": _memory([operand], size, BUFFER_ENERGY * PORT_BITS / DRAM_BITS, PORT_BITS, doubled=True)
        for operand, size in capacities.items()
    }
    return {
        "name": "array_with_three_buffers",
        "operational_array": {
            "unit_energy": 0.0,
            "unit_area": 1.0,
            "dimensions": ["D1", "D2"],
            "sizes": [request["rows"], request["cols"]],
        },
        "memories": {
            **buffers,
            "dram": _memory(list(capacities), 1 << 40, DRAM_ENERGY, DRAM_BITS, doubled=False),
        },
    }


def _memory(operands: list[str], size_bytes: int, energy: float, bits: int, *, doubled: bool) -> dict[str, Any]:
    """One memory that serves the whole array, a port an operand and direction."""
    ports = [
        {
            "name": f"{letter}_port_{number}",
            "type": kind,
            "bandwidth_min": 8,
            "bandwidth_max": bits,
            "allocation": [f"{operand}, {direction}" for direction in ways[operand == "O"]],
        }
        for number, operand in enumerate(operands)
        for letter, kind, ways in (("r", "read", (("tl",), ("tl", "th"))), ("w", "write", (("fh",), ("fh", "fl"))))
    ]
    return {
        "size": 8 * size_bytes,
        "r_cost": energy,
        "w_cost": energy,
        "area": 0.0,
        "latency": 1,
        "operands": operands,
        "ports": ports,
        "served_dimensions": ["D1", "D2"],
        "force_double_buffering": doubled,
    }


if __name__ == "__main__":
    main()
