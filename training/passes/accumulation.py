"""Gradient accumulation: a training step cut into micro-batches, whose gradients are added up before one update.

The step's samples are shared out evenly: a micro-batch is a whole forward and backward pass of its share, one after
another, so that only its own activations lie in memory. From the second one on each gradient of a parameter is added to
what was gathered (``gradient_add``: both read, the sum written, FP32), as autograd does; the update reads the last sum.
Statistics of a batch normalisation are those of a micro-batch. The data of the whole step are there from its beginning.
Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...configs.errors import ConfigError
from ..graph import Convolution, Geometry, MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph

MOST_OPERATORS = 100_000
"""Operators of a step: each is a row of its result."""

_SHARED = ("parameter", "buffer")


def in_micro_batches(graph: TrainingGraph, count: int) -> TrainingGraph:
    """The graph of a step in micro-batches.

    Args:
        graph: of a step at once.
        count: micro-batches, at least 2. The batch of the graph that is made is the step's, and a multiple of it.

    Raises:
        ConfigError: nothing learns, or the step has more than ``MOST_OPERATORS``.
    """
    if graph.inference:
        raise ConfigError(f"accumulate: got {count}, need a training step, which {graph.name} is not; try without it")
    if count * len(graph.operators) > MOST_OPERATORS:
        raise ConfigError(
            f"accumulate: got {count}, need at most {MOST_OPERATORS // len(graph.operators)}: a step of {graph.name} "
            f"has {len(graph.operators)} operators, and at most {MOST_OPERATORS} are followed"
        )
    cut = _Cut(graph=graph, count=count)
    operators = tuple(cut.operators())
    return replace(
        graph,
        default_batch=graph.default_batch * (count if graph.fixed_batch else 1),
        micro_batches=count,
        tensors=cut.tensors,
        operators=operators,
        counted_macs={name: _share(macs, count) * count for name, macs in graph.counted_macs.items()},
    )


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """A step that is being cut."""

    graph: TrainingGraph
    count: int

    def operators(self) -> Iterator[Operator]:
        """All micro-batches, one after another, and the updates."""
        final = self._final()
        body = [each for each in self.graph.operators if each.stage is not Stage.UPDATE]
        for number in range(1, self.count + 1):
            for operator in body:
                yield self._in(operator, number)
                if number > 1:
                    yield from (self._sum(operator, name, number) for name in operator.outputs if name in final)
        for operator in self.graph.operators:
            if operator.stage is Stage.UPDATE:
                yield replace(operator, inputs=tuple(self._gathered(name, self.count) for name in operator.inputs))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Those of all micro-batches, and the sums."""
        found: dict[str, Tensor] = {}
        final = self._final()
        for name, tensor in self.graph.tensors.items():
            if tensor.role in _SHARED:
                found[name] = tensor
                continue
            shape = tuple(_share(size, self.count) for size in tensor.shape)
            for number in range(1, self.count + 1):
                own = self._name(name, number)
                found[own] = replace(tensor, name=own, shape=shape)
                if name in final and number > 1:
                    total = self._gathered(name, number)
                    found[total] = replace(tensor, name=total)
        return found

    def _final(self) -> set[str]:
        """Gradients that updates read."""
        return {
            name
            for operator in self.graph.operators
            if operator.stage is Stage.UPDATE
            for name in operator.inputs
            if self.graph.tensors[name].role not in _SHARED
        }

    def _in(self, operator: Operator, number: int) -> Operator:
        return replace(
            operator,
            name=in_micro_batch(operator.name, number),
            inputs=tuple(self._name(name, number) for name in operator.inputs),
            outputs=tuple(self._name(name, number) for name in operator.outputs),
            geometry=_geometry(operator.geometry, self.count),
            elements=_share(operator.elements, self.count),
        )

    def _sum(self, operator: Operator, name: str, number: int) -> Operator:
        """What was gathered and what this micro-batch brings."""
        total = self._gathered(name, number)
        elements = self.graph.tensors[name].elements(1)
        return Operator(
            name=total,
            kind="gradient_add",
            stage=Stage.WEIGHT_GRADIENT,
            module=operator.module,
            inputs=(self._gathered(name, number - 1), self._name(name, number)),
            outputs=(total,),
            elements=Size(fixed=elements),
        )

    def _name(self, name: str, number: int) -> str:
        return name if self.graph.tensors[name].role in _SHARED else in_micro_batch(name, number)

    def _gathered(self, name: str, number: int) -> str:
        """The gradient of all micro-batches up to one."""
        own = self._name(name, number)
        return own if number == 1 or own == name else f"{own}:sum"


def in_micro_batch(name: str, number: int) -> str:
    """The name of an operator or a tensor in a micro-batch; in the first it is what it is in a step at once.

    >>> in_micro_batch("conv1:FF", 1), in_micro_batch("conv1:FF", 2)
    ('conv1:FF', 'conv1:FF@2')
    """
    return name if number == 1 else f"{name}@{number}"


def _share(size: Size, count: int) -> Size:
    return replace(size, samples=size.samples * count) if size.per_sample else size


def _geometry(geometry: Geometry | None, count: int) -> Geometry | None:
    match geometry:
        case Convolution():
            return replace(geometry, batch=_share(geometry.batch, count))
        case MatrixProduct():
            return replace(
                geometry,
                m=_share(geometry.m, count),
                n=_share(geometry.n, count),
                k=_share(geometry.k, count),
                count=_share(geometry.count, count),
            )
        case None:
            return None
