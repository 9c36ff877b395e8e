"""The Python face of bisparse: simulate, compare and ablate on a workload and a design, capture a module."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import defaults
from .asked_recipes import asked_recipe
from .configs.errors import ConfigError
from .configs.formats import parse_format
from .configs.needs import check_torch
from .configs.operand_format import OperandFormat
from .configs.option import check_keywords
from .configs.schema import Loaded
from .own_data import data_name
from .runs import Column, columns, make_simulator, run_column
from .sim.options import Options
from .sim.results.simulation_result import SimulationResult, write_reports_with
from .sim.studies.ablation.ablation import Ablation
from .sim.studies.ablation.run_ablation import ablate as run_ablation
from .training.input_shape import InputShapes
from .training.recipes.declaration import Recipe, load_recipe
from .training.settings import Precision, TrainingSettings, settings_for
from .version import __version__
from .workload import capture, load_workload, workload_of

if TYPE_CHECKING:
    import torch

    from .own_data import Data
    from .runs import Design
    from .training.capture import Loss
    from .training.recipes.in_torch import AppliedRecipe
    from .training.run_summary import RunSummary
    from .workload import Model

__all__ = ["ablate", "apply", "capture", "compare", "load_workload", "simulate", "train"]


def _report(result: SimulationResult, directory: Path) -> Path:
    # Who asks for no report does not wait for what writes one.
    from .reports.run.directory import write_result

    return write_result(result, directory)


write_reports_with(_report)


def simulate(
    model_or_name: Model,
    hardware: Design = defaults.HARDWARE,
    recipe: str | Path | Loaded[Recipe] | None = None,
    sparsity: str | OperandFormat | None = None,
    *,
    input_shape: InputShapes | None = None,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
    training_steps: int | None = None,
    strict: bool = False,
    with_range: bool = False,
    what_if: bool = False,
    **options: Any,
) -> SimulationResult:
    """Simulate one training step under a recipe, and the dense step that it is compared with.

    Args:
        model_or_name: a shipped workload's name, a captured graph or its path, or a torch module (or what makes one).
        hardware: a shipped design's name, a YAML file, or what such a file would say, as a mapping.
        recipe: a shipped recipe's name, or a YAML file; ``bdwp`` when None, ``static-masks`` with ``weights``.
        sparsity: N:M, N kept of every M, or a share of zeros such as ``80%``; ``2:8`` when None, the weights' own with
            ``weights``.
        input_shape: of a torch module, which needs it: extents of one sample, such as ``(3, 224, 224)``; the command
            line's text, such as ``"512:int"``; an ``InputShape``; an example tensor; or a list of such, one for each
            place, or a mapping, one for each keyword.
        integer_inputs: True when every input of the module holds token indices, or the positions of those that do.
        loss: maps the module's output to a scalar, or ``cross-entropy``, ``token-cross-entropy``, ``mean``; by the
            output's shape when None.
        training_steps: of the whole training run, which then stands in ``.training`` of the result.
        strict: refuse a workload with operators that may multiply and are not counted.
        with_range: also find how far the answer moves within the ranges that the design's files give; in ``.range``.
        what_if: also simulate what would help; in ``.what_if``.
        **options: see ``sim.options.Options``: ``batch`` (32 for a torch module), ``pass_`` (``"inference"`` for the
            forward pass alone, ``"decode"`` for one token on a cache), ``freeze``, ``accumulate``, ``recompute``,
            ``objective``, ``optimizer``, ...; ``densities`` may be the directory of a training run, ``weights`` a
            checkpoint whose zeros are pruned.

    Returns:
        The result; ``.operators`` is a DataFrame with a row an operator and stage.

    Raises:
        BisparseError: an input is wrong, or the design cannot run it; the message says what to change.
    """
    check_keywords(options, Options, signature(simulate).parameters)
    workload = workload_of(model_or_name, input_shape, integer_inputs, loss)
    simulator = make_simulator(workload, hardware, options, strict=strict)
    method = recipe or (defaults.RECIPE if simulator.options.weights is None else defaults.OWN_RECIPE)
    column = Column.of(simulator, _recipe(method), None if sparsity is None else _format(sparsity))
    return run_column(column, training_steps=training_steps, with_range=with_range, what_if=what_if)


def compare(
    model_or_name: Model,
    hardware: Design | Sequence[Design] = defaults.HARDWARE,
    recipes: Sequence[str | Path | Loaded[Recipe]] | None = None,
    sparsity: str | OperandFormat | Sequence[str | OperandFormat] = defaults.SPARSITY,
    *,
    input_shape: InputShapes | None = None,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
    training_steps: int | None = None,
    strict: bool = False,
    with_range: bool = False,
    what_if: bool = False,
    batch: int | Sequence[int] | None = None,
    **options: Any,
) -> list[SimulationResult]:
    """Simulate several recipes, designs, ratios and batches on one workload, a result each combination.

    Arguments as for ``simulate``; ``hardware``, ``sparsity`` and ``batch`` may be several. The ratio ``usual`` is what
    each recipe is usually run with, and ``NAME@RATIO`` a recipe at a ratio of its own. A recipe that prunes nothing
    is simulated once, whatever the ratios, and so is one that prunes the zeros of ``weights``. Recipes are ``dense``,
    ``sr-ste``, ``sdgp`` and ``bdwp`` when None, with ``weights`` ``dense`` and ``static-masks``.
    """
    check_keywords(options, Options, signature(compare).parameters)
    workload = workload_of(model_or_name, input_shape, integer_inputs, loss)
    ratios = _several(sparsity)
    several = columns(
        workload,
        _several(hardware),
        [asked_recipe(each, ratios) for each in recipes or defaults.compared(own=options.get("weights") is not None)],
        _several(batch),
        options,
        strict=strict,
    )
    return [run_column(each, training_steps=training_steps, with_range=with_range, what_if=what_if) for each in several]


def ablate(
    model_or_name: Model,
    hardware: Design = defaults.HARDWARE,
    recipe: str | Path | Loaded[Recipe] = defaults.RECIPE,
    sparsity: str | OperandFormat = defaults.SPARSITY,
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
    check_keywords(options, Options, signature(ablate).parameters)
    workload = workload_of(model_or_name, input_shape, integer_inputs, loss)
    return run_ablation(make_simulator(workload, hardware, options), _recipe(recipe), _format(sparsity))


def apply(
    model: torch.nn.Module,
    recipe: str | Path | Loaded[Recipe] = defaults.RECIPE,
    sparsity: str | OperandFormat = defaults.SPARSITY,
    *,
    steps: int | None = None,
    precision: Precision = "fp32",
    seed: int = 0,
    input_shape: InputShapes | None = None,
    integer_inputs: bool | Collection[int] = False,
) -> AppliedRecipe:
    """Let a torch model train under a recipe, in your own loop.

    Args:
        model: any module; its Linear and Conv layers are found wherever they are.
        recipe: a shipped recipe's name, or a YAML file.
        sparsity: N:M, N kept of every M; a share of zeros such as ``80%`` where masks are given.
        steps: updates of the whole run, for a recipe that changes over time.
        precision: ``fp32``; or ``fp16`` or ``bf16`` operands and activations with FP32 sums and master weights.
        seed: of whatever the recipe draws.
        input_shape: of one sample, as ``simulate`` takes it, for a recipe that rewrites layers: the model is changed.
        integer_inputs: as for ``simulate``.

    Returns:
        The recipe at work: ``attach(optimizer)`` before training, ``remove()`` after it. An optimizer is made after.

    Raises:
        ConfigError: a rule names none of the model's layers, a layer cannot be pruned, or ``steps`` is missing.
    """
    check_torch()
    from .training.recipes import in_torch
    from .training.rewrites.in_torch import rewrite_captured

    loaded = _recipe(recipe)
    try:
        if loaded.model.rewrites and input_shape is not None:
            in_torch.check_trains_once(loaded.model)
            rewrite_captured(
                model, loaded.model.rewrites, lambda: capture(model, input_shape, integer_inputs=integer_inputs)
            )
        return in_torch.apply(model, loaded.model, _format(sparsity), steps=steps, precision=precision, seed=seed)
    except ConfigError as error:
        raise loaded.placed(error) from None


def train(
    model: str,
    data: str | Path | Data | Mapping[str, Data],
    recipe: str = defaults.RECIPE,
    sparsity: str = defaults.SPARSITY,
    *,
    out: str | Path,
    device: str = "cpu",
    **settings: Any,
) -> RunSummary:
    """Train a network by name, or what a factory makes, under a recipe; go on with a run that was interrupted.

    Args:
        model: a name such as ``convnet``, or ``package.module:factory``.
        data: a name such as ``mnist-5k``, a path, a torch ``Dataset`` of images with class indices, or a mapping of
            ``train`` and perhaps ``validation`` and ``test`` to one each.
        recipe: a shipped recipe's name, or a YAML file.
        sparsity: N:M.
        out: the run's directory; it keeps what was read of a ``Dataset``.
        device: of torch.
        **settings: see ``training.settings.TrainingSettings``: ``epochs``, ``batch``, ``learning_rate``, ``seed``, ...

    Raises:
        BisparseError: a setting is wrong, the directory holds another run, or the loss is no number.
    """
    check_keywords(settings, TrainingSettings, signature(train).parameters)
    check_torch()
    if not isinstance(model, str):
        got = f"model: got a {type(model).__name__}, need a name or package.module:factory, that makes it anew"
        raise ConfigError(f"{got}; try bisparse.apply for a loop of your own")
    from .training.loop import train as train_run

    name = data_name(data, Path(out))
    return train_run(
        settings_for(model, name, recipe, sparsity, **settings), Path(out), version=__version__, device=device
    )


def _several(given: Any) -> list[Any]:
    """What may be one thing or several, as several."""
    return list(given) if isinstance(given, list | tuple) else [given]


def _recipe(given: str | Path | Loaded[Recipe]) -> Loaded[Recipe]:
    return given if isinstance(given, Loaded) else load_recipe(str(given))


def _format(given: str | OperandFormat) -> OperandFormat:
    return given if isinstance(given, OperandFormat) else parse_format(str(given))
