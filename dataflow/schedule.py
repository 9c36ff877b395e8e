"""The schedule: one training step as a list of work, every decision made. Engines run it; they decide nothing.

Decided offline: the mapping of every product, which vector operations ride on the write-back of the operator before
them, when N:M weights are made, and whether updates run beside the backward pass. A schedule holds no times. Its
mappings and options are saved as JSON and replayed against the same inputs; the rest follows from those.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..accel.specification import Hardware
from ..training.graph import Stage
from ..training.recipes.annotation import PrunedGraph
from .gemm import Gemm
from .mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedProduct:
    """One GEMM, its mapping, and how many mappings were considered."""

    gemm: Gemm
    mapping: Mapping
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorWork:
    """An operator for the vector engine.

    Attributes:
        operator: its name in the graph.
        module: of the operator.
        kind: its kind.
        stage: of the operator.
        lane_operations: lane cycles that it costs.
        read_bytes: from DRAM.
        write_bytes: to DRAM.
    """

    operator: str
    module: str
    kind: str
    stage: Stage
    lane_operations: float
    read_bytes: int
    write_bytes: int


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
        """Bytes that they read from DRAM."""
        return sum(work.read_bytes for work in self.works)

    @property
    def write_bytes(self) -> int:
        """Bytes that they write to DRAM beyond what the work that they ride on writes."""
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
    fused: Fused = Fused()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedVectorWork:
    """A vector operator with those that ride on its write-back."""

    head: VectorWork
    fused: Fused = Fused()


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


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One training step, ready to run.

    Attributes:
        hardware: the design.
        pruned: graph and recipe.
        batch: samples.
        objective: what the mapping search minimised.
        optimizer: of the update.
        works: forward and backward work in execution order.
        updates: parameter updates in the order that their gradients appear.
        overlap_update: whether updates run beside the backward pass.
    """

    hardware: Hardware
    pruned: PrunedGraph
    batch: int
    objective: str
    optimizer: str
    works: tuple[Work, ...]
    updates: tuple[UpdateWork, ...]
    overlap_update: bool

    @property
    def products(self) -> tuple[PlannedProduct, ...]:
        """Every planned product in order."""
        return tuple(product for work in self.works if isinstance(work, TensorWork) for product in work.products)
