"""``bisparse ablate``: what each optimisation of the accelerator buys, on its own and with the others."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import __version__, defaults
from . import options
from .pages import show_page, write_page
from .terminal import Progress, print_json

if TYPE_CHECKING:
    from ..reports.shared.report_kind import JsonReport
    from ..sim.studies.ablation.ablation import Ablation

Recipe = Annotated[str, typer.Option("--recipe", metavar="NAME|FILE", help="Shipped recipe or YAML file.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write ablation.json, ablation.csv, ablation.html and ablation.md here."),
]


def ablate(
    context: typer.Context,
    workload: options.Workload,
    hardware: options.HardwareOption = None,
    recipe: Recipe = defaults.RECIPE,
    sparsity: options.Sparsity = None,
    batch: options.Batch = None,
    engine: options.Engine = "analytic",
    objective: options.ObjectiveOption = None,
    optimizer: options.OptimizerOption = None,
    out: Out = None,
    as_json: options.Json = False,
    open_report: options.Open = False,
) -> None:
    """Measure what each optimisation buys.

    Interleave, pre-generation of N:M weights, choice of a dataflow for each product, update beside the backward pass: a
    step with all of them off, each on alone, each off alone, and all on. Everything off, the dataflow is output
    stationary where the design offers it.

    Example: bisparse ablate resnet50-imagenet --sparsity 2:8 --out runs/ablation
    """
    from ..accel.specification import load_hardware
    from ..api import load_workload
    from ..configs.pattern import Pattern
    from ..sim.simulation import Options, Simulator
    from ..sim.studies.ablation.run_ablation import ablate as run_ablation
    from ..training.recipes.declaration import load_recipe

    given = {"batch": batch, "engine": engine, "objective": objective, "optimizer": optimizer}
    asked: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with Progress() as progress:
        simulator = Simulator(
            workload=load_workload(workload),
            hardware=load_hardware(hardware or defaults.HARDWARE),
            options=Options(**asked),
            version=__version__,
        )
        result = run_ablation(simulator, load_recipe(recipe), Pattern.parse(sparsity or defaults.SPARSITY), progress)

    def kind() -> JsonReport[Ablation]:
        from ..reports.ablation.directory import ABLATION

        return ABLATION

    page = write_page(kind, result, context, out, open_page=open_report)
    if as_json:
        print_json(result.document())
    else:
        _print(result)
    if page is not None:
        show_page(page, open_page=open_report, as_json=as_json)


def _print(result: Ablation) -> None:
    """Plain text; on a terminal as wide as it is, the bars in colour."""
    from ..reports import ablation_text

    if not sys.stdout.isatty():
        print(ablation_text(result))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    plain = ablation_text(result, width=max(console.width, 40))
    text = Text(plain)
    for start, end, style in _coloured(plain):
        text.stylize(style, start, end)
    console.print(text, soft_wrap=True)


def _coloured(text: str) -> list[tuple[int, int, str]]:
    """Where a part of a bar, or its key, stands, and its colour: a block, since ink and paper are the same."""
    from ..reports.ablation.terminal import MARKS

    colours = dict(zip(MARKS.values(), ("blue", "red", "yellow", "magenta", "bright_black", "green"), strict=True))
    marks = "".join(map(re.escape, colours))
    found = []
    for bar in re.finditer(rf"\|([{marks}]+)", text):
        for run in re.finditer(r"(.)\1*", bar[1]):
            found.append((bar.start(1) + run.start(), bar.start(1) + run.end(), run[1]))
    for part, mark in MARKS.items():
        found += [(key.start(), key.start() + 1, mark) for key in re.finditer(re.escape(f"{mark} {part}"), text)]
    return [(start, end, f"{colours[mark]} on {colours[mark]}") for start, end, mark in found]
