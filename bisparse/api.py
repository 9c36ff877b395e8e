"""The Python face of bisparse: simulate and compare recipes on a workload and a design, capture a module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .accel.specification import Hardware, load_hardware
from .configs.library import content_hash, find
from .configs.pattern import Pattern
from .configs.schema import Loaded
from .sim.results import SimulationResult
from .sim.simulation import Options, Simulator, Workload
from .training.graph import TrainingGraph
from .training.graph_file import graph_text, load_graph
from .training.recipes.declaration import Recipe, load_recipe

if TYPE_CHECKING:
    import torch

DEFAULT_HARDWARE = "sat-vcu1525"
DEFAULT_SPARSITY = "2:8"


def load_workload(name_or_path: str | Path) -> Workload:
    """Load a shipped workload by name, or a captured graph by path.

    Raises:
        ConfigError: there is no such workload, or the file is wrong.
    """
    path = find("workloads", str(name_or_path))
    graph = load_graph(path)
    return Workload(graph=graph, sha256=content_hash(path.read_bytes()))


def simulate(
    model_or_name: str | Path | TrainingGraph | torch.nn.Module,
    hardware: str | Path | Loaded[Hardware] = DEFAULT_HARDWARE,
    recipe: str | Path | Loaded[Recipe] = "bdwp",
    sparsity: str = DEFAULT_SPARSITY,
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> SimulationResult:
    """Simulate one training step under a recipe, and the dense step that it is compared with.

    Args:
        model_or_name: a shipped workload's name, a captured graph or its path, or a torch module.
        hardware: a shipped design's name, or a YAML file.
        recipe: a shipped recipe's name, or a YAML file.
        sparsity: N:M, N kept of every M.
        input_shape: extents of one sample, such as ``(3, 224, 224)``; needed for a torch module only.
        **options: see ``sim.simulation.Options``: ``batch``, ``objective``, ``optimizer``, ...

    Returns:
        The result; ``.operators`` is a DataFrame with a row an operator and stage.

    Raises:
        BisparseError: an input is wrong, or the design cannot run it; the message says what to change.
    """
    return compare(model_or_name, hardware, [recipe], sparsity, input_shape=input_shape, **options)[0]


def compare(
    model_or_name: str | Path | TrainingGraph | torch.nn.Module,
    hardware: str | Path | Loaded[Hardware] = DEFAULT_HARDWARE,
    recipes: Sequence[str | Path | Loaded[Recipe]] = ("dense", "sr-ste", "sdgp", "bdwp"),
    sparsity: str = DEFAULT_SPARSITY,
    *,
    input_shape: Sequence[int] | None = None,
    **options: Any,
) -> list[SimulationResult]:
    """Simulate several recipes on one workload and one design; arguments as for ``simulate``."""
    pattern = Pattern.parse(sparsity)
    simulator = Simulator(
        workload=_workload(model_or_name, input_shape),
        hardware=hardware if isinstance(hardware, Loaded) else load_hardware(str(hardware)),
        options=Options(**options),
        version=__version__,
    )
    loaded = [recipe if isinstance(recipe, Loaded) else load_recipe(str(recipe)) for recipe in recipes]
    return [simulator.run(recipe, pattern) for recipe in loaded]


def capture(
    module: torch.nn.Module, input_shape: Sequence[int], *, name: str = "captured", default_batch: int = 1
) -> TrainingGraph:
    """Capture one training step of a torch module as a graph, symbolic in the batch size.

    Raises:
        CaptureError: the step cannot run on shapes alone, trains nothing, or is not affine in the batch.
    """
    from .training.capture import capture as capture_module

    return capture_module(module, input_shape, name=name, default_batch=default_batch, source="captured in Python")


def _workload(given: str | Path | TrainingGraph | torch.nn.Module, input_shape: Sequence[int] | None) -> Workload:
    if isinstance(given, str | Path):
        return load_workload(given)
    if not isinstance(given, TrainingGraph):
        if input_shape is None:
            raise TypeError("input_shape is needed to simulate a torch module, such as (3, 224, 224)")
        given = capture(given, input_shape, name=type(given).__name__)
    return Workload(graph=given, sha256=content_hash(graph_text(given)))
