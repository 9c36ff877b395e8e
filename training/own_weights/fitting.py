"""A checkpoint laid over a training graph: which tensor is which weight, and the zeros of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...configs.arrays import BoolArray
from ...configs.errors import CaptureError
from ...configs.operand_format import OperandFormat
from ...configs.unstructured import Unstructured
from ..graph import Convolution, MatrixProduct, Operator, Stage, Tensor, TrainingGraph
from ..weight_names import fitted
from .found_zeros import FoundZeros
from .held import Held, told, under_mask
from .measured import OwnMask
from .reading import Known, OwnWeights

_LEAST_PERCENT, _MOST_PERCENT = 0.1, 99.9
"""Zeros of a whole checkpoint, as it is called, where some weight has a format; none is without any values."""

_NAMED = 3
"""Tensors that a message names before it counts the others."""


@dataclass(frozen=True, kw_only=True)
class FittedWeights:
    """The weights of a graph, as a checkpoint has them.

    Attributes:
        weights: the checkpoint.
        found: the zeros of each weight that it has, by the parameter's name.
        masks: where they lie, of those whose axes are known.
        missing: weights that products multiply by and the checkpoint has not: they are taken as dense.
        others: tensors of the checkpoint, with two axes or more, that the graph has not.
    """

    weights: OwnWeights
    found: Mapping[str, FoundZeros]
    masks: Mapping[str, OwnMask]
    missing: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def pattern(self) -> OperandFormat:
        """What the weights are as a whole: the format of all that have zeros, or the share of zeros of all."""
        sparse = [each for each in self.found.values() if each.is_sparse]
        meant = {each.meant(Stage.FORWARD) for each in sparse}
        if len(meant) == 1 and (pattern := meant.pop()) is not None:
            return pattern
        elements, zeros = (
            sum(numbers) for numbers in zip(*((f.elements, f.zeros) for f in self.found.values()), strict=True)
        )
        percent = round(100 * zeros / max(elements, 1), 1)
        return Unstructured(min(max(percent, _LEAST_PERCENT if sparse else 0.0), _MOST_PERCENT))


def fit_weights(weights: OwnWeights, graph: TrainingGraph, of: str | None = None) -> FittedWeights:
    """Find the weights that products of a graph multiply by, and count their zeros.

    Args:
        weights: the checkpoint.
        graph: of the network.
        of: what messages call the network; as the graph is called when None.

    Raises:
        CaptureError: none of the tensors is one of the graph's weights, one has another shape, or holds what is no
            number; the message names the file and the tensor.
    """
    of = graph.name if of is None else of
    readers: dict[str, Operator] = {}
    for operator in graph.products:
        if operator.stage is Stage.FORWARD and operator.parameter is not None:
            readers.setdefault(operator.parameter, operator)
    # Of a graph all parameters are known, of which others may have two axes.
    parameters = {name for name, tensor in graph.tensors.items() if tensor.role == "parameter"}
    held = dict(fitted(weights.tensors, parameters, under_mask))
    common = [name for name in readers if name in held]
    if not common:
        raise CaptureError(
            f"{weights.file}: got {_listed(list(held))}, need the weights of {of} "
            f"({_listed(list(readers))}); try the checkpoint of the network that was captured"
        )
    known = {}
    for name in common:
        shape = _shape(graph.tensors[name])
        if held[name].shape != shape:
            raise CaptureError(
                f"{weights.file}: {told(held[name].name)}: got {_extents(held[name].shape)}, need {_extents(shape)} of "
                f"{name} of {of}"
            )
        known[name] = _zeros_of(weights, held[name], readers[name])
    return FittedWeights(
        weights=weights,
        found={name: found for name, (found, _) in known.items()},
        masks={name: mask for name, (_, mask) in known.items() if mask is not None},
        missing=tuple(name for name in readers if name not in held),
        others=tuple(told(name) for name, each in held.items() if name not in parameters and len(each.shape) > 1),
    )


def _zeros_of(weights: OwnWeights, held: Held, reader: Operator) -> Known:
    key = (held.name, reader.geometry)
    if key not in weights.known:
        weights.known[key] = _known(held, reader)
    return weights.known[key]


def _known(held: Held, reader: Operator) -> Known:
    kept = held.nonzero()
    seen = _by_axes(kept, reader)
    if seen is None:
        return FoundZeros.without_axes(kept), None

    def read() -> BoolArray:
        again = _by_axes(held.nonzero(), reader)
        assert again is not None, "its axes are known"
        return again

    return FoundZeros.of(seen), OwnMask(name=held.name, read=read)


def _by_axes(kept: BoolArray, reader: Operator) -> BoolArray | None:
    """A weight as [groups, outputs, inputs, taps]; None where a product does not say which axis is which."""
    if isinstance(reader.geometry, Convolution):
        return _of_convolution(kept, reader.geometry)
    return _of_matrix(kept, reader.geometry) if isinstance(reader.geometry, MatrixProduct) else None


def _of_convolution(kept: BoolArray, convolution: Convolution) -> BoolArray:
    """[groups, outputs, inputs, taps] of a weight [out, in / groups, ...], or transposed [in, out / groups, ...]."""
    groups, taps = convolution.groups, math.prod(convolution.kernel)
    first = kept.shape[0] // groups
    seen = kept.reshape(groups, first, kept.shape[1], taps)
    return seen.swapaxes(1, 2) if convolution.transposed else seen


def _of_matrix(kept: BoolArray, product: MatrixProduct) -> BoolArray | None:
    """The same of a matrix, or one a group, by the extents of its product; None where they say nothing.

    A square one is taken as torch's Linear has it: outputs first.
    """
    if kept.ndim not in (2, 3) or product.n.per_sample or product.k.per_sample:
        return None
    seen = kept.reshape(-1, *kept.shape[-2:], 1)
    n, k = product.n.fixed, product.k.fixed
    first, second = seen.shape[1:3]
    # Packed weights stand above each other: a product may take a part of them.
    if second == k and n and first % n == 0:
        return seen
    return seen.swapaxes(1, 2) if first == k and n and second % n == 0 else None


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(size.fixed for size in tensor.shape)


def _extents(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(map(told, names[:_NAMED])) + (f" and {more} more" if more > 0 else "")
