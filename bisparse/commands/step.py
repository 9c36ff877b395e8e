"""``bisparse simulate`` and ``bisparse compare``: one training step, beside the dense one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import __version__, defaults
from ..configs.errors import BisparseError, ConfigError, MappingError
from . import options
from .pages import show_page, write_page
from .terminal import Progress, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..configs.pattern import Pattern
    from ..configs.schema import Loaded
    from ..dataflow.schedule import Schedule
    from ..dataflow.schedule_file import SavedSchedule
    from ..reports.shared.report_kind import JsonReport
    from ..sim.results.simulation_result import SimulationResult
    from ..sim.simulation import EngineName, Simulator
    from ..training.recipes.declaration import Recipe

Recipes = Annotated[str, typer.Option("--recipes", metavar="A,B,...", help="Shipped recipes or YAML files.")]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="NAME|FILE", help=f"Shipped recipe or YAML file. [{defaults.RECIPE}]")
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
ShowSchedule = Annotated[bool, typer.Option("--show-schedule", help="Print the mapping of every product.")]


def simulate(
    context: typer.Context,
    workload: options.Workload,
    hardware: options.HardwareOption = None,
    recipe: RecipeOption = None,
    sparsity: options.Sparsity = None,
    batch: options.Batch = None,
    engine: options.Engine = "analytic",
    objective: options.ObjectiveOption = None,
    optimizer: options.OptimizerOption = None,
    pre_generation: options.PreGeneration = None,
    overlap_update: options.OverlapUpdate = None,
    overlap_vector: options.OverlapVector = None,
    interleave: options.Interleave = None,
    keep_on_chip: options.KeepOnChip = None,
    densities: options.Densities = None,
    training_steps: options.TrainingSteps = None,
    out: options.Out = None,
    save_schedule: SaveSchedule = None,
    schedule: ReplaySchedule = None,
    show_schedule: ShowSchedule = False,
    as_json: options.Json = False,
    open_report: options.Open = False,
) -> None:
    """Simulate one training step, and the dense one.

    Example: bisparse simulate resnet18-tinyimagenet --recipe bdwp --sparsity 2:8 --out runs/resnet18
    """
    if show_schedule and as_json:
        raise ConfigError("--show-schedule: got it with --json, need one of them; try --save-schedule FILE")
    if schedule is not None and training_steps is not None:
        raise ConfigError("--training-steps: got it with --schedule, which is of one step; need one of them")
    from ..dataflow import schedule_file

    saved = None if schedule is None else schedule_file.load_schedule(schedule)
    with Progress() as progress:
        progress(f"simulating {workload}", 0, 1)
        made, result = _simulated(_Request.of(context, saved), recipe)
    if save_schedule is not None:
        schedule_file.save_schedule(made, save_schedule)
        note(f"schedule: {save_schedule}")
    if show_schedule:
        _show(made)
    _deliver([result], context, out=out, as_json=as_json, open_report=open_report)


def compare(
    context: typer.Context,
    workload: options.Workload,
    recipes: Recipes = "dense,sr-ste,sdgp,bdwp",
    hardware: options.HardwareOption = None,
    sparsity: options.Sparsity = None,
    batch: options.Batch = None,
    engine: options.Engine = "analytic",
    objective: options.ObjectiveOption = None,
    optimizer: options.OptimizerOption = None,
    pre_generation: options.PreGeneration = None,
    overlap_update: options.OverlapUpdate = None,
    overlap_vector: options.OverlapVector = None,
    interleave: options.Interleave = None,
    keep_on_chip: options.KeepOnChip = None,
    densities: options.Densities = None,
    training_steps: options.TrainingSteps = None,
    out: options.Out = None,
    as_json: options.Json = False,
    open_report: options.Open = False,
) -> None:
    """Simulate several recipes, side by side.

    Example: bisparse compare resnet18-tinyimagenet --recipes dense,sr-ste,sdgp,sdwp,bdwp --sparsity 2:8
    """
    from ..configs.pattern import Pattern
    from ..training.recipes.declaration import load_recipe

    names = [name.strip() for name in recipes.split(",")]
    if not all(names):
        good = ",".join(filter(None, names)) or "dense,bdwp"
        raise ConfigError(f"--recipes: got {recipes!r}, need a name on both sides of a comma; try {good}")
    request = _Request.of(context)
    with Progress() as progress:
        loaded, pattern = [load_recipe(name) for name in names], Pattern.parse(request.pattern)
        simulator = request.simulator()
        results = []
        for done, recipe in enumerate(loaded):
            progress(f"simulating {workload} under {recipe.model.name}", done, len(loaded))
            result = simulator.run(recipe, pattern)
            results.append(request.with_training(simulator, result, recipe, pattern))
    _deliver(results, context, out=out, as_json=as_json, open_report=open_report, several=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What was asked for; a saved schedule speaks where the command line is silent."""

    workload: str
    hardware: str | None
    sparsity: str | None
    batch: int | None
    engine: EngineName
    out: Path | None
    open_report: bool
    objective: str | None
    optimizer: str | None
    pre_generation: bool | None
    overlap_update: bool | None
    overlap_vector: bool | None
    interleave: bool | None
    keep_on_chip: bool | None
    densities: Path | None
    training_steps: int | None
    saved: SavedSchedule | None

    @classmethod
    def of(cls, context: typer.Context, saved: SavedSchedule | None = None) -> _Request:
        """What the running command was given: its parameters bear the names of these fields."""
        names = (each.name for each in fields(cls) if each.name != "saved")
        return cls(**{name: context.params[name] for name in names}, saved=saved)

    def _chosen(self, field: str, given: Any, default: Any) -> Any:
        if given is not None or self.saved is None:
            return default if given is None else given
        return getattr(self.saved.content, field)

    def text(self, field: str, given: str | None, default: str) -> str:
        """An option's value: given, saved, or the default."""
        return str(self._chosen(field, given, default))

    @property
    def pattern(self) -> str:
        """N:M."""
        return self.text("sparsity", self.sparsity, defaults.SPARSITY)

    def simulator(self) -> Simulator:
        """The workload on the design, as asked."""
        from ..accel.specification import load_hardware
        from ..api import load_workload
        from ..sim.simulation import Options, Simulator
        from ..training.densities import load_densities

        return Simulator(
            workload=load_workload(self.workload),
            hardware=load_hardware(self.text("hardware", self.hardware, defaults.HARDWARE)),
            options=Options(
                batch=self._chosen("batch", self.batch, None),
                objective=self._chosen("objective", self.objective, "time"),
                optimizer=self._chosen("optimizer", self.optimizer, "sgd-momentum"),
                pre_generation=self._chosen("pre_generation", self.pre_generation, None),
                overlap_update=self._chosen("overlap_update", self.overlap_update, None),
                overlap_vector=self._chosen("overlap_vector", self.overlap_vector, None),
                engine=self.engine,
                timeline=self.engine == "event" and (self.out is not None or self.open_report),
                interleave=self._chosen("interleave", self.interleave, True),
                keep_on_chip=self._chosen("keep_on_chip", self.keep_on_chip, None),
                densities=None if self.densities is None else load_densities(self.densities),
            ),
            version=__version__,
        )

    def with_training(
        self, simulator: Simulator, result: SimulationResult, recipe: Loaded[Recipe], pattern: Pattern
    ) -> SimulationResult:
        """The result, with a whole training run if one was asked for."""
        from ..sim.training_run import with_training

        steps = self.training_steps
        return result if steps is None else with_training(simulator, result, recipe, pattern, steps)


