"""The two entrances: a module in hand, or the path of a network as the command line gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...configs.errors import CaptureError
from ..capture_request import CaptureRequest
from ..graph import Stage, TrainingGraph
from ..graph_consistency import check_counts, check_tensors
from ..graph_fault import GraphFormatError
from ..input_shape import InputShape, InputShapes, input_shapes
from ..passes.inference import forward_only
from ..recipes.in_torch.reach import Reach
from ..uncounted import refuse_uncounted
from .batch_fit import BatchFit, batch_sizes_avoiding
from .cache import GraphCache
from .checkpoint import checkpoint_notes
from .factories import load_factory
from .finishing import RecordedStep
from .inference import record_inference
from .losses import LOSSES, Loss
from .meta_module import on_meta_with_notes
from .network_source import NetworkSource
from .notes import notes_of
from .sources import find_source
from .step import record_step
from .with_data import NeedsDataError, with_data

_PLAIN = CaptureRequest()


def capture(
    source_module: torch.nn.Module | Callable[[], torch.nn.Module],
    input_shape: InputShapes,
    *,
    name: str,
    default_batch: int,
    source: str,
    integer_inputs: bool | Collection[int] = False,
    strict: bool = False,
    **asked: Any,
) -> TrainingGraph:
    """One training step of a module as a graph, symbolic in the batch size; or its forward pass alone.

    Args:
        source_module: a module, or a function without arguments that makes one. The module itself is not changed.
        input_shape: extents of one sample without the batch, such as ``(3, 224, 224)``, or one such for each input;
            see ``InputShapes`` for the other forms.
        name: of the workload.
        default_batch: batch size used unless told otherwise.
        source: what this is and how to make it again.
        integer_inputs: True when every input holds token indices, or the positions of those that do.
        strict: refuse operators that may multiply and cannot be counted.
        **asked: fields of ``CaptureRequest``: ``loss``, ``expert_loads``, ``inference``, ``decode``, ``fixed_batch``,
            ``weights``.

    Raises:
        CaptureError: the step cannot run on shapes alone, trains nothing, is not affine in the batch, or ``strict``
            refuses it.
    """
    graph = _captured(
        NetworkSource(make=source_module, name=name),
        input_shapes(input_shape, integer_inputs),
        CaptureRequest(**asked),
        name=name,
        default_batch=default_batch,
        source=source,
    )
    if strict:
        refuse_uncounted(graph)
    return graph


def capture_path(
    path: str,
    inputs: Sequence[InputShape],
    *,
    name: str,
    default_batch: int,
    source: str,
    request: CaptureRequest = _PLAIN,
    search_path: Path | str | None = None,
    cache: GraphCache | None = None,
    found: NetworkSource | None = None,
) -> TrainingGraph:
    """What ``bisparse capture`` does: find the network, then capture it.

    Args:
        path: of the network, see ``find_source``.
        inputs: one shape an input of the module.
        name: of the workload.
        default_batch: batch size used unless told otherwise.
        source: what this is and how to make it again.
        request: what else is asked.
        search_path: folder looked in first; the working directory when None.
        cache: where graphs are kept between runs; None to capture afresh.
        found: the network, where it was found already.

    Raises:
        CaptureError: see ``capture`` and ``find_source``.
    """
    network = found if found is not None else find_source(path, search_path)
    asked = (path, tuple(inputs), request, name, default_batch, source)
    return _captured(
        network,
        tuple(inputs),
        request,
        name=name,
        default_batch=default_batch,
        source=source,
        search_path=search_path,
        kept=None if cache is None else (cache, asked),
    )


def _captured(
    network: NetworkSource,
    inputs: tuple[InputShape, ...],
    request: CaptureRequest,
    *,
    name: str,
    default_batch: int,
    source: str,
    search_path: Path | str | None = None,
    kept: tuple[GraphCache, tuple[object, ...]] | None = None,
) -> TrainingGraph:
    if type(default_batch) is not int or default_batch < 1:
        raise CaptureError(f"{name}: batch: got {default_batch!r}, need an integer of at least 1; try 32")
    inference = request.inference or request.decode
    weights = request.weights
    module, notes = on_meta_with_notes(
        network.make, training=not inference, own_weights=weights is None, stored=_stored(network)
    )
    notes = (*network.notes, *(() if inference else network.training_notes), *notes)
    if weights is not None:
        notes = (*notes, *checkpoint_notes(weights, module))
    if not inference and any(True for _ in module.parameters()) and not _learns(module):
        inference, module = True, module.eval()
        notes = (*notes, "Nothing in it learns: it is a forward pass alone, as inference runs it.")
    loss = _loss(request.loss, search_path)
    key = "" if kept is None else kept[0].key(module, network.file, *kept[1], notes)
    known = None if kept is None else kept[0].get(key)
    if known is not None:
        return known
    graph = _Capture(
        network=network,
        inputs=inputs,
        request=replace(request, loss=loss, inference=inference),
        name=name,
        default_batch=default_batch,
    ).graph(module, notes)
    graph = replace(graph, source=source)
    if kept is not None:
        kept[0].put(key, graph)
    return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class _Capture:
    """One capture: of a network at some inputs."""

    network: NetworkSource
    inputs: tuple[InputShape, ...]
    request: CaptureRequest
    name: str
    default_batch: int

    @property
    def fixed(self) -> bool:
        """Whether it is of one batch size."""
        return self.request.fixed_batch or all(shape.batch_axis is None for shape in self.inputs)

    def graph(self, module: torch.nn.Module, notes: tuple[str, ...]) -> TrainingGraph:
        """The graph of a module without data, with what is to be said of it beside these notes."""
        try:
            return self._graph(module, notes)
        except NeedsDataError as stopped:
            real = with_data(self.network.make, training=not self.request.inference)
            if real is None:
                raise
            return self._graph(real, (*notes, stopped.note))
        except CaptureError:
            # At a batch of one, what is given may be all of an input: the nodes and edges of one graph.
            whole = tuple(replace(shape, batch_axis=None) for shape in self.inputs)
            if self.default_batch != 1 or whole == self.inputs:
                raise
            try:
                return replace(self, inputs=whole).graph(module, (*notes, _WHOLE_NOTE))
            except CaptureError:
                pass
            raise

    def _graph(self, module: torch.nn.Module, notes: tuple[str, ...]) -> TrainingGraph:
        if self.fixed and self.default_batch != 1 and all(shape.batch_axis is None for shape in self.inputs):
            raise CaptureError(f"{self.name}: batch: got {self.default_batch} for inputs that have none, need 1")
        fitted = self._at_fixed_batch(module) if self.fixed else self._at_any_batch(module)
        if self.request.inference:
            fitted = forward_only(fitted)
        for check, fault in (
            (check_counts, "torch's own counter and the capture disagree"),
            (check_tensors, "the capture is wrong about a tensor"),
        ):
            try:
                check(fitted)
            except GraphFormatError as error:
                # Not the user's mistake, but better told than stored: such a graph cannot be read back from its file.
                raise CaptureError(f"{self.name}: {error.complaint.partition(';')[0]}; {fault}") from None
        balanced = self.request.expert_loads is None
        return replace(
            fitted,
            dense_in_training=tuple(_beyond_apply(module, fitted)) if self.network.layered else (),
            notes=tuple(dict.fromkeys((*notes, *fitted.notes, *notes_of(fitted, balanced=balanced)))),
        )

    def _at_fixed_batch(self, module: torch.nn.Module) -> TrainingGraph:
        step = self._recorded(module, self.default_batch)
        return replace(step.graph, fixed_batch=True)

    def _at_any_batch(self, module: torch.nn.Module) -> TrainingGraph:
        extents = {extent for tensor in module.parameters() for extent in tensor.shape}
        extents = extents.union(*(shape.extents for shape in self.inputs))
        samples = needed = 1
        while True:
            batches = batch_sizes_avoiding(extents, samples)
            steps = [self._recorded(module, batch) for batch in batches]
            needed = math.lcm(*(step.samples for step in steps))
            if needed == 1:
                break
            # Data are shared out: again, at batches of which every share is whole.
            samples *= needed
            if samples > _MOST_SHARES:
                raise CaptureError(
                    f"{self.name}: got data shared out into {samples} parts and more, need at most {_MOST_SHARES}; try "
                    "--fixed-batch"
                )
        fit = BatchFit(batches, samples=samples)
        try:
            return fit.merge(steps, default_batch=self.default_batch)
        except CaptureError:
            # A first forward pass may fill a cache that later ones read: what every other step does is then the same.
            again = [self._recorded(module, batch) for batch in batches]
            return fit.merge(again, default_batch=self.default_batch)

    def _recorded(self, module: torch.nn.Module, batch: int) -> RecordedStep:
        request = self.request
        if request.inference:
            return record_inference(
                module,
                self.inputs,
                batch=batch,
                name=self.name,
                expert_loads=request.expert_loads,
                decode=request.decode,
            )
        assert not isinstance(request.loss, str), "a loss by name was looked up"
        return record_step(
            module,
            self.inputs,
            batch=batch,
            loss=request.loss,
            name=self.name,
            expert_loads=request.expert_loads,
        )


_MOST_SHARES = 1 << 16
"""Parts that a batch may be shared out into: three times as many samples are captured, on shapes alone."""

_WHOLE_NOTE = "Its inputs are taken as they are: with a batch beside them it does not run."


def _stored(network: NetworkSource) -> bool:
    """Whether building it reads weights from its file, and draws none."""
    return network.file is not None and not network.layered


def _learns(module: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _beyond_apply(module: torch.nn.Module, graph: TrainingGraph) -> Iterator[str]:
    """Parameters that products multiply by and that no recipe at work reaches; embedding tables, left dense, aside."""
    within = Reach(module).weights()
    tables = {name for operator in graph.operators if operator.kind == "embedding" for name in operator.inputs}
    products = (product for product in graph.products if product.stage in (Stage.FORWARD, Stage.BACKWARD))
    for name in dict.fromkeys(product.parameter for product in products):
        if name is not None and name not in within and name not in tables:
            yield name


def _loss(loss: Loss | str | None, search_path: Path | str | None) -> Loss | None:
    if not isinstance(loss, str):
        return loss
    if loss in LOSSES:
        return LOSSES[loss]
    if ":" not in loss:
        raise CaptureError(f"loss: got '{loss}', need package.module:function or one of: {', '.join(LOSSES)}; try mean")
    return load_factory(loss, search_path)
