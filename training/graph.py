"""The training graph: one training step as operators over tensors, symbolic in the batch size. Free of torch.

An operator belongs to a stage: forward (FF), input gradients (BP), weight gradients (WU) or the parameter update.
Matrix products carry their geometry; everything else (normalisation, activation, softmax, pooling, loss, ...) carries
its kind and how many elements it touches, and runs on the vector engine. Views move no data and do not appear.

Every extent that can depend on the batch is a ``Size``: ``fixed + per_sample * batch``, or a share of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Literal

from ..configs.errors import ConfigError
from .score_patterns import ScorePattern


class Stage(StrEnum):
    """The part of a training step that an operator belongs to."""

    FORWARD = "FF"
    BACKWARD = "BP"
    WEIGHT_GRADIENT = "WU"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Size:
    """A count that is affine in the batch size: ``per_sample`` more for every ``samples`` samples, rounded up.

    More than one sample it takes where data are shared out: of two experts a token among eight, each gets a quarter of
    the tokens.

    >>> Size(per_sample=196).at(512), Size(per_sample=1, samples=4).at(10)
    (100352, 3)
    """

    fixed: int = 0
    per_sample: int = 0
    samples: int = 1

    def at(self, batch: int) -> int:
        """The count at this batch size."""
        return self.fixed + -(-self.per_sample * batch // self.samples)

    def __mul__(self, factor: int) -> Size:
        return Size(self.fixed * factor, self.per_sample * factor, self.samples)

    def __add__(self, other: Size) -> Size:
        samples = math.lcm(self.samples, other.samples)
        per_sample = (each.per_sample * (samples // each.samples) for each in (self, other))
        return Size(self.fixed + other.fixed, sum(per_sample), samples)


TensorRole = Literal["input", "parameter", "activation", "gradient", "parameter_gradient", "buffer", "cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A value that lives in memory. ``shape`` has the batch symbolic; ``integer`` marks indices and labels.

    A ``cache`` is what a decoding step reads of the tokens before: it lies in memory through the step.
    """

    name: str
    shape: tuple[Size, ...]
    role: TensorRole
    integer: bool = False

    def elements(self, batch: int) -> int:
        """Elements at this batch size."""
        return math.prod(size.at(batch) for size in self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """The geometry of a convolution as its forward pass sees it, whatever stage the operator belongs to.

    Attributes:
        batch: images.
        groups: g; in_channels and out_channels count all groups.
        input_size: spatial input extents, one per axis (1 to 3 axes), without padding.
        output_size: spatial output extents.
        kernel: kernel extents.
        stride: per axis.
        padding: per axis, on both sides.
        dilation: per axis.
        transposed: a transposed convolution (its forward is the input gradient of the plain one).
    """

    batch: Size
    groups: int
    in_channels: int
    out_channels: int
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool = False

    def macs(self, batch: int) -> int:
        """Multiply-accumulates of one stage, padding taps included: the convention of torch's flop counter."""
        positions = math.prod(self.input_size if self.transposed else self.output_size)
        taps = math.prod(self.kernel)
        return self.batch.at(batch) * positions * taps * self.in_channels * self.out_channels // self.groups

    def asked_macs(self, batch: int) -> int:
        """All of them."""
        return self.macs(batch)


MatrixAxis = Literal["m", "n", "k"]


@dataclass(frozen=True, slots=True)
class ComputedScores:
    """The axes of a product that count queries and keys of attention, and which of its scores are computed."""

    queries: MatrixAxis
    keys: MatrixAxis
    pattern: ScorePattern


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixProduct:
    """C[m, n] = A[m, k] B[k, n], ``count`` times on different operands: the product that this operator computes.

    Attributes:
        m: rows of A and C.
        n: columns of B and C.
        k: columns of A, rows of B.
        count: times that it runs, on different operands (attention heads).
        grouped: the axis that groups share out among them (experts their tokens): its extent is that of all groups
            together, and each group has operands of its own along the other two. None where there are no groups.
        loads: of a grouped product, each group's part of that axis relative to the others'.
        causal: of causal attention, the axes that count queries and keys: a query attends to no key behind its own
            place, counted from the first. None elsewhere.
        scores: of attention, which of its scores are computed where not all are. Never in a file: see ``scores``.
    """

    m: Size
    n: Size
    k: Size
    count: Size = Size(fixed=1)
    grouped: MatrixAxis | None = None
    loads: tuple[int, ...] = ()
    causal: tuple[MatrixAxis, MatrixAxis] | None = None
    scores: ComputedScores | None = None

    def macs(self, batch: int) -> int:
        """Multiply-accumulates of the product as it is computed, all groups together.

        >>> from bisparse.training.score_patterns import CausalBlocks
        >>> scores = [None, *(ComputedScores("m", "n", CausalBlocks(block)) for block in (1, 2))]
        >>> products = [MatrixProduct(m=Size(4), n=Size(4), k=Size(8), scores=each) for each in scores]
        >>> [product.macs(1) for product in products], [product.asked_macs(1) for product in products]
        ([128, 80, 96], [128, 80, 80])
        """
        if self.scores is None:
            return self._whole_macs(batch)
        queries, keys = self.scored(batch)
        return self._whole_macs(batch) // (queries * keys) * self.scores.pattern.computed(queries, keys)

    def asked_macs(self, batch: int) -> int:
        """Those that attention asks for."""
        if self.scores is None:
            return self._whole_macs(batch)
        queries, keys = self.scored(batch)
        return self._whole_macs(batch) // (queries * keys) * self.scores.pattern.asked(queries, keys)

    def _whole_macs(self, batch: int) -> int:
        return self.count.at(batch) * self.m.at(batch) * self.n.at(batch) * self.k.at(batch)

    def scored(self, batch: int) -> tuple[int, int]:
        """Queries and keys of a product of which not all scores are computed."""
        assert self.scores is not None, "only such a product has a pattern of scores"
        sides: tuple[Size, Size] = (getattr(self, self.scores.queries), getattr(self, self.scores.keys))
        return sides[0].at(batch), sides[1].at(batch)

    def attending(self, batch: int) -> tuple[int, int]:
        """Queries and keys of a causal product."""
        assert self.causal is not None, "only a causal product has queries and keys"
        sides: tuple[Size, Size] = (getattr(self, self.causal[0]), getattr(self, self.causal[1]))
        return sides[0].at(batch), sides[1].at(batch)

    def group_extents(self, batch: int) -> tuple[int, ...]:
        """Each group's part of the grouped axis: in proportion to its load, whole, the largest remainders rounded up.

        >>> MatrixProduct(m=Size(10), n=Size(4), k=Size(8), grouped="m", loads=(1, 1, 1)).group_extents(1)
        (4, 3, 3)
        """
        assert self.grouped is not None, "only a grouped product has groups"
        size: Size = getattr(self, self.grouped)
        whole, loads = size.at(batch), sum(self.loads)
        extents = [whole * load // loads for load in self.loads]
        by_remainder = sorted(range(len(extents)), key=lambda group: -(whole * self.loads[group] % loads))
        for group in by_remainder[: whole - sum(extents)]:
            extents[group] += 1
        return tuple(extents)


Geometry = Convolution | MatrixProduct


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One piece of work of a training step.

    Attributes:
        name: unique in the graph, such as ``layer1.0.conv1:WU``.
        kind: ``convolution``, ``linear``, ``matmul``, ``parameter_update`` or a vector operation's name.
        stage: where it belongs.
        module: dotted path of the torch module that it came from.
        inputs: names of the tensors it reads. For a matrix product the first two are its operands A and B.
        outputs: names of the tensors it writes.
        geometry: of a matrix product; None for the rest.
        parameter: the weight tensor that a product multiplies by (FF, BP) or differentiates (WU), or that an update
            changes; None for products of two activations and for vector operations without one.
        elements: elements that a vector operation or an update touches (its largest operand); zero for products.
    """

    name: str
    kind: str
    stage: Stage
    module: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    geometry: Geometry | None = None
    parameter: str | None = None
    elements: Size = Size()

    @property
    def is_product(self) -> bool:
        """Whether it runs on the tensor engine."""
        return self.geometry is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOperator:
    """An operator that the capture met and could not name: kept, counted as a generic pass, and reported."""

    name: str
    module: str
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeZeros:
    """Zeros that a rewrite makes in what streams past a layer's weight, as shares.

    Attributes:
        input: of the activations that it multiplies.
        gradient: of the gradient of its output.
        present: of its inputs, those that are there at all: a decoding step may leave out the others.
        of_differences: the inputs are differences, of which a training measures nothing.
    """

    input: float = 0.0
    gradient: float = 0.0
    present: float = 1.0
    of_differences: bool = False

    def measured(self, density: float | None) -> float | None:
        """Of the inputs what a training measured of the layer's: a share of those that are there; None of nothing.

        >>> MadeZeros(present=0.5).measured(0.25), MadeZeros(of_differences=True).measured(0.25)
        (0.5, None)
        """
        return None if density is None or self.of_differences else min(density / self.present, 1.0)


@dataclass(frozen=True, kw_only=True)
class TrainingGraph:
    """One training step of a network, in execution order; or its forward pass alone, as inference runs it.

    Attributes:
        name: the workload's name.
        source: what it was captured from, and the command that makes it again.
        default_batch: batch size used unless told otherwise.
        fixed_batch: whether it is of that batch size alone: no extent is known at another.
        micro_batches: that a step is cut into, each of an equal share of the batch. Never in a file: see ``passes``.
        cached_tokens: in the cache that a decoding step finds; 0 of any other. Never in a file: see ``passes``.
        tensors: every tensor by name.
        operators: in an order that respects every dependence.
        unknown: operators met that have no vector-engine formula of their own.
        counted_macs: multiply-accumulates that torch's own counter found, by pass (``forward``, ``backward``), with the
            known fault of that counter corrected (see ``training.capture``).
        dense_in_training: parameters that products multiply by and that ``bisparse.apply`` leaves dense, whatever the
            recipe: packed weights of attention, and those that no layer of torch's own holds.
        made_zeros: what rewrites say of the zeros that they make, by module. Never in a file: see ``rewrites``.
        notes: what the capture assumed or found that a reader of the figures must know, a sentence each.
    """

    name: str
    source: str
    default_batch: int
    tensors: dict[str, Tensor]
    operators: tuple[Operator, ...]
    unknown: tuple[UnknownOperator, ...] = ()
    counted_macs: dict[str, Size] = field(default_factory=dict)
    dense_in_training: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fixed_batch: bool = False
    micro_batches: int = 1
    cached_tokens: int = 0
    made_zeros: dict[str, MadeZeros] = field(default_factory=dict)

    @cached_property
    def inference(self) -> bool:
        """Whether nothing in it trains: no gradient, no update."""
        return all(operator.stage is Stage.FORWARD for operator in self.operators)

    def save(self, path: Path | str) -> None:
        """Write it to a file, which ``bisparse simulate`` takes; the folder is made when it is missing.

        Raises:
            ConfigError: the file cannot be written.
        """
        # By name: whoever writes and reads files knows graphs, and not the other way round.
        import_module(".graph_file", __package__).save_graph(self, path)

    def check_batch(self, batch: int | None) -> None:
        """Refuse a batch size at which the graph is not known; None is its own.

        Raises:
            ConfigError: it is one.
        """
        if self.fixed_batch and batch not in (None, self.default_batch):
            raise ConfigError(
                f"batch: got {batch}, need {self.default_batch}: {self.name} was captured at that batch alone; try "
                f"bisparse capture again with --batch {batch}"
            )
        samples = self.default_batch if batch is None else batch
        if samples % self.micro_batches:
            raise ConfigError(
                f"batch: got {samples}, need a multiple of {self.micro_batches}, the micro-batches that a step is cut "
                f"into (accumulate); try {-(-samples // self.micro_batches) * self.micro_batches}"
            )

    @cached_property
    def producer(self) -> dict[str, Operator]:
        """Which operator writes a tensor."""
        return {name: operator for operator in self.operators for name in operator.outputs}

    @cached_property
    def consumers(self) -> dict[str, tuple[Operator, ...]]:
        """Which operators read a tensor, in execution order."""
        found: dict[str, list[Operator]] = {}
        for operator in self.operators:
            for name in dict.fromkeys(operator.inputs):
                found.setdefault(name, []).append(operator)
        return {name: tuple(operators) for name, operators in found.items()}

    @property
    def products(self) -> Iterator[Operator]:
        """Operators that run on the tensor engine."""
        return (operator for operator in self.operators if operator.is_product)

    def saved_activations(self) -> tuple[Tensor, ...]:
        """Inputs and activations of the forward pass that the backward pass reads: the stash of a training step."""
        return tuple(
            tensor
            for tensor in self.tensors.values()
            if tensor.role in ("input", "activation")
            and any(c.stage in (Stage.BACKWARD, Stage.WEIGHT_GRADIENT) for c in self.consumers.get(tensor.name, ()))
            and (tensor.role == "input" or self._made_forward(tensor.name))
        )

    def _made_forward(self, tensor: str) -> bool:
        return tensor in self.producer and self.producer[tensor].stage is Stage.FORWARD

    def macs(self, batch: int, *stages: Stage) -> int:
        """Multiply-accumulates of the dense matrix products of these stages (all, when none is named)."""
        return sum(
            operator.geometry.macs(batch)
            for operator in self.operators
            if operator.geometry is not None and (not stages or operator.stage in stages)
        )
