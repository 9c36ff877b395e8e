"""``bisparse ablate``: what each optimisation of the accelerator buys, on its own and with the others."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import defaults
from ..sim.options import Options
from . import options
from .groups import DeclaredIn, grouped
from .pages import Output
from .terminal import Progress

if TYPE_CHECKING:
    from ..sim.studies.ablation.ablation import Ablation

Step = Annotated[dict[str, Any], DeclaredIn(Options, only=("batch", "engine", "objective", "optimizer"))]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write ablation.json, ablation.csv, ablation.html and ablation.md here."),
]


@grouped
def ablate(
    workload: options.Workload,
    design: options.Design,
    recipe: options.RecipeOption = defaults.RECIPE,
    sparsity: options.Sparsity = None,
    *,
    step: Step,
    out: Out = None,
    output: Output,
) -> None:
    """Measure what each optimisation buys.

    Interleave, pre-generation of N:M weights, choice of a dataflow for each product, update beside the backward pass: a
    step with all of them off, each on alone, each off alone, and all on. Everything off, the dataflow is output
    stationary where the design offers it.

    Example: bisparse ablate resnet50-imagenet --sparsity 2:8 --out runs/ablation
    """
    from ..configs.formats import parse_format
    from ..runs import make_simulator
    from ..sim.studies.ablation.run_ablation import ablate as run_ablation
    from ..training.recipes.declaration import load_recipe

    output.hold(out)
    with Progress() as progress:
        simulator = make_simulator(workload, design.load(), step)
        result = run_ablation(simulator, load_recipe(recipe), parse_format(sparsity or defaults.SPARSITY), progress)

    def write(directory: Path, command: str) -> Path:
        from ..reports.ablation.directory import ABLATION

        return ABLATION.write(result, directory, command=command, keep_command=True)

    output.deliver(out, write=write, document=result.document, show=lambda: _print(result))


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
