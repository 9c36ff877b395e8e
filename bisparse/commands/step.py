"""``bisparse simulate`` and ``bisparse compare``: one training step, beside the dense one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import defaults
from ..configs.errors import BisparseError, ConfigError, MappingError
from ..sim.options import Options
from . import options
from .completion import listed, shipped
from .groups import DeclaredIn, grouped
from .pages import Output
from .terminal import Progress, note, print_table
from .usage import between_commas, whole_number

if TYPE_CHECKING:
    from ..configs.operand_format import OperandFormat
    from ..configs.schema import Loaded
    from ..dataflow.schedule import Schedule
    from ..sim.results.simulation_result import SimulationResult
    from ..sim.schedule_file import SavedSchedule
    from ..sim.simulation import Simulator
    from ..training.recipes.declaration import Recipe

Recipes = Annotated[
    str | None,
    typer.Option(
        "--recipes",
        metavar="A,B,...",
        help=f"Shipped recipes or YAML files; A@RATIO has a ratio of its own. [{','.join(defaults.RECIPES)}; with "
        f"--weights {','.join(defaults.compared(own=True))}]",
        autocompletion=listed("recipes"),
    ),
]
Designs = Annotated[
    str,
    typer.Option(
        "--hardware",
        metavar="A,B,...",
        help="Shipped designs, YAML or SCALE-Sim .cfg files.",
        autocompletion=listed("hardware"),
    ),
]
Ratios = Annotated[
    str,
    typer.Option(
        "--sparsity",
        metavar="FORMAT,...",
        help="N:M, N kept of every M, 1 <= N <= M <= 32, or shares of zeros such as 80%; usual: each recipe's own.",
    ),
]
Batches = Annotated[str | None, typer.Option("--batch", metavar="B,...", help="Samples. [the workload's own]")]
RecipeOrSaved = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help=f"Shipped recipe or YAML file. [{defaults.RECIPE}; with --weights {defaults.OWN_RECIPE}]",
        autocompletion=shipped("recipes"),
    ),
]
SaveSchedule = Annotated[
    Path | None, typer.Option("--save-schedule", metavar="FILE", help="Save the mapping of every product as JSON.")
]
ReplaySchedule = Annotated[
    Path | None,
    typer.Option(
        "--schedule",
        metavar="FILE",
        help="Replay a saved schedule instead of searching. Options not given are taken from it; inputs must agree.",
    ),
]
SaveTimeline = Annotated[
    Path | None,
    typer.Option(
        "--timeline",
        metavar="FILE",
        help="Play the step (--engine event) and save its timeline for https://ui.perfetto.dev: t.json.gz, or t.json.",
    ),
]
ShowSchedule = Annotated[bool, typer.Option("--show-schedule", help="Print the mapping of every product.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What is simulated."""

    workload: options.Workload
    hardware: options.HardwareOption = None
    set_fields: options.SetFields = None
    recipe: RecipeOrSaved = None
    sparsity: options.Sparsity = None

    def chosen(self, saved: SavedSchedule | None, *, own: bool) -> tuple[str, str, str]:
        """Hardware, recipe and sparsity: as given, else as saved, else the defaults; with weights of one's own."""
        given = (self.hardware, self.recipe, self.sparsity)
        # What a checkpoint says is no ratio.
        usual = (defaults.HARDWARE, defaults.OWN_RECIPE if own else defaults.RECIPE, "" if own else defaults.SPARSITY)
        if saved is not None:
            usual = (saved.content.hardware, saved.content.recipe, saved.content.sparsity)
            for field, kind, said in (("hardware", "hardware", self.hardware), ("recipe", "recipes", self.recipe)):
                if said is None:
                    saved.check_known(field, kind)
        hardware, recipe, sparsity = (
            silent if said is None else said for said, silent in zip(given, usual, strict=True)
        )
        return hardware, recipe, sparsity


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """What becomes of the schedule and of its timeline, and where it comes from."""

    save_schedule: SaveSchedule = None
    schedule: ReplaySchedule = None
    show_schedule: ShowSchedule = False
    timeline: SaveTimeline = None

    def engine(self, step: dict[str, Any], *, given: bool) -> dict[str, Any]:
        """The engine that a timeline needs; nothing without one."""
        if self.timeline is None:
            return {}
        if given and step["engine"] != "event":
            got = f"got it with --engine {step['engine']}, which plays no step"
            raise ConfigError(f"--timeline: {got}, need the event engine; try --engine event")
        return {"engine": "event"}


