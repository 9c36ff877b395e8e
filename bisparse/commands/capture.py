"""``bisparse capture``: a torch module's training step as a graph file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import defaults
from ..configs.errors import CaptureError
from . import options
from .terminal import Progress, note, print_table

if TYPE_CHECKING:
    from ..training.graph import TrainingGraph


Factory = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:FACTORY|FILE.py:FACTORY", help="A function without arguments that returns a module."
    ),
]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="One input without the batch: 3x224x224, 512:int for indices, 3x32x32:bf16 (or fp16, fp32). "
        "16xBx64 where the batch is not first; name=64:int by name. Repeat it.",
    ),
]
Batch = Annotated[
    int,
    options.whole("--batch", metavar="B", example=32, help="Samples, unless a simulation says otherwise."),
]
Loss = Annotated[
    str | None,
    typer.Option(
        "--loss",
        metavar="NAME|PACKAGE.MODULE:FUNCTION",
        help="cross-entropy, token-cross-entropy, mean, or your own. [by the output's shape]",
    ),
]
ExpertLoad = Annotated[
    str | None,
    typer.Option(
        "--expert-load",
        metavar="A,B,...",
        help="Rows that each expert of a mixture gets, relative to the others'. [balanced]",
    ),
]
Name = Annotated[str | None, typer.Option("--name", metavar="N", help="Of the workload. [the factory's]")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The graph. [NAME.json]")]
Cached = Annotated[bool, typer.Option("--cache/--no-cache", help="Use a graph captured before, if unchanged.")]


def capture(
    factory: Factory,
    inputs: Inputs,
    batch: Batch = defaults.BATCH,
    loss: Loss = None,
    name: Name = None,
    out: Out = None,
    expert_load: ExpertLoad = None,
    strict: options.Strict = False,
    cached: Cached = True,
) -> None:
    """Capture a torch module as a workload.

    The factory is imported from the working directory or from what is installed; shapes are all that its step sees.

    Example: bisparse capture mymodels.resnet:resnet18 --input 3x224x224 --batch 256 --out resnet18.json
    """
    from ..training.expert_loads import parse_expert_loads
    from ..training.input_shape import parse_input_shape

    loads = None if expert_load is None else parse_expert_loads(expert_load)
    shapes = [parse_input_shape(text) for text in inputs]
    _check_torch()
    from ..training.capture import GraphCache, capture_factory
    from ..training.graph_file import save_graph
    from ..training.uncounted import refuse_uncounted
    from ..training.workloads import capture_source

    called = name or factory.rpartition(":")[2].rpartition(".")[2] or "captured"
    with Progress() as progress:
        progress(f"capturing {factory}", 0, 1)
        graph = capture_factory(
            factory,
            shapes,
            name=called,
            default_batch=batch,
            source=capture_source(factory, shapes, name=called, batch=batch, loss=loss, expert_loads=loads),
            loss=loss,
            expert_loads=loads,
            cache=GraphCache() if cached else None,
        )
    if strict:
        refuse_uncounted(graph)
    target = out or Path(f"{called}.json")
    save_graph(graph, target)
    _summarise(graph)
    print(f"graph: {target}")


def _check_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise CaptureError('capture: got no torch, need it installed; try pip install "bisparse[torch]"')


def _summarise(graph: TrainingGraph) -> None:
    from ..training.uncounted import uncounted
    from .workloads import stage_table

    for unknown in graph.unknown:
        shown = ", ".join("x".join(map(str, shape)) for shape in unknown.shapes)
        note(f"{unknown.module or graph.name}: got operator {unknown.name} ({shown}), unknown: priced as one pass")
    macs = graph.macs(graph.default_batch)
    print(f"{graph.name}: a training step at batch {graph.default_batch}, {macs:,} multiply-accumulates")
    missing = uncounted(graph)
    if missing:
        share = 100 * len(missing) / len(graph.operators)
        print(
            f"warning: not counted is what {', '.join(sorted(set(missing.values())))} may multiply: "
            f"{len(missing)} of {len(graph.operators)} operators ({share:.2g}%); --strict refuses"
        )
    for sentence in graph.notes:
        print(f"note: {sentence}")
    print_table(stage_table(graph, graph.default_batch), right=(1, 2, 3))
