"""Options that several commands share, and the command line that repeats a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .. import defaults
from .usage import whole_number

Workload = Annotated[
    str,
    typer.Argument(metavar="WORKLOAD", help="Shipped workload (see: bisparse workloads list) or captured graph.json."),
]
HardwareOption = Annotated[
    str | None,
    typer.Option("--hardware", metavar="NAME|FILE", help=f"Shipped design or YAML file. [{defaults.HARDWARE}]"),
]
Sparsity = Annotated[
    str | None,
    typer.Option("--sparsity", metavar="N:M", help=f"N kept of every M, 1 <= N <= M <= 32. [{defaults.SPARSITY}]"),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch",
        metavar="B",
        parser=whole_number("--batch", at_least=1, example=512),
        help="Samples. [the workload's own]",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="analytic: closed forms, milliseconds; event: the step played, with a timeline in --out of a run.",
    ),
]
ObjectiveOption = Annotated[
    str | None,
    typer.Option(
        "--objective",
        metavar="NAME",
        help="What the mapping of each product, on its own, minimises: time, energy or energy-delay (of that product, "
        "not of the step). [time]",
    ),
]
OptimizerOption = Annotated[
    str | None, typer.Option("--optimizer", metavar="NAME", help="sgd, sgd-momentum or adam. [sgd-momentum]")
]
PreGeneration = Annotated[
    bool | None,
    typer.Option(
        "--pre-generation/--no-pre-generation",
        help="Make N:M weights in the update, or on the way into FF and BP. [the design's policy]",
    ),
]
Interleave = Annotated[
    bool | None,
    typer.Option(
        "--interleave/--no-interleave",
        help="Let a processing element turn between accumulations, or work on one at a time. [interleave]",
    ),
]
OverlapUpdate = Annotated[
    bool | None,
    typer.Option(
        "--overlap-update/--no-overlap-update",
        help="Update weights beside the backward pass, or after it. [the design's policy]",
    ),
]
KeepOnChip = Annotated[
    bool | None,
    typer.Option(
        "--keep-on-chip/--no-keep-on-chip",
        help="Keep tensors that fit in the buffers until their last use, or send all through DRAM. "
        "[the design's policy]",
    ),
]
OverlapVector = Annotated[
    bool | None,
    typer.Option(
        "--overlap-vector/--no-overlap-vector",
        help="Run vector work beside products that it neither needs nor feeds, or in turn. [the design's policy]",
    ),
]
Densities = Annotated[
    Path | None,
    typer.Option(
        "--densities",
        metavar="DIR",
        help="Directory of a training run: its densities.csv says how many products have two non-zero operands.",
    ),
]
TrainingSteps = Annotated[
    int | None,
    typer.Option(
        "--training-steps",
        metavar="N",
        parser=whole_number("--training-steps", at_least=1, example=10000),
        help="Also simulate a whole training run of so many steps, phase by phase.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write result.json, operators.csv, report.html and report.md here."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Open = Annotated[
    bool, typer.Option("--open", help="Open the report in a browser (in a temporary folder without --out).")
]

_OF_THE_TERMINAL = frozenset({"as_json", "open_report"})
"""Parameters that change where a run is shown, not what it is."""


def invocation(context: typer.Context) -> str:
    """The command line that repeats this run: what was given, in the order that the help lists it.

    Args:
        context: of the running command.
    """
    words = context.command_path.split()
    for parameter in context.command.params:
        name = parameter.name or ""
        value = context.params.get(name)
        if value is None or value == parameter.default or name in _OF_THE_TERMINAL:
            continue
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif isinstance(value, bool):
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            words += [parameter.opts[0], str(value)]
    return shlex.join(words)