def _simulated(request: _Request, recipe: str | None) -> tuple[Schedule, SimulationResult]:
    """The schedule and the result of what was asked for: searched, or replayed."""
    from ..configs.pattern import Pattern
    from ..training.recipes.declaration import load_recipe

    loaded, pattern = load_recipe(request.text("recipe", recipe, defaults.RECIPE)), Pattern.parse(request.pattern)
    simulator = request.simulator()
    if request.saved is not None:
        return _replay(simulator, request.saved, loaded, pattern)
    made = simulator.schedule(loaded, pattern)
    return made, request.with_training(simulator, simulator.run_schedule(made, loaded), loaded, pattern)


def _replay(
    simulator: Simulator, saved: SavedSchedule, recipe: Loaded[Recipe], pattern: Pattern
) -> tuple[Schedule, SimulationResult]:
    """Simulate a saved schedule, if it was made for these inputs."""
    saved.check_made_for(
        workload=simulator.workload.graph.name,
        hardware=simulator.hardware.model.name,
        recipe=recipe.model.name,
        sparsity=str(pattern),
        batch=simulator.batch,
        interleave=simulator.options.interleave,
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


def _show(schedule: Schedule) -> None:
    from ..dataflow.schedule_file import schedule_table

    print_table(schedule_table(schedule), right=(4,))
    print()


def _deliver(
    results: Sequence[SimulationResult],
    context: typer.Context,
    *,
    out: Path | None,
    as_json: bool,
    open_report: bool,
    several: bool = False,
) -> None:
    """Write the run, print the answer, show the report."""

    def kind() -> JsonReport[Sequence[SimulationResult]]:
        from ..reports.run.directory import RUN

        return RUN

    page = write_page(kind, results, context, out, open_page=open_report)
    if as_json:
        documents = [result.document() for result in results]
        print_json({"results": documents} if several else documents[0])
    else:
        from ..reports import text_summary

        print(text_summary(results))
    if page is not None:
        show_page(page, open_page=open_report, as_json=as_json)