@grouped
def simulate(
    inputs: Inputs,
    step: options.Step,
    training_steps: options.TrainingSteps = None,
    out: options.Out = None,
    strict: options.Strict = False,
    *,
    decision: options.Decision,
    schedules: Schedules,
    output: Output,
) -> None:
    """Simulate one training step, and the dense one.

    Example: bisparse simulate resnet18-tinyimagenet --recipe bdwp --sparsity 2:8 --out runs/resnet18
    """
    if schedules.show_schedule and output.as_json:
        raise ConfigError("--show-schedule: got it with --json, need one of them; try --save-schedule FILE")
    if schedules.schedule is not None and training_steps is not None:
        raise ConfigError("--training-steps: got it with --schedule, which is of one step; need one of them")
    played = schedules.engine(step, given=output.is_given("engine"))
    own = step.get("weights") is not None
    if own and (schedules.schedule or schedules.save_schedule) is not None:
        raise ConfigError("--weights: got it with a saved schedule, which holds for a ratio, need one of them")
    output.hold(out)
    from ..configs.formats import parse_format
    from ..runs import Column, beside_the_step
    from ..sim import schedule_file
    from ..training.recipes.declaration import load_recipe

    saved = None if schedules.schedule is None else schedule_file.load_schedule(schedules.schedule)
    with Progress() as progress:
        progress(f"simulating {inputs.workload}", 0, 1)
        hardware, recipe_name, sparsity = inputs.chosen(saved, own=own)
        recipe, asked = load_recipe(recipe_name), parse_format(sparsity) if sparsity else None
        if decision.with_range and recipe.model.is_baseline:
            got = f"got it with {recipe.model.name}, which prunes nothing: its answer is 1.00x everywhere"
            raise ConfigError(f"--range: {got}, need a recipe that prunes; try --recipe bdwp")
        said = (step if saved is None else saved.content.options | step) | played
        kept = _pictured(out, output) or schedules.timeline is not None
        simulator = _simulator(inputs, hardware, said, pictured=kept, strict=strict)
        column = Column.of(simulator, recipe, asked)
        pattern = column.pattern
        if saved is None:
            schedule = simulator.schedule(recipe, pattern)
            result = simulator.run_schedule(schedule, recipe)
        else:
            try:
                schedule, result = _replay(simulator, saved, recipe, pattern)
            except ConfigError as error:
                field = str(error).partition(":")[0]
                if step.get(field) is not None or field not in saved.content.options:
                    raise
                raise ConfigError(f"{saved.document.place_of((field,))}: {error}") from None
        result = beside_the_step(
            column,
            result,
            training_steps=training_steps,
            with_range=decision.with_range,
            what_if=decision.what_if,
            progress=progress,
        )
    if schedules.save_schedule is not None:
        schedule_file.save_schedule(schedule, schedules.save_schedule)
        note(f"schedule: {schedules.save_schedule}")
    if schedules.timeline is not None:
        from ..reports.run.chrome_trace import write_trace

        write_trace(result, schedules.timeline)
        note(f"timeline: {schedules.timeline}; https://ui.perfetto.dev opens it")
    if schedules.show_schedule:
        print_table(schedule_file.schedule_table(schedule), right=(4,))
        print()
    _deliver([result], out, output, document=result.document)


