"""``bisparse capture``: a torch module's training step as a graph file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import defaults
from ..configs.errors import CaptureError
from ..configs.needs import install_line
from . import options
from .groups import grouped
from .terminal import Progress, note, print_table

if TYPE_CHECKING:
    from ..training.capture import NetworkSource
    from ..training.capture_request import CaptureRequest
    from ..training.graph import TrainingGraph
    from ..training.input_shape import InputShape


Network = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:FACTORY|FILE.py:FACTORY|FILE",
        help="A function without arguments that returns a module; or a file: .onnx, .pt2, a Hugging Face config.json.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="One input without the batch: 3x224x224, 512:int for indices, 3x32x32:bf16 (or fp16, fp32). "
        "16xBx64 where the batch is not first, 2x500:int:whole where there is none; name=64:int by name, name.key=64 "
        "in a dictionary. Repeat it. A file that says its inputs needs none.",
    ),
]
Batch = Annotated[
    int | None,
    options.whole(
        "--batch",
        metavar="B",
        example=32,
        help=f"Samples, unless a simulation says otherwise. [{defaults.BATCH}; 1 where no input has a batch]",
    ),
]
FixedBatch = Annotated[
    bool,
    typer.Option("--fixed-batch", help="Capture at this batch alone: where samples meet samples (contrastive losses)."),
]
Inference = Annotated[
    bool, typer.Option("--inference", help="Capture the forward pass alone, as a network in evaluation mode runs it.")
]
Decode = Annotated[
    bool,
    typer.Option(
        "--decode", help="Capture one token more, on the cache (past_key_values) that a pass over the inputs leaves."
    ),
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
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="A checkpoint of the network (.pt, .pth, .bin, .safetensors): its shapes are checked, its zeros told.",
    ),
]
Name = Annotated[str | None, typer.Option("--name", metavar="N", help="Of the workload. [the factory's]")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The graph. [NAME.json]")]
Cached = Annotated[bool, typer.Option("--cache/--no-cache", help="Use a graph captured before, if unchanged.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a network is captured."""

    loss: Loss = None
    expert_load: ExpertLoad = None
    inference: Inference = False
    decode: Decode = False
    fixed_batch: FixedBatch = False
    weights: Weights = None

    def request(self) -> CaptureRequest:
        """The same, checked."""
        from ..training.capture_request import CaptureRequest
        from ..training.expert_loads import parse_expert_loads

        if self.loss is not None and (self.inference or self.decode):
            raise CaptureError("--loss: got it with --inference or --decode, which have none; need one of them")
        return CaptureRequest(
            loss=self.loss,
            expert_loads=None if self.expert_load is None else parse_expert_loads(self.expert_load),
            inference=self.inference,
            decode=self.decode,
            fixed_batch=self.fixed_batch,
            weights=self.weights,
        )


@grouped
def capture(
    network: Network,
    inputs: Inputs = None,
    batch: Batch = None,
    name: Name = None,
    out: Out = None,
    strict: options.Strict = False,
    cached: Cached = True,
    *,
    asked: Asked,
) -> None:
    """Capture a torch module as a workload.

    The factory is imported from the working directory or from what is installed; shapes are all that its step sees.

    Example: bisparse capture mymodels.resnet:resnet18 --input 3x224x224 --batch 256 --out resnet18.json
    """
    from ..training.input_shape import parse_input_shape

    request, given = asked.request(), [parse_input_shape(text) for text in inputs or ()]
    _check_torch()
    from ..training.capture import GraphCache, capture_path, find_source
    from ..training.uncounted import refuse_uncounted
    from ..training.workloads import capture_source

    with Progress() as progress:
        progress(f"capturing {network}", 0, 1)
        found = find_source(network)
        called = name or found.name or "captured"
        shapes = given or _own_inputs(network, found)
        samples = _samples(network, found, shapes, batch)
        if found.batch is not None:
            request = replace(request, fixed_batch=True)
        graph = capture_path(
            network,
            shapes,
            name=called,
            default_batch=samples,
            source=capture_source(network, given, name=called, batch=samples, request=request),
            request=request,
            cache=GraphCache() if cached else None,
            found=found,
        )
    if strict:
        refuse_uncounted(graph)
    target = out or Path(f"{called}.json")
    graph.save(target)
    _summarise(graph)
    print(f"graph: {target}")


def _own_inputs(network: str, found: NetworkSource) -> tuple[InputShape, ...]:
    """The inputs that a network says it takes; nobody said others."""
    if found.inputs is None:
        told = f", of which it says: {found.unsaid}" if found.unsaid else ""
        raise CaptureError(
            f"--input: got nothing, need a shape for each input of {network}{told}; try --input 3x224x224"
        )
    return found.inputs


def _samples(network: str, found: NetworkSource, shapes: Sequence[InputShape], batch: int | None) -> int:
    """The batch of a capture: the one that was asked for, or the only one at which a network runs."""
    from ..workload import batch_of

    if found.batch is None:
        return batch if batch is not None else batch_of(shapes)
    if batch not in (None, found.batch):
        raise CaptureError(
            f"{network}: --batch: got {batch}, need {found.batch}, the only batch that the file runs at; try exporting "
            "it with a batch that is free"
        )
    return found.batch


def _check_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise CaptureError(f"capture: got no torch, need it installed; try {install_line('torch')}")


def _summarise(graph: TrainingGraph) -> None:
    from ..training.uncounted import uncounted
    from .workloads import stage_table

    for unknown in graph.unknown:
        shown = ", ".join("x".join(map(str, shape)) for shape in unknown.shapes)
        note(f"{unknown.module or graph.name}: got operator {unknown.name} ({shown}), unknown: priced as one pass")
    macs = graph.macs(graph.default_batch)
    what = "a forward pass" if graph.inference else "a training step"
    at = f"batch {graph.default_batch}{' alone' if graph.fixed_batch else ''}"
    print(f"{graph.name}: {what} at {at}, {macs:,} multiply-accumulates")
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
