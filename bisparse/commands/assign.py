"""``bisparse assign``: a ratio for each layer of a trained network, the fastest within a budget for its accuracy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import defaults
from ..configs.errors import ConfigError
from ..configs.run_directory import sole_owner
from ..configs.whole_file import write_whole
from ..sim.options import Options
from . import options
from .groups import DeclaredIn, grouped
from .terminal import Progress, note, print_json
from .usage import between_commas

if TYPE_CHECKING:
    from ..configs.schema import Loaded
    from ..sim.studies.assignment.assignment import Assignment, ProxyName
    from ..sim.studies.assignment.prices import Ratios
    from ..sim.studies.assignment.run_assignment import Assigner
    from ..training.layer_costs import LayerCosts
    from ..training.recipes.declaration import Recipe
    from ..training.run_summary import RunSummary

RunDirectory = Annotated[
    Path,
    typer.Argument(
        metavar="RUN_DIR",
        help="Of a dense training run: its graph.json, and its layers.csv or what it takes to make it.",
    ),
]
PruningRecipe = Annotated[
    str, typer.Option("--recipe", metavar="NAME|FILE", help="Prunes weights, the N largest of each group.")
]
RatiosOption = Annotated[
    str | None,
    typer.Option(
        "--ratios",
        metavar="N:M,...",
        help="To choose from; 1:1 keeps a layer dense. [all that the design has, and 1:1]",
    ),
]
Like = Annotated[
    str | None,
    typer.Option(
        "--like",
        metavar="N:M",
        help=f"Be no worse than this ratio in all layers; it is chosen from, too. [{defaults.SPARSITY}]",
    ),
]
Keep = Annotated[
    float | None,
    typer.Option("--keep", metavar="SHARE", help="In place of --like: the least share of weight magnitude to keep."),
]
ProxyOption = Annotated[
    str,
    typer.Option(
        "--proxy",
        metavar="NAME",
        help="magnitude: what all masks keep; sensitivity: what pruning one layer alone in FF adds to the validation "
        "loss, summed, and what the masks of BP keep.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="PACKAGE.MODULE:FACTORY",
        help="Of a run of your own network: its factory again, for no code is run because a run's files name it.",
    ),
]
Step = Annotated[
    dict[str, Any],
    DeclaredIn(Options, only=("batch", "objective", "optimizer"), usual={"optimizer": "the run's own"}),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write a recipe with these ratios, as YAML.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is chosen from, and what it may cost in accuracy."""

    ratios: RatiosOption = None
    like: Like = None
    keep: Keep = None
    proxy: ProxyOption = "magnitude"

    def checked_proxy(self) -> ProxyName:
        """The proxy, once it is known to go with the rest.

        Raises:
            ConfigError: it does not, or there is no such.
        """
        from ..sim.studies.assignment.assignment import PROXIES

        proxy = next((each for each in PROXIES if each == self.proxy), None)
        if proxy is None:
            raise ConfigError(f"--proxy: got {self.proxy!r}, need one of {', '.join(PROXIES)}")
        if self.like is not None and self.keep is not None:
            raise ConfigError("--like, --keep: got both, need one of them")
        if self.keep is not None and (proxy != "magnitude" or not 0 <= self.keep <= 1):
            raise ConfigError(
                f"--keep: got {self.keep:g} with --proxy {proxy}, need a share from 0 to 1, and magnitude"
            )
        return proxy