@grouped
def compare(
    workload: options.Workload,
    recipes: Recipes = None,
    hardware: Designs = defaults.HARDWARE,
    set_fields: options.SetFields = None,
    sparsity: Ratios = defaults.SPARSITY,
    batch: Batches = None,
    *,
    step: Annotated[dict[str, Any], DeclaredIn(Options, without=("batch",))],
    training_steps: options.TrainingSteps = None,
    decision: options.Decision,
    out: options.Out = None,
    strict: options.Strict = False,
    output: Output,
) -> None:
    """Simulate several recipes, designs, ratios and batches, side by side.

    Example: bisparse compare resnet18-tinyimagenet --recipes dense,sr-ste,sdgp,sdwp,bdwp --sparsity 2:8

    Example: bisparse compare resnet18-tinyimagenet --recipes bdwp,rigl,hesso --sparsity usual

    Example: bisparse compare bert-base --hardware sat-vcu1525,datacenter-128x128 --recipes bdwp --batch 16,64
    """
    from ..asked_recipes import asked_recipe
    from ..runs import columns, run_column

    output.hold(out)
    ratios = between_commas("--sparsity", sparsity, example="2:4,2:8")
    batches = None
    if batch is not None:
        batches = [_count(each) for each in between_commas("--batch", batch, example="64,512")]
    names = between_commas("--hardware", hardware, example="sat-vcu1525,datacenter-128x128")
    designs = [options.load_design(each, set_fields) for each in names]
    if recipes is None:
        methods = defaults.compared(own="weights" in step)
    else:
        methods = tuple(between_commas("--recipes", recipes, example="dense,bdwp"))
    asked = [asked_recipe(name, ratios) for name in methods]
    timeline = {"timeline": _pictured(out, output) and step["engine"] == "event"}
    several = list(columns(workload, designs, asked, batches or [None], step | timeline, strict=strict))
    with Progress() as progress:
        results = []
        for done, column in enumerate(several):
            progress(f"simulating {workload} under {column.recipe.model.name}", done, len(several))
            results.append(
                run_column(
                    column,
                    training_steps=training_steps,
                    with_range=decision.with_range,
                    what_if=decision.what_if,
                    progress=progress,
                )
            )

    def document() -> dict[str, Any]:
        from ..reports.run.directory import compared_document

        return compared_document(results)

    _deliver(results, out, output, document=document)


def _count(word: str) -> int:
    return whole_number("--batch", at_least=1, example=512)(word)


def _pictured(out: Path | None, output: Output) -> bool:
    """Whether a report is written, which a step that is played keeps its timeline for."""
    return out is not None or output.open_report


def _simulator(inputs: Inputs, hardware: str, said: dict[str, Any], *, pictured: bool, strict: bool) -> Simulator:
    """The workload on the design, as asked."""
    from ..runs import make_simulator

    timeline = {"timeline": pictured and said["engine"] == "event"}
    design = options.load_design(hardware, inputs.set_fields)
    return make_simulator(inputs.workload, design, said | timeline, strict=strict)


def _replay(
    simulator: Simulator, saved: SavedSchedule, recipe: Loaded[Recipe], pattern: OperandFormat
) -> tuple[Schedule, SimulationResult]:
    """Simulate a saved schedule, if it was made for these inputs."""
    saved.check_made_for(
        workload=simulator.workload.graph.name,
        hardware=simulator.hardware.model.name,
        recipe=recipe.model.name,
        sparsity=str(pattern),
        **simulator.options.binding | {"batch": simulator.batch},
    )
    try:
        made = simulator.schedule(recipe.model, pattern, decisions=saved.decisions)
    except MappingError as error:
        raise MappingError(f"{saved.document.file}: {error}") from None
    saved.check_products(made)
    try:
        return made, simulator.run_schedule(made, recipe)
    except BisparseError as error:
        raise MappingError(f"{saved.document.file}: {error}") from None


def _deliver(
    results: list[SimulationResult], out: Path | None, output: Output, *, document: Callable[[], dict[str, Any]]
) -> None:
    """Write the run, print the answer, show the report."""

    def write(directory: Path, command: str) -> Path:
        from ..reports.run.directory import RUN

        return RUN.write(results, directory, command=command, keep_command=True)

    def show() -> None:
        from ..reports import text_summary

        print(text_summary(results))

    output.deliver(out, write=write, document=document, show=show)
