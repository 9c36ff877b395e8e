"""A finished training run on a design: the graph of the very model that was trained, for the steps that it took."""

from __future__ import annotations

from pathlib import Path

from ..accel.specification import Hardware
from ..configs.errors import ConfigError
from ..configs.formats import parse_format
from ..configs.library import content_hash
from ..configs.schema import Loaded
from ..training.graph_file import load_graph
from ..training.recipes.declaration import Recipe, load_recipe
from ..training.run_checksums import check_content
from ..training.run_summary import GRAPH_FILE, RunSummary
from .options import Options
from .results.training_figures import TrainingRun
from .simulation import Simulator, Workload
from .training_run import simulate_training


def trained_simulator(summary: RunSummary, directory: Path, hardware: Loaded[Hardware], *, version: str) -> Simulator:
    """A simulator of the model that a run trained, at its batch and with its optimizer.

    Args:
        summary: of the run.
        directory: of the run.
        hardware: the design.
        version: of bisparse, for results.

    Raises:
        ConfigError: the run's graph is missing or wrong.
    """
    path = directory / GRAPH_FILE
    graph = load_graph(path)
    content = path.read_bytes()
    check_content(path, content)
    workload = Workload(graph=graph, sha256=content_hash(content))
    options = Options(batch=summary.settings.batch, optimizer=summary.settings.optimizer)
    return Simulator(workload=workload, hardware=hardware, options=options, version=version)


def recipe_of(summary: RunSummary) -> Loaded[Recipe]:
    """The recipe that a run was trained under.

    Raises:
        ConfigError: its file has changed since.
    """
    recipe = load_recipe(summary.settings.recipe)
    if recipe.sha256 != summary.recipe_sha256:
        raise ConfigError(
            f"{summary.settings.recipe}: got a recipe that changed since the run, need the one that it was trained "
            "under; try training again"
        )
    return recipe


def simulate_trained(summary: RunSummary, directory: Path, hardware: Loaded[Hardware], *, version: str) -> TrainingRun:
    """Time and energy of a finished run on a design; arguments as for ``trained_simulator``.

    Raises:
        BisparseError: a file of the run is missing or has changed, or the design cannot run it.
    """
    return simulate_training(
        trained_simulator(summary, directory, hardware, version=version),
        recipe_of(summary),
        parse_format(summary.settings.sparsity),
        summary.training_steps,
        switch_step=summary.switch_step,
    )
