"""The Python face of bisparse: simulate, compare and ablate on a workload and a design, capture a module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, defaults
from .accel.specification import Hardware, load_hardware
from .configs.errors import CaptureError, ConfigError
from .configs.library import content_hash, find
from .configs.pattern import Pattern
from .configs.schema import Loaded
from .sim.ablation import Ablation
from .sim.ablation_run import ablate as run_ablation
from .sim.results import SimulationResult
from .sim.simulation import Options, Simulator, Workload
from .training.graph import TrainingGraph
from .training.graph_file import graph_text, load_graph
from .training.input_shape import InputShapes
from .training.recipes.declaration import Recipe, load_recipe

if TYPE_CHECKING:
    import torch

    from .training.capture import Loss


def load_workload(name_or_path: str | Path) -> Workload:
    """Load a shipped workload by name, or a captured graph by path.

    Raises:
        ConfigError: there is no such workload, or the file is wrong.
    """
    path = find("workloads", str(name_or_path))
    graph = load_graph(path)
    return Workload(graph=graph, sha256=content_hash(path.read_bytes()))


def simulate(
    model_or_name: str | Path | TrainingGraph | torch.nn.Module | Callable[[], torch.nn.Module],
    hardware: str | Path | Loaded[Hardware] = defaults.HARDWARE,
    recipe: str | Path | Loaded[Recipe] = defaults.RECIPE,
    sparsity: str | Pattern = defaults.SPARSITY,
    *,
    input_shape: InputShapes | None = None,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
    **options: Any,
) -> SimulationResult:
    """Simulate one training step under a recipe, and the dense step that it is compared with.

    Args:
        model_or_name: a shipped workload's name, a captured graph or its path, or a torch module (or what makes one).
        hardware: a shipped design's name, or a YAML file.
        recipe: a shipped recipe's name, or a YAML file.
        sparsity: N:M, N kept of every M.
        input_shape: of a torch module, which needs it: extents of one sample, such as ``(3, 224, 224)``; the command
            line's text, such as ``"512:int"``; an ``InputShape``; or a list of such, one for each input.
        integer_inputs: True when every input of the module holds token indices, or the positions of those that do.
        loss: maps the module's output to a scalar, or ``cross-entropy``, ``token-cross-entropy``, ``mean``; by the
            output's shape when None.
        **options: see ``sim.simulation.Options``: ``batch``, ``objective``, ``optimizer``, ...

    Returns:
        The result; ``.operators`` is a DataFrame with a row an operator and stage.

    Raises:
        BisparseError: an input is wrong, or the design cannot run it; the message says what to change.
    """
    return compare(
        model_or_name,
        hardware,
        [recipe],
        sparsity,
        input_shape=input_shape,
        integer_inputs=integer_inputs,
        loss=loss,
        **options,
    )[0]


def compare(
    model_or_name: str | Path | TrainingGraph | torch.nn.Module | Callable[[], torch.nn.Module],
    hardware: str | Path | Loaded[Hardware] = defaults.HARDWARE,
    recipes: Sequence[str | Path | Loaded[Recipe]] = ("dense", "sr-ste", "sdgp", "bdwp"),
    sparsity: str | Pattern = defaults.SPARSITY,
    *,
    input_shape: InputShapes | None = None,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
    **options: Any,
) -> list[SimulationResult]:
    """Simulate several recipes on one workload and one design; arguments as for ``simulate``."""
    pattern = _pattern(sparsity)
    simulator = _simulator(_workload(model_or_name, input_shape, integer_inputs, loss), hardware, options)
    return [simulator.run(recipe, pattern) for recipe in map(_recipe, recipes)]


def ablate(
    model_or_name: str | Path | TrainingGraph | torch.nn.Module | Callable[[], torch.nn.Module],
    hardware: str | Path | Loaded[Hardware] = defaults.HARDWARE,
    recipe: str | Path | Loaded[Recipe] = defaults.RECIPE,
    sparsity: str | Pattern = defaults.SPARSITY,
    *,
    input_shape: InputShapes | None = None,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
    **options: Any,
) -> Ablation:
    """Simulate a step with four optimisations off, each on alone, each off alone, and all on.

    Interleave, pre-generation of N:M weights, choice of a dataflow for each product, update beside the backward pass.
    Arguments as for ``simulate``; ``options`` leaves out those four.

    Returns:
        The ablation; ``.table`` is a DataFrame with a row a setting.

    Raises:
        BisparseError: an input is wrong, or the design can run no setting; the message says what to change.
    """
    workload = _workload(model_or_name, input_shape, integer_inputs, loss)
    return run_ablation(_simulator(workload, hardware, options), _recipe(recipe), _pattern(sparsity))


def capture(
    module: torch.nn.Module | Callable[[], torch.nn.Module],
    input_shape: InputShapes,
    *,
    name: str = "captured",
    default_batch: int = 1,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
) -> TrainingGraph:
    """Capture one training step of a torch module as a graph, symbolic in the batch size.

    Arguments as for ``simulate``.

    Raises:
        CaptureError: the step cannot run on shapes alone, trains nothing, or is not affine in the batch.
    """
    if not callable(module):
        raise CaptureError(f"{name}: got {type(module).__name__}, need a torch module or a function that makes one")
    from .training.capture import capture as capture_module

    return capture_module(
        module,
        input_shape,
        name=name,
        default_batch=default_batch,
        source="captured in Python",
        loss=loss,
        integer_inputs=integer_inputs,
    )


def _simulator(workload: Workload, hardware: str | Path | Loaded[Hardware], options: dict[str, Any]) -> Simulator:
    return Simulator(
        workload=workload,
        hardware=hardware if isinstance(hardware, Loaded) else load_hardware(str(hardware)),
        options=Options(**options),
        version=__version__,
    )


def _recipe(given: str | Path | Loaded[Recipe]) -> Loaded[Recipe]:
    return given if isinstance(given, Loaded) else load_recipe(str(given))


def _pattern(given: str | Pattern) -> Pattern:
    return given if isinstance(given, Pattern) else Pattern.parse(str(given))


def _workload(
    given: str | Path | TrainingGraph | torch.nn.Module | Callable[[], torch.nn.Module],
    input_shape: InputShapes | None,
    integer_inputs: bool | Collection[int],
    loss: Loss | str | None,
) -> Workload:
    captured = isinstance(given, str | Path | TrainingGraph)
    if captured and (input_shape is not None or integer_inputs is not False or loss is not None):
        raise ConfigError(
            "input_shape, integer_inputs, loss: got one of them with a captured graph, need a torch module"
        )
    if isinstance(given, str | Path):
        return load_workload(given)
    if not isinstance(given, TrainingGraph):
        if input_shape is None:
            raise ConfigError("input_shape: got nothing, need the extents of one sample; try input_shape=(3, 224, 224)")
        name = getattr(given, "__name__", type(given).__name__)
        given = capture(given, input_shape, name=name, integer_inputs=integer_inputs, loss=loss)
    return Workload(graph=given, sha256=content_hash(graph_text(given)))
