"""The schedule: one training step as a list of work, every decision made. Engines run it; they decide nothing.

Decided offline: the mapping of every product, which vector operations ride on the write-back of the operator before
them, when N:M weights are made, whether updates run beside the backward pass, and which tensors stay on chip. A
schedule holds no times. Its mappings and options are saved as JSON and replayed against the same inputs; the rest
follows from those.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..accel.specification import Hardware
from ..training.graph import Stage
from ..training.recipes.annotation import PrunedGraph
from .epilogue import NO_EPILOGUE, Epilogue
from .gemm import Gemm
from .mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedProduct:
    """One GEMM, its mapping, and how many mappings were considered."""

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
    """

    operator: str
    module: str
    kind: str
    stage: Stage
    lane_operations: float
    reads: tuple[Access, ...] = ()
    writes: tuple[Access, ...] = ()
    displaces: Access | None = None

    @property
    def read_bytes(self) -> int:
        """Bytes read from DRAM."""
        return sum(access.dram_bytes for access in self.reads)

    @property
    def write_bytes(self) -> int:
        """Bytes written to DRAM, less those that the work before it no longer writes."""
        displaced = self.displaces.dram_bytes if self.displaces else 0
        return sum(access.dram_bytes for access in self.writes) - displaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """Vector operators done in the write-back of the work that they follow."""

    works: tuple[VectorWork, ...] = ()

    @property
    def lane_operations(self) -> float:
        """Lane cycles of all of them."""
        return sum(work.lane_operations for work in self.works)

    @property
    def read_bytes(self) -> int:
        """Bytes that they read from DRAM beyond what the work that they ride on reads."""
        return sum(work.read_bytes for work in self.works)

    @property
    def write_bytes(self) -> int:
        """Bytes that they write to DRAM beyond what the work that they ride on writes: none for a ReLU."""
        return sum(work.write_bytes for work in self.works)


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

    operator: str
    module: str
    kind: str
    stage: Stage
    products: tuple[PlannedProduct, ...]
    useful_macs: int
    dense_macs: int
    operands: tuple[str, str, str] = ("", "", "")
    fused: Fused = Fused()

    def epilogue(self, value_bytes: int) -> Epilogue:
        """What rides on the write-back of its results.

        Args:
            value_bytes: of an operand value.
        """
        if not self.fused.works:
            return NO_EPILOGUE
        gemms = [product.gemm for product in self.products]
        elements = [gemm.count * gemm.m * gemm.n for gemm in gemms]
        sizes = [count * gemm.result_bytes(value_bytes) for count, gemm in zip(elements, gemms, strict=True)]
        stored = sum(size for size, gemm in zip(sizes, gemms, strict=True) if "c" not in gemm.on_chip)
        return Epilogue(
            lane_operations=self.fused.lane_operations,
            moved_bytes=stored + self.fused.read_bytes + self.fused.write_bytes,
            result_elements=sum(elements),
            result_bytes=sum(sizes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedVectorWork:
    """A vector operator with those that ride on its write-back."""

    head: VectorWork
    fused: Fused = Fused()

    @property
    def lane_operations(self) -> float:
        """Lane cycles of all of it."""
        return self.head.lane_operations + self.fused.lane_operations

    @property
    def read_bytes(self) -> int:
        """Bytes read from DRAM."""
        return self.head.read_bytes + self.fused.read_bytes

    @property
    def write_bytes(self) -> int:
        """Bytes written to DRAM."""
        return self.head.write_bytes + self.fused.write_bytes


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


Work = TensorWork | ChainedVectorWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A tensor that stays on chip from the work that makes it to the work that reads it last.

    Attributes:
        tensor: its name.
        held_bytes: that it takes of the buffers' spare room.
        first: index of the work that makes it.
        last: index of the work that reads it last.
        saved_bytes: that no longer cross to DRAM.
    """

    tensor: str
    held_bytes: int
    first: int
    last: int
    saved_bytes: int


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One training step, ready to run.

    Attributes:
        hardware: the design.
        pruned: graph and recipe.
        batch: samples.
        objective: what the mapping search minimised.
        interleave: whether a PE might turn between accumulations.
        optimizer: of the update.
        works: forward and backward work in execution order.
        updates: parameter updates in the order that their gradients appear.
        overlap_update: whether updates run beside the backward pass.
        overlap_vector: whether vector work runs beside products that it neither needs nor feeds.
        needs: of each work, the earlier ones that make what it reads.
        keep_on_chip: whether tensors may stay on chip between works.
        kept: those that do.
    """

    hardware: Hardware
    pruned: PrunedGraph
    batch: int
    objective: str
    interleave: bool
    optimizer: str
    works: tuple[Work, ...]
    updates: tuple[UpdateWork, ...]
    overlap_update: bool
    overlap_vector: bool = False
    needs: tuple[tuple[int, ...], ...] = ()
    keep_on_chip: bool = False
    kept: tuple[Kept, ...] = ()

    def waits_for(self, index: int) -> tuple[int, ...]:
        """The works that must be over before the work of this index begins, besides those of its own engine."""
        if self.overlap_vector:
            return self.needs[index]
        return (index - 1,) if index else ()

    @property
    def products(self) -> tuple[PlannedProduct, ...]:
        """Every planned product in order."""
        return tuple(product for work in self.works if isinstance(work, TensorWork) for product in work.products)
