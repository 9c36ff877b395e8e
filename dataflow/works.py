"""The works of a step: what each reads and writes, and what it asks of the resources that works share.

Products run on the tensor engine, vector operators stream through DRAM and the vector lanes, updates through DRAM, the
update engine and the sorters. A work holds no times. What stays on chip of it is said by a ``Residence``: by the works
themselves where they are those of one schedule, design by design where they are those of many.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Places
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np

from ..accel.engines import TENSOR, Demand
from ..accel.tensor_engine import Count
from ..configs.arrays import BoolArray
from ..configs.sums import sum_in_order
from ..training.graph import Stage
from .epilogue import NO_EPILOGUE, Epilogue
from .gemm import PLACES, Gemm, Place
from .mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedProduct:
    """One GEMM in the form that it is mapped in, its mapping, and how many mappings were considered."""

    gemm: Gemm
    mapping: Mapping
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A tensor read or written by vector work.

    Attributes:
        tensor: its name; empty for what no tensor of the graph stands for.
        tensor_bytes: moved in one pass.
        passes: times that they are moved.
        on_chip: the tensor stays on chip: nothing crosses to DRAM.
    """

    tensor: str
    tensor_bytes: int
    passes: int = 1
    on_chip: bool = False

    @property
    def dram_bytes(self) -> int:
        """Bytes that cross to DRAM."""
        return 0 if self.on_chip else self.passes * self.tensor_bytes

    def with_resident(self, names: Collection[str]) -> Access:
        """The same where tensors of these names stay on chip."""
        return replace(self, on_chip=True) if self.tensor in names else self


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorWork:
    """An operator for the vector engine.

    Attributes:
        operator: its name in the graph.
        module: of the operator.
        kind: its kind.
        stage: of the operator.
        lane_operations: lane cycles that it costs.
        reads: tensors that it reads from memory. What is carried to it is not among them.
        writes: tensors that it makes.
        displaces: the result carried to it, which the work before it would have stored and no longer does.
        reductions: (elements, N, M) of each pass of the reduction engine over the same stream.
    """

    operator: str
    module: str
    kind: str
    stage: Stage
    lane_operations: float
    reads: tuple[Access, ...] = ()
    writes: tuple[Access, ...] = ()
    displaces: Access | None = None
    reductions: tuple[tuple[int, int, int], ...] = ()

    @property
    def read_bytes(self) -> int:
        """Bytes read from DRAM."""
        return sum(access.dram_bytes for access in self.reads)

    @property
    def write_bytes(self) -> int:
        """Bytes written to DRAM, less those that the work before it no longer writes."""
        displaced = self.displaces.dram_bytes if self.displaces else 0
        return sum(access.dram_bytes for access in self.writes) - displaced

    def with_resident(self, names: Collection[str]) -> VectorWork:
        """The same where tensors of these names stay on chip."""
        touched = (*self.reads, *self.writes, *((self.displaces,) if self.displaces else ()))
        if not any(access.tensor in names for access in touched):
            return self
        return replace(
            self,
            reads=tuple(access.with_resident(names) for access in self.reads),
            writes=tuple(access.with_resident(names) for access in self.writes),
            displaces=self.displaces and self.displaces.with_resident(names),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """Vector operators done in the write-back of the work that they follow."""

    works: tuple[VectorWork, ...] = ()

    @property
    def lane_operations(self) -> float:
        """Lane cycles of all of them."""
        return sum_in_order(work.lane_operations for work in self.works)

    def with_resident(self, names: Collection[str]) -> Fused:
        """The same where tensors of these names stay on chip."""
        return Fused(works=tuple(work.with_resident(names) for work in self.works))


class Residence(Protocol):
    """What stays on chip, and so what still crosses to DRAM."""

    def moved_bytes(self, works: Sequence[VectorWork]) -> tuple[Count, Count]:
        """Bytes that vector works read from DRAM and write to it; of many designs [S] each."""

    def places(self, work: Work) -> Places[Place, BoolArray] | None:
        """Which of A, B and C of a work's products stay, [S] each; None where the products themselves say."""


class AsScheduled:
    """What the works of one schedule say themselves."""

    def moved_bytes(self, works: Sequence[VectorWork]) -> tuple[int, int]:
        """Bytes that vector works read from DRAM and write to it."""
        return sum(work.read_bytes for work in works), sum(work.write_bytes for work in works)

    def places(self, work: Work) -> None:
        """Nothing beyond what the products say."""


AS_SCHEDULED = AsScheduled()


class Work(Protocol):
    """A piece of forward or backward work: what it reads and writes, and what it asks of each resource."""

    @property
    def engine(self) -> str:
        """Whose queue it stands in: the works of an engine run in their order, one at a time."""

    @property
    def operator(self) -> str:
        """Its name in the graph."""

    @property
    def module(self) -> str:
        """Of the operator."""

    @property
    def kind(self) -> str:
        """What it computes."""

    @property
    def stage(self) -> Stage:
        """FF, BP or WU."""

    @property
    def products(self) -> tuple[PlannedProduct, ...]:
        """Its GEMMs in order."""

    @property
    def operands(self) -> tuple[str, str, str]:
        """The tensors that A, B and C of them are; empty for a compressed stream, which no tensor of the graph is."""

    @property
    def useful_macs(self) -> int:
        """Kept by the algorithm."""

    @property
    def dense_macs(self) -> int:
        """Of the dense algorithm."""

    @property
    def fused(self) -> Fused:
        """Vector work on its way out."""

    @property
    def own_vector_works(self) -> tuple[VectorWork, ...]:
        """Vector work that it is itself."""

    @property
    def counts_as(self) -> str:
        """The stage that its cycles are booked under."""

    def demand(self, residence: Residence = ...) -> Demand:
        """What its vector works ask of the resources beside the array."""

    def epilogue(self, value_bytes: int, residence: Residence = ...) -> Epilogue:
        """What is done with its products' results on their way out."""

    def with_resident(self, names: Collection[str]) -> Work:
        """The same where tensors of these names stay on chip: nothing of them crosses to DRAM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorWork:
    """An operator for the tensor engine.

    Attributes:
        operator: its name in the graph.
        module: of the operator.
        kind: its kind.
        stage: FF, BP or WU.
        products: its GEMMs in order; several when a strided convolution runs backwards.
        operands: the tensors that A, B and C are; empty for a compressed stream, which no tensor of the graph is.
        useful_macs: kept by the algorithm.
        dense_macs: of the dense algorithm.
        fused: vector work on its way out.
    """

    engine: ClassVar[str] = TENSOR
    operator: str
    module: str
    kind: str
    stage: Stage
    products: tuple[PlannedProduct, ...]
    useful_macs: int
    dense_macs: int
    operands: tuple[str, str, str] = ("", "", "")
    fused: Fused = Fused()

    @property
    def counts_as(self) -> str:
        """Its own stage."""
        return self.stage.value

    @property
    def own_vector_works(self) -> tuple[VectorWork, ...]:
        """None but what is fused into it."""
        return ()

    def demand(self, residence: Residence = AS_SCHEDULED) -> Demand:
        """What its fused operators ask of the resources beside the array."""
        read_bytes, write_bytes = residence.moved_bytes(self.fused.works)
        return Demand(lane_operations=self.fused.lane_operations, read_bytes=read_bytes, write_bytes=write_bytes)

    def with_resident(self, names: Collection[str]) -> TensorWork:
        """The same where tensors of these names stay on chip."""
        places = tuple(place for place, name in zip(PLACES, self.operands, strict=True) if name in names)
        products = self.products
        if any(each.gemm.on_chip != places for each in products):
            products = tuple(replace(each, gemm=replace(each.gemm, on_chip=places)) for each in products)
        return replace(self, products=products, fused=self.fused.with_resident(names))

    def epilogue(self, value_bytes: int, residence: Residence = AS_SCHEDULED) -> Epilogue:
        """What is done with its results on their way out.

        Args:
            value_bytes: of an operand value.
            residence: what stays on chip.
        """
        if not self.fused.works:
            return NO_EPILOGUE
        gemms = [product.gemm for product in self.products]
        elements = [gemm.results for gemm in gemms]
        sizes = [count * gemm.result_bytes(value_bytes) for count, gemm in zip(elements, gemms, strict=True)]
        stored: Count = sum(size for size, gemm in zip(sizes, gemms, strict=True) if "c" not in gemm.on_chip)
        stays = residence.places(self)
        if stays is not None:
            stored = np.where(stays["c"], 0, stored)
        demand = self.demand(residence)
        moved = stored + demand.read_bytes + demand.write_bytes
        return Epilogue(
            lane_operations=demand.lane_operations,
            moved_bytes=moved[:, None, None] if isinstance(moved, np.ndarray) else moved,
            result_elements=sum(elements),
            result_bytes=sum(sizes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedVectorWork:
    """A vector operator with those that are fused into its write-back."""

    engine: ClassVar[str] = "vector"
    products: ClassVar[tuple[PlannedProduct, ...]] = ()
    operands: ClassVar[tuple[str, str, str]] = ("", "", "")
    useful_macs: ClassVar[int] = 0
    dense_macs: ClassVar[int] = 0
    head: VectorWork
    fused: Fused = Fused()

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.head.operator

    @property
    def module(self) -> str:
        """The operator's."""
        return self.head.module

    @property
    def kind(self) -> str:
        """The operator's."""
        return self.head.kind

    @property
    def stage(self) -> Stage:
        """The operator's."""
        return self.head.stage

    @property
    def counts_as(self) -> str:
        """The vector engine's own, or the sorters', whatever stage its operators are of."""
        return "reduction" if self.head.reductions else self.engine

    @property
    def own_vector_works(self) -> tuple[VectorWork, ...]:
        """The operator; others are fused into it."""
        return (self.head,)

    def demand(self, residence: Residence = AS_SCHEDULED) -> Demand:
        """What it asks of the resources."""
        read_bytes, write_bytes = residence.moved_bytes((self.head, *self.fused.works))
        lane_operations = self.head.lane_operations + self.fused.lane_operations
        return Demand(
            lane_operations=lane_operations,
            reductions=self.head.reductions,
            read_bytes=read_bytes,
            write_bytes=write_bytes,
        )

    def epilogue(self, value_bytes: int, residence: Residence = AS_SCHEDULED) -> Epilogue:
        """None: it has no products."""
        return NO_EPILOGUE

    def with_resident(self, names: Collection[str]) -> ChainedVectorWork:
        """The same where tensors of these names stay on chip."""
        return ChainedVectorWork(head=self.head.with_resident(names), fused=self.fused.with_resident(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWork:
    """The update of one parameter, and the N:M copies made for the next step.

    Attributes:
        operator: its name in the graph.
        module: of the parameter.
        parameter: the parameter's name.
        weights: elements.
        ready_after: index of the work whose end gives the gradient.
        read_bytes: from DRAM.
        write_bytes: to DRAM.
        multiplies: FP32 multiplications.
        accumulates: FP32 additions.
        reductions: (elements, N, M) of each pass of the reduction engine.
    """

    operator: str
    module: str
    parameter: str
    weights: int
    ready_after: int
    read_bytes: int
    write_bytes: int
    multiplies: int
    accumulates: int
    reductions: tuple[tuple[int, int, int], ...]

    @property
    def demand(self) -> Demand:
        """What it asks of the resources beside the array."""
        return Demand(
            update_weights=self.weights,
            reductions=self.reductions,
            read_bytes=self.read_bytes,
            write_bytes=self.write_bytes,
        )
