"""``bisparse workloads``: the shipped graphs, one graph by stage, a check of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .groups import grouped
from .shipped import as_path
from .terminal import print_json, print_table

if TYPE_CHECKING:
    from ..training.graph import TrainingGraph

app = typer.Typer(help="Workloads: list the shipped ones, show one, check a file.", no_args_is_help=True)


@app.command("list")
def list_workloads(as_json: options.Json = False) -> None:
    """List the shipped workloads."""
    from ..api import load_workload
    from ..configs.library import names

    figures = [_key_figures(load_workload(name).graph) for name in names("workloads")]
    if as_json:
        print_json({"workloads": figures})
        return
    rows = [("name", "batch", "parameters", "MACs a sample", "products", "title")]
    for each in figures:
        rows.append(
            (
                each["name"],
                str(each["default_batch"]),
                f"{each['parameters']:,}",
                f"{each['forward_macs_per_sample']:,}",
                str(each["products"]),
                each["title"],
            )
        )
    print_table(rows, right=(1, 2, 3, 4))


@app.command()
@grouped
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Shipped workload or captured graph.")],
    *,
    step: options.Batch,
    as_json: options.Json = False,
) -> None:
    """Show a workload by stage: operators, products, multiply-accumulates."""
    from ..api import load_workload

    loaded = load_workload(name)
    graph = loaded.graph
    samples = step.get("batch", graph.default_batch)
    saved = graph.saved_activations()
    elements = sum(tensor.elements(samples) for tensor in saved)
    if as_json:
        print_json(
            {
                **_key_figures(graph),
                "sha256": loaded.sha256,
                "source": graph.source,
                "batch": samples,
                "stages": stage_figures(graph, samples),
                "saved_activation_elements": elements,
                "unknown_operators": sorted({unknown.name for unknown in graph.unknown}),
            }
        )
        return
    print(f"{graph.name}: {graph.source}\nsha256: {loaded.sha256}\n\nat batch {samples}:")
    print_table(stage_table(graph, samples), right=(1, 2, 3))
    print(f"\nparameters: {_parameters(graph):,}")
    print(f"saved activations: {elements:,} elements in {len(saved)} tensors")
    if graph.unknown:
        print(f"unknown operators: {', '.join(sorted({unknown.name for unknown in graph.unknown}))}")


@app.command()
def check(file: Annotated[str, typer.Argument(metavar="FILE", help="A captured graph.")]) -> None:
    """Check a captured graph; prints 'ok' or what is wrong."""
    from ..api import load_workload

    graph = load_workload(as_path(file)).graph
    print(f"ok: {graph.name}, {len(graph.operators)} operators, {len(graph.unknown)} unknown")


def stage_figures(graph: TrainingGraph, batch: int) -> dict[str, dict[str, int]]:
    """Operators, products and multiply-accumulates of each stage."""
    from ..training.graph import Stage

    figures = {}
    for stage in Stage:
        operators = [operator for operator in graph.operators if operator.stage is stage]
        figures[stage.value] = {
            "operators": len(operators),
            "products": sum(operator.is_product for operator in operators),
            "macs": graph.macs(batch, stage),
        }
    return figures


def stage_table(graph: TrainingGraph, batch: int) -> list[tuple[str, ...]]:
    """The same to be read: a header, then a row a stage."""
    rows: list[tuple[str, ...]] = [("stage", "operators", "products", "MACs")]
    for stage, each in stage_figures(graph, batch).items():
        rows.append((stage, str(each["operators"]), str(each["products"]), f"{each['macs']:,}"))
    return rows


def _parameters(graph: TrainingGraph) -> int:
    return sum(tensor.elements(1) for tensor in graph.tensors.values() if tensor.role == "parameter")


def _key_figures(graph: TrainingGraph) -> dict[str, Any]:
    from ..training.graph import Stage

    return {
        "name": graph.name,
        "title": graph.source.partition("; made by")[0],
        "default_batch": graph.default_batch,
        "parameters": _parameters(graph),
        "operators": len(graph.operators),
        "products": sum(1 for _ in graph.products),
        "forward_macs_per_sample": graph.macs(1, Stage.FORWARD),
    }
