"""What is simulated, as Python gives it: a shipped workload's name, a captured graph, or a torch module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import defaults
from .configs.errors import CaptureError, ConfigError
from .configs.library import content_hash, find
from .sim.simulation import Workload
from .training.graph import TrainingGraph
from .training.graph_file import graph_text, load_graph
from .training.input_shape import InputShape, InputShapes, input_shapes

if TYPE_CHECKING:
    import torch

    from .training.capture import Loss

    Model = str | Path | TrainingGraph | torch.nn.Module | Callable[[], torch.nn.Module]
    """A shipped workload's name, a captured graph or its path, or a torch module (or what makes one)."""


def load_workload(name_or_path: str | Path) -> Workload:
    """Load a shipped workload by name, or a captured graph by path.

    Raises:
        ConfigError: there is no such workload, or the file is wrong.
    """
    path = find("workloads", str(name_or_path))
    graph = load_graph(path)
    return Workload(graph=graph, sha256=content_hash(path.read_bytes()))


def capture(
    module: torch.nn.Module | Callable[[], torch.nn.Module],
    input_shape: InputShapes,
    *,
    name: str = "captured",
    default_batch: int | None = None,
    integer_inputs: bool | Collection[int] = False,
    loss: Loss | str | None = None,
    expert_loads: Sequence[int] | None = None,
    inference: bool = False,
    decode: bool = False,
    fixed_batch: bool = False,
    weights: str | Path | None = None,
    strict: bool = False,
) -> TrainingGraph:
    """Capture one training step of a torch module as a graph, symbolic in the batch size.

    Arguments as for ``simulate``; ``expert_loads`` are the rows that each expert of a mixture gets, relative to the
    others', balanced when None; ``default_batch`` are the samples unless a simulation says otherwise, 32 when None, or
    1 where no input has a batch. ``inference`` is the forward pass alone, ``decode`` the step after it, one token more
    on the cache that the pass left. ``fixed_batch`` captures at the default batch alone, where products of samples with
    samples are not affine in it. ``weights`` is a checkpoint of the module, whose shapes are checked and whose zeros
    are told in a note.

    Raises:
        CaptureError: the step cannot run on shapes alone, trains nothing, or is not affine in the batch.
    """
    if not callable(module):
        raise CaptureError(f"{name}: got {type(module).__name__}, need a torch module or a function that makes one")
    from .training.capture import capture as capture_module

    shapes = input_shapes(input_shape, integer_inputs)
    return capture_module(
        module,
        shapes,
        name=name,
        default_batch=batch_of(shapes) if default_batch is None else default_batch,
        source="captured in Python",
        strict=strict,
        loss=loss,
        expert_loads=None if expert_loads is None else tuple(expert_loads),
        inference=inference,
        decode=decode,
        fixed_batch=fixed_batch,
        weights=None if weights is None else Path(weights),
    )


def batch_of(inputs: Sequence[InputShape]) -> int:
    """The batch of a network that says none: 1 where no input has one."""
    return defaults.BATCH if any(shape.batch_axis is not None for shape in inputs) else 1


def workload_of(
    given: Model,
    input_shape: InputShapes | None,
    integer_inputs: bool | Collection[int],
    loss: Loss | str | None,
) -> Workload:
    """The workload that was given, captured where it is a module; arguments as for ``simulate``.

    Raises:
        ConfigError: there is none of that name, or its inputs are missing or not wanted.
        CaptureError: the module cannot be captured.
    """
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