@grouped
def assign(
    context: typer.Context,
    run_dir: RunDirectory,
    recipe: PruningRecipe = defaults.RECIPE,
    *,
    budget: Budget,
    on: options.Design,
    step: Step,
    model: ModelOption = None,
    device: options.Device = "cpu",
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Choose a ratio for each layer and stage: the fastest step that a proxy for accuracy allows.

    Measuring needs torch, once: what it finds is kept in layers.csv. Train the recipe written to know its accuracy.

    Example: bisparse assign runs/dense --ratios 1:8,2:8,4:8 --like 2:8 --out mine.yaml
    """
    from ..configs.pattern import Pattern
    from ..runs import make_simulator
    from ..sim.studies.assignment.run_assignment import Assigner
    from ..training.recipes.declaration import load_recipe
    from ..training.run_summary import GRAPH_FILE, SUMMARY_FILE, read_summary

    proxy = budget.checked_proxy()
    design = on.load()
    wanted = None if budget.keep is not None else Pattern.parse(budget.like or defaults.SPARSITY)
    listed = budget.ratios or ",".join((*design.model.tensor_engine.patterns, "1:1"))
    offered = [Pattern.parse(each) for each in between_commas("--ratios", listed, example="2:8,4:8")]
    loaded = load_recipe(recipe)
    if out is not None and out.resolve() in [file.resolve() for file in loaded.sources]:
        raise ConfigError(f"--out: got {out}, of which {loaded.model.name} is made, need another file")
    summary = read_summary(run_dir) if (run_dir / SUMMARY_FILE).exists() else None
    own = {} if summary is None else {"optimizer": summary.settings.optimizer}
    with Progress() as progress:
        assigner = Assigner(
            simulator=make_simulator(run_dir / GRAPH_FILE, design, own | step),
            recipe=loaded,
            ratios=tuple(dict.fromkeys([*offered, *([] if wanted is None else [wanted])])),
        )
        costs = _measured(
            context,
            run_dir,
            summary,
            assigner,
            model,
            sensitivity=proxy == "sensitivity",
            device=device,
            progress=progress,
        )
        result, found = assigner.assign(costs, proxy=proxy, like=wanted, keep=budget.keep, progress=progress)
    if wanted is not None and wanted not in offered:
        note(f"--like: {wanted} is not among --ratios, and is chosen from, too")
    if out is not None:
        _write(out, loaded, result, assigner.said(found), command=options.invocation(context))
    if as_json:
        print_json(result.document())
    else:
        from ..reports import assignment_text

        print(assignment_text(result))
    if out is not None:
        (note if as_json else print)(f"recipe: {out}")


def _measured(
    context: typer.Context,
    directory: Path,
    summary: RunSummary | None,
    assigner: Assigner,
    model: str | None,
    *,
    sensitivity: bool,
    device: str,
    progress: Progress,
) -> LayerCosts:
    """What ratios cost layers: out of the file where all of it is there, of these weights, else measured."""
    from ..training.layer_costs import LAYER_COSTS_FILE, load_layer_costs

    if (directory / LAYER_COSTS_FILE).exists():
        known = load_layer_costs(directory)
        current = known if summary is None else known.of_weights(summary.weights_sha256)
        if current.cover(assigner.places, sensitivity=sensitivity):
            return current
    from ..configs.needs import check_torch

    check_torch()
    from ..training.loop.layer_proxy import measure_run

    # What is measured is kept there.
    context.with_resource(sole_owner(directory, told=note))
    return measure_run(
        directory, assigner.places, model=model, sensitivity=sensitivity, device=device, told=note, progress=progress
    )


def _write(out: Path, base: Loaded[Recipe], result: Assignment, found: Ratios, *, command: str) -> None:
    from ..configs.library import is_shipped
    from ..training.recipes.per_layer import layer_rules, recipe_text

    file = base.sources[0]
    # Paths in a file are taken from beside it.
    beside = os.path.relpath(file.resolve(), out.resolve().parent)
    budget = f"no worse than {result.like} in all layers" if result.like else "within a budget"
    text = recipe_text(
        extends=base.model.name if is_shipped(file) else beside,
        name=f"{base.model.name}-per-layer",
        title=f"{base.model.title}, a ratio for each layer",
        source=f"bisparse assign: {budget} by {result.proxy}, for {result.inputs['workload'].name} at batch "
        f"{result.batch} on {result.inputs['hardware'].name}",
        rules=layer_rules(found),
        comments=(
            f"Made by: {command}",
            "It names every layer that a ratio could prune: the ratio asked for beside it says nothing more.",
        ),
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, text)
    except OSError as error:
        raise ConfigError(f"{out}: got {error.strerror}, need a file that can be written; try another --out") from error
