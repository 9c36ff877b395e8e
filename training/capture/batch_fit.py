"""Making the batch symbolic: the same step at three batch sizes, every extent fitted as ``fixed + per_sample * batch``.

Two sizes give the fit and the third checks it. The sizes are primes that the network has no dimension of, so that code
which compares extents never meets a coincidence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction

from ...configs.errors import CaptureError
from ..graph import Convolution, MatrixProduct, Operator, Size, Tensor, TrainingGraph, UnknownOperator
from .finishing import RecordedStep

_PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107)


def batch_sizes_avoiding(extents: Collection[int], samples: int = 1) -> tuple[int, int, int]:
    """Three primes, or so many times three, that are none of these extents.

    >>> batch_sizes_avoiding({3, 7, 224}), batch_sizes_avoiding({20}, samples=4)
    ((5, 11, 13), (28, 44, 52))
    """
    sizes = [prime * samples for prime in _PRIMES]
    free = [size for size in sizes if size not in extents]
    chosen = free if len(free) >= 3 else sizes
    return chosen[0], chosen[1], chosen[2]


class BatchFit:
    """Fits one graph to the graphs of three batch sizes."""

    def __init__(self, batches: tuple[int, int, int], *, samples: int = 1) -> None:
        """Fit at these batch sizes.

        Args:
            batches: three.
            samples: that extents may grow by one for; a divisor of each batch.
        """
        self._batches, self._samples = batches, samples

    def merge(self, steps: Sequence[RecordedStep], *, default_batch: int) -> TrainingGraph:
        """One graph with symbolic extents.

        A vector operation counts the elements of its largest operand or result; each is fitted by itself and the one
        that is largest at the default batch is kept, because a maximum of two affine extents is not affine.

        Raises:
            CaptureError: the step runs other operators at another batch size, or an extent is not affine in it.
        """
        graphs = [step.graph for step in steps]
        elements = [step.operand_elements for step in steps]
        first = graphs[0]
        for graph, batch in zip(graphs[1:], self._batches[1:], strict=True):
            self._check_same_operators(first, graph, batch)
        operators = zip(*(graph.operators for graph in graphs), strict=True)
        tensors = {name: self._tensor([graph.tensors[name] for graph in graphs]) for name in first.tensors}
        unknown = zip(*(graph.unknown for graph in graphs), strict=True)
        return replace(
            first,
            default_batch=default_batch,
            tensors=tensors,
            operators=tuple(
                self._operator(same, [known.get(same[0].name, ()) for known in elements], default_batch)
                for same in operators
            ),
            unknown=tuple(self._unknown(same, default_batch) for same in unknown),
            counted_macs={
                key: self._size([graph.counted_macs[key] for graph in graphs], f"counted MACs of the {key} pass")
                for key in first.counted_macs
            },
        )

    def _check_same_operators(self, first: TrainingGraph, other: TrainingGraph, batch: int) -> None:
        ours = [(o.name, o.inputs, o.outputs) for o in first.operators]
        theirs = [(o.name, o.inputs, o.outputs) for o in other.operators]
        if ours == theirs and first.tensors.keys() == other.tensors.keys():
            return
        where = next((mine[0] for mine, yours in zip(ours, theirs, strict=False) if mine != yours), "the last operator")
        raise CaptureError(
            f"{first.name}: {where}: got other operators at batch {batch} than at batch {self._batches[0]}, need the "
            "same at every batch size; try removing code that depends on the batch size"
        )

    def _size(self, sizes: Sequence[Size], where: str) -> Size:
        one, two, three = (size.fixed for size in sizes)
        low, high, check = self._batches
        slope = Fraction(two - one, high - low)
        fixed = one - slope * low
        fitted = Size(fixed=int(fixed), per_sample=slope.numerator, samples=slope.denominator)
        if self._samples % slope.denominator or fixed.denominator > 1 or fitted.at(check) != three:
            found = ", ".join(f"{size.fixed} at batch {at}" for size, at in zip(sizes, self._batches, strict=True))
            raise CaptureError(
                f"{where}: got {found}, need an extent of the form fixed + per_sample * batch; "
                "try --fixed-batch where samples meet samples (contrastive losses), or 16xBx64 where the batch is not "
                "first"
            )
        return fitted

    def _tensor(self, same: Sequence[Tensor]) -> Tensor:
        first = same[0]
        shape = tuple(
            self._size(extents, f"tensor {first.name}")
            for extents in zip(*(tensor.shape for tensor in same), strict=True)
        )
        return replace(first, shape=shape)

    def _operator(self, same: Sequence[Operator], operands: Sequence[tuple[int, ...]], batch: int) -> Operator:
        first = same[0]
        if isinstance(first.geometry, MatrixProduct):
            return replace(first, geometry=self._product(same))
        if isinstance(first.geometry, Convolution):
            return replace(first, geometry=self._convolution(same))
        if not operands[0]:
            return first
        fitted = (
            self._size([Size(fixed=elements) for elements in operand], f"elements of {first.name}")
            for operand in zip(*operands, strict=True)
        )
        return replace(first, elements=max(fitted, key=lambda size: size.at(batch)))

    def _product(self, same: Sequence[Operator]) -> MatrixProduct:
        products = [operator.geometry for operator in same if isinstance(operator.geometry, MatrixProduct)]
        fitted = {
            side: self._size([getattr(product, side) for product in products], f"{side} of {same[0].name}")
            for side in ("m", "n", "k", "count")
        }
        first = products[0]
        if any((product.grouped, product.loads) != (first.grouped, first.loads) for product in products):
            raise CaptureError(
                f"{same[0].name}: got groups whose number changes with the batch, need the same at every batch size; "
                "try a fixed number of experts"
            )
        # A sequence as long as the batch has no extents that blocks could be counted of.
        causal = first.causal if first.causal and not any(fitted[axis].per_sample for axis in first.causal) else None
        return replace(first, m=fitted["m"], n=fitted["n"], k=fitted["k"], count=fitted["count"], causal=causal)

    def _convolution(self, same: Sequence[Operator]) -> Convolution:
        shapes = [operator.geometry for operator in same if isinstance(operator.geometry, Convolution)]
        batch = self._size([shape.batch for shape in shapes], f"images of {same[0].name}")
        fitted = [replace(shape, batch=batch) for shape in shapes]
        if any(shape != fitted[0] for shape in fitted):
            raise CaptureError(
                f"{same[0].name}: got a convolution whose channels, groups or extents change with the batch, need only "
                "its images to; try a convolution that does not fold samples into channels"
            )
        return fitted[0]

    def _unknown(self, same: Sequence[UnknownOperator], batch: int) -> UnknownOperator:
        """Shapes at the default batch size, for the report."""
        first = same[0]
        shapes = tuple(
            tuple(
                self._size([Size(fixed=extent) for extent in extents], f"operator {first.name}").at(batch)
                for extents in zip(*shape, strict=True)
            )
            for shape in zip(*(unknown.shapes for unknown in same), strict=True)
        )
        return replace(first, shapes=shapes)
