"""``bisparse gemm``: one matrix product, or a list of them, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs.errors import ConfigError
from . import options
from .groups import grouped
from .terminal import print_json, print_table

if TYPE_CHECKING:
    from ..accel.specification import Hardware
    from ..configs.schema import Loaded
    from ..sim.product.single_product import ProductResult


@grouped
def gemm(
    product: Annotated[str | None, typer.Argument(metavar="MxNxK", help="C[M, N] = A[M, K] B[K, N].")] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE.csv", help="Columns M, N, K, or a SCALE-Sim topology."),
    ] = None,
    sparsity: Annotated[
        str | None,
        typer.Option(
            "--sparsity",
            metavar="FORMAT",
            help="Of the weights, operand B, along K: 2:8, 80%, 75% block 16x16, 70% in each row. [dense]",
        ),
    ] = None,
    input_sparsity: Annotated[
        str | None,
        typer.Option(
            "--input-sparsity",
            metavar="FORMAT",
            help="Of the inputs, operand A, along K: 50%, or 2:8. Both lie in memory compressed. [dense]",
        ),
    ] = None,
    dataflow: Annotated[
        str | None,
        typer.Option(
            "--dataflow", metavar="NAME|best", help="Such as os, ws or is; one that the design offers. [best]"
        ),
    ] = None,
    *,
    on: options.Design,
    objective: options.Objective = None,
    as_json: options.Json = False,
) -> None:
    """Time one matrix product, nothing else.

    Two times are given. "array" is the tensor engine alone: the whole product as one tile, the best interleave of the
    dataflow, no memory. "mapped" adds buffers, ports and DRAM: the tiles and loop order that fit and are best for the
    objective. Utilisation is M x N x (kept K) over rows x cols x cycles: skipped work never counts as done.

    With --from, each row is timed, array alone, and printed as CSV with useful_macs, array_cycles and array_utilisation
    added. Columns rows, cols, dataflow and sparsity are read where the list has them; without, the array is the
    design's, and --dataflow and --sparsity are those of all rows. Topologies of SCALE-Sim are read as they are. On
    --hardware systolic-textbook, array_cycles is SCALE-Sim's 'Total Cycles' + 1 (it prints the index of the last
    cycle).

    Example: bisparse gemm 512x512x4096 --sparsity 2:8 --dataflow ws
    """
    if (product is None) == (listed is None):
        raise ConfigError("gemm: got both or neither of MxNxK and --from, need one; try bisparse gemm 512x512x4096")
    design = on.load()
    if listed is not None:
        if listed.is_dir():
            raise ConfigError(f"{listed}: got a folder, need a CSV list of products")
        if objective is not None:
            raise ConfigError("--objective: got it with --from, which times the array alone, need it without")
        if input_sparsity is not None:
            raise ConfigError("--input-sparsity: got it with --from, whose inputs are dense, need it without")
        _time_list(listed, design.model, dataflow=dataflow, sparsity=sparsity, as_json=as_json)
        return
    assert product is not None, "one of the two is given"
    formats = input_sparsity or "1:1", sparsity or "1:1"
    result = _time_product(product, formats, dataflow or "best", design, objective or "time")
    if as_json:
        print_json(result.document())
    else:
        _print_product(result)


def _time_product(
    product: str, formats: tuple[str, str], dataflow: str, design: Loaded[Hardware], objective: str
) -> ProductResult:
    from ..configs.formats import parse_format
    from ..dataflow.objective import parse_objective
    from ..sim.product.single_product import parse_dataflow, parse_product, plain_product, simulate_product

    of_inputs, of_weights = map(parse_format, formats)
    gemm = plain_product(*parse_product(product), of_weights, inputs=of_inputs)
    return simulate_product(gemm, design, parse_dataflow(dataflow), parse_objective(objective))


def _print_product(result: ProductResult) -> None:
    array, mapped = result.array, result.mapped
    print(
        f"{result.m}x{result.n}x{result.k}, {result.sparsity}, on {result.hardware}: {result.useful_macs:,} MACs kept\n"
    )
    print_table(
        [
            ("", "array alone", "mapped"),
            ("cycles", f"{array.cycles:,}", f"{mapped.cycles:,}"),
            ("utilisation", f"{array.utilisation:.1%}", f"{mapped.utilisation:.1%}"),
            ("seconds", "", f"{mapped.seconds:.6g}"),
            ("energy, joules", "", f"{mapped.energy_joules:.6g}"),
            ("DRAM read, bytes", "", f"{mapped.dram_read_bytes:,}"),
            ("DRAM written, bytes", "", f"{mapped.dram_write_bytes:,}"),
            ("limited by", "", mapped.limit),
        ],
        right=(1, 2),
    )
    print(f"\narray alone: {array.mapping}\nmapped:      {mapped.mapping} (of {mapped.candidates:,} candidates)")
    causes = sorted(mapped.stalls.items(), key=lambda cause: -cause[1])
    print(f"cycles go to: {', '.join(f'{cause} {cycles / mapped.cycles:.1%}' for cause, cycles in causes)}")


def _time_list(path: Path, design: Hardware, *, dataflow: str | None, sparsity: str | None, as_json: bool) -> None:
    from ..sim.product.product_list import FIGURES, read_products, timed

    # All rows before the first is printed: a list with a bad row gives a message and no half of an answer.
    rows = list(timed(read_products(path, dataflow=dataflow, sparsity=sparsity), design))
    if not rows:
        raise ConfigError(f"{path}: got no row, need at least one product")
    if as_json:
        print_json({"schema_version": 1, "hardware": design.name, "rows": rows})
        return
    import csv

    from ..configs.csv_cells import csv_cell

    # Rows of a topology may name a stride or a sparsity that others do not.
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in FIGURES))
    writer = csv.DictWriter(sys.stdout, fieldnames=[*columns, *FIGURES], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
