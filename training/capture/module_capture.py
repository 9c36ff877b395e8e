"""The two entrances: a module in hand, or the path of a factory as the command line gives it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...configs.errors import CaptureError
from ..graph import Stage, TrainingGraph
from ..graph_consistency import check_counts
from ..graph_fault import GraphFormatError
from ..input_shape import InputShape, InputShapes, input_shapes
from ..recipes.in_torch.reach import Reach
from ..uncounted import refuse_uncounted
from .batch_fit import BatchFit, batch_sizes_avoiding
from .cache import GraphCache
from .factories import load_factory
from .finishing import RecordedStep
from .losses import LOSSES, Loss
from .meta_module import on_meta_with_notes
from .notes import notes_of
from .step import record_step
from .with_data import NeedsDataError, with_data


def capture(
    source_module: torch.nn.Module | Callable[[], torch.nn.Module],
    input_shape: InputShapes,
    *,
    name: str,
    default_batch: int,
    source: str,
    loss: Loss | str | None = None,
    integer_inputs: bool | Collection[int] = False,
    expert_loads: Sequence[int] | None = None,
    strict: bool = False,
) -> TrainingGraph:
    """One training step of a module as a graph, symbolic in the batch size.

    Args:
        source_module: a module, or a function without arguments that makes one. The module itself is not changed.
        input_shape: extents of one sample without the batch, such as ``(3, 224, 224)``, or one such for each input;
            see ``InputShapes`` for the other forms.
        name: of the workload.
        default_batch: batch size used unless told otherwise.
        source: what this is and how to make it again.
        loss: maps the module's output to a scalar, or a name in ``LOSSES``; see ``losses`` for the default.
        integer_inputs: True when every input holds token indices, or the positions of those that do.
        expert_loads: the load of each expert of a grouped product relative to the others'; balanced when None.
        strict: refuse operators that may multiply and cannot be counted.

    Raises:
        CaptureError: the step cannot run on shapes alone, trains nothing, is not affine in the batch, or ``strict``
            refuses it.
    """
    module, notes = on_meta_with_notes(source_module)
    made = source_module
    graph = _captured(
        module,
        input_shapes(input_shape, integer_inputs),
        name=name,
        default_batch=default_batch,
        source=source,
        loss=_named_loss(loss, None) if isinstance(loss, str) else loss,
        expert_loads=None if expert_loads is None else tuple(expert_loads),
        notes=notes,
        made=made,
    )
    if strict:
        refuse_uncounted(graph)
    return graph


def capture_factory(
    path: str,
    inputs: Sequence[InputShape],
    *,
    name: str,
    default_batch: int,
    source: str,
    loss: str | None = None,
    expert_loads: tuple[int, ...] | None = None,
    search_path: Path | str | None = None,
    cache: GraphCache | None = None,
) -> TrainingGraph:
    """What ``bisparse capture`` does: find the factory, then capture what it makes.

    Args:
        path: ``package.module:factory``.
        inputs: one shape an input of the module.
        name: of the workload.
        default_batch: batch size used unless told otherwise.
        source: what this is and how to make it again.
        loss: a name in ``LOSSES`` or ``package.module:loss``; None for the default.
        expert_loads: as for ``capture``.
        search_path: folder looked in first; the working directory when None.
        cache: where graphs are kept between runs; None to capture afresh.

    Raises:
        CaptureError: see ``capture`` and ``load_factory``.
    """
    made = load_factory(path, search_path)
    module, notes = on_meta_with_notes(made)
    loss_function = _named_loss(loss, search_path)
    key = (
        ""
        if cache is None
        else cache.key(module, path, tuple(inputs), name, default_batch, source, loss, expert_loads, notes)
    )
    known = None if cache is None else cache.get(key)
    if known is not None:
        return known
    graph = _captured(
        module,
        tuple(inputs),
        name=name,
        default_batch=default_batch,
        source=source,
        loss=loss_function,
        expert_loads=expert_loads,
        notes=notes,
        made=made,
    )
    if cache is not None:
        cache.put(key, graph)
    return graph


def _captured(
    module: torch.nn.Module,
    inputs: tuple[InputShape, ...],
    *,
    name: str,
    default_batch: int,
    source: str,
    loss: Loss | None,
    expert_loads: tuple[int, ...] | None,
    notes: tuple[str, ...],
    made: torch.nn.Module | Callable[[], torch.nn.Module],
) -> TrainingGraph:
    if type(default_batch) is not int or default_batch < 1:
        raise CaptureError(f"{name}: batch: got {default_batch!r}, need an integer of at least 1; try 32")
    extents = {extent for tensor in module.parameters() for extent in tensor.shape}
    batches = batch_sizes_avoiding(extents.union(*(shape.extents for shape in inputs)))

    def steps_of(module: torch.nn.Module) -> list[RecordedStep]:
        return [
            record_step(module, inputs, batch=batch, loss=loss, name=name, expert_loads=expert_loads)
            for batch in batches
        ]

    try:
        steps = steps_of(module)
    except NeedsDataError as stopped:
        real = with_data(made)
        if real is None:
            raise
        module, notes = real, (*notes, stopped.note)
        steps = steps_of(module)
    try:
        fitted = BatchFit(batches).merge(steps, default_batch=default_batch)
    except CaptureError:
        # A first forward pass may fill a cache that later ones read: what every other step does is then the same.
        fitted = BatchFit(batches).merge(steps_of(module), default_batch=default_batch)
    try:
        check_counts(fitted)
    except GraphFormatError as error:
        # Not the user's mistake, but better told than stored: a graph file with such counts cannot be read back.
        told = f"{name}: {error.complaint.partition(';')[0]}; torch's own counter and the capture disagree"
        raise CaptureError(told) from None
    return replace(
        fitted,
        source=source,
        dense_in_training=tuple(_beyond_apply(module, fitted)),
        notes=(*notes, *fitted.notes, *notes_of(fitted, balanced=expert_loads is None)),
    )


def _beyond_apply(module: torch.nn.Module, graph: TrainingGraph) -> Iterator[str]:
    """Parameters that products multiply by and that no recipe at work reaches; embedding tables, left dense, aside."""
    within = Reach(module).weights()
    tables = {name for operator in graph.operators if operator.kind == "embedding" for name in operator.inputs}
    products = (product for product in graph.products if product.stage in (Stage.FORWARD, Stage.BACKWARD))
    for name in dict.fromkeys(product.parameter for product in products):
        if name is not None and name not in within and name not in tables:
            yield name


def _named_loss(loss: str | None, search_path: Path | str | None) -> Loss | None:
    if loss is None:
        return None
    if loss in LOSSES:
        return LOSSES[loss]
    if ":" not in loss:
        raise CaptureError(f"loss: got '{loss}', need package.module:function or one of: {', '.join(LOSSES)}; try mean")
    return load_factory(loss, search_path)
