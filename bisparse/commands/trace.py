"""``bisparse trace``: the DRAM bursts of one operator, for a simulator of memories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import defaults
from ..configs.whole_file import written_whole
from . import options
from .groups import grouped
from .terminal import Progress, print_json, print_table

if TYPE_CHECKING:
    from ..sim.bursts.burst_trace import BurstTrace, Written

Operator = Annotated[
    str,
    typer.Argument(metavar="OPERATOR", help="Operator, such as layer1.0.conv1:FF (see: simulate --show-schedule)."),
]
TraceOut = Annotated[Path, typer.Option("--out", metavar="FILE", help="The trace; compressed when it ends in .gz.")]
Form = Annotated[str, typer.Option("--format", metavar="NAME", help="ramulator, ramulator2 or dramsim3.")]
Limit = Annotated[
    int | None,
    options.whole("--limit", metavar="N", example=1000000, help="Most bursts written. [all]"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFile:
    """Where the bursts go, and how."""

    out: TraceOut
    form: Form = "ramulator"
    limit: Limit = None


@grouped
def trace(
    workload: options.Workload,
    operator: Operator,
    file: TraceFile,
    design: options.Design,
    recipe: options.RecipeOption = defaults.RECIPE,
    sparsity: options.Sparsity = None,
    *,
    step: options.Batch,
    as_json: options.Json = False,
) -> None:
    """Write the DRAM bursts of one operator, in order, with the addresses of its tensors beside them.

    Beside FILE stands FILE.map.json: base address and size of every tensor. ramulator is the memory trace of Ramulator
    (0xADDR R), ramulator2 the load-store trace of Ramulator 2 (LD 0xADDR), dramsim3 that of DRAMsim3 (0xADDR READ 0).

    Example: bisparse trace resnet18-tinyimagenet layer1.0.conv1:FF --out conv.trace.gz --limit 1000000
    """
    from ..configs.formats import parse_format
    from ..runs import make_simulator
    from ..sim.bursts.burst_trace import BurstTrace, tensor_work
    from ..training.recipes.declaration import load_recipe

    simulator = make_simulator(workload, design.load(), step)
    with Progress() as progress:
        progress(f"scheduling {workload}", 0, 1)
        schedule = simulator.schedule(load_recipe(recipe), parse_format(sparsity or defaults.SPARSITY))
        bursts = BurstTrace(schedule=schedule, work=tensor_work(schedule, operator))
        progress(f"tracing {operator}", 0, 1)
        beside = file.out.with_name(f"{file.out.name}.map.json")
        # Addresses mean nothing without their bursts: both are of one trace.
        with written_whole(beside) as addresses, written_whole(file.out) as lines:
            written = bursts.write(lines, file.form, file.limit)
            document = _document(bursts, written, file.form, simulator.batch)
            addresses.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print_json(document)
        return
    rows = [("tensor", "base", "bytes")]
    rows += [(each["name"], each["base"], f"{each['size_bytes']:,}") for each in document["tensors"]]
    print_table(rows, right=(1, 2))
    cut = f", cut by --limit {file.limit}" if written.cut else ""
    print(
        f"\n{written.bursts:,} bursts of {bursts.burst_bytes} bytes ({written.reads:,} read, "
        f"{written.bursts - written.reads:,} written){cut}: {file.out}\naddresses: {beside}"
    )


def _document(bursts: BurstTrace, written: Written, form: str, batch: int) -> dict[str, Any]:
    schedule = bursts.schedule
    return {
        "schema_version": 1,
        "workload": schedule.pruned.graph.name,
        "operator": bursts.work.operator,
        "hardware": schedule.hardware.name,
        "recipe": schedule.pruned.recipe.name,
        "sparsity": str(schedule.pruned.pattern),
        "batch": batch,
        "mappings": {product.gemm.name: str(product.mapping) for product in bursts.work.products},
        "format": form,
        "burst_bytes": bursts.burst_bytes,
        "bursts": written.bursts,
        "reads": written.reads,
        "writes": written.bursts - written.reads,
        "cut": written.cut,
        "tensors": [
            {"name": tensor.name, "base": f"0x{tensor.base:x}", "size_bytes": tensor.size_bytes}
            for tensor in bursts.tensors.values()
        ],
    }
