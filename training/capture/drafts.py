"""What the recorder writes down while a step runs, before stages and names are known. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from ..graph import Geometry, MatrixProduct, TensorRole


class Category(IntEnum):
    """What a value was computed from. The greatest category among an operator's operands is its result's."""

    CONSTANT = 0
    PARAMETER = 1
    ACTIVATION = 2
    GRADIENT = 3


@dataclass(slots=True, eq=False)
class Value:
    """One version of one storage. In-place operators make a new version, so that every value has one producer.

    Attributes:
        shape: of the storage's base tensor, views resolved.
        integer: holds indices, labels or a Boolean mask.
        category: what it derives from.
        roots: parameters that a value of category PARAMETER derives from.
        name: set at once for inputs, parameters and buffers; for the rest when the graph is finished.
        role: set at once for inputs, parameters and buffers.
        noise: the operator that draws it, while it is a random mask that nothing has read yet (see ``recorder``).
        is_dropout_mask: was drawn by a dropout.
        gather: which weights it holds, one of a table for each row of data (see ``grouped``).
        outer: the weight gradient of each such row, until they are added up by weight (see ``grouped``).
    """

    shape: tuple[int, ...]
    integer: bool
    category: Category
    roots: frozenset[str] = frozenset()
    name: str = ""
    role: TensorRole | None = None
    noise: Draft | None = None
    is_dropout_mask: bool = False
    gather: Gather | None = None
    outer: Outer | None = None


@dataclass(slots=True, eq=False)
class Gather:
    """Weights picked from a table by an index that data decide: an expert's for each token.

    Attributes:
        table: the weights [groups, ...].
        rows: how many were picked.
        groups: how many there are to pick from.
        draft: the copy that torch makes of them, while nothing but products has read it.
    """

    table: Value
    rows: int
    groups: int
    draft: Draft | None


@dataclass(slots=True, eq=False)
class Outer:
    """A product that makes the weight gradient of every row by itself.

    Attributes:
        draft: that product.
        grouped: the product that it is once the rows of a group are added up.
    """

    draft: Draft
    grouped: MatrixProduct


@dataclass(slots=True, eq=False)
class Draft:
    """One operator as it ran.

    Attributes:
        kind: vocabulary of ``vector_kinds``, or ``convolution`` or ``product``.
        module: dotted path, without the class of the root.
        aten: torch's own name, for reports.
        inputs: values read; for a product the first two are its operands.
        outputs: values written.
        in_backward: ran in the backward pass.
        elements: of each operand and result; the largest counts, and which that is may depend on the batch.
        geometry: of a product.
        computes: for the pieces of a fused backward operator, which gradient this one makes (``input`` or ``weight``).
        partners: in the backward pass, the forward products of the autograd node that ran this operator.
        shapes: of operands and results, kept for operators that are reported as unknown.
    """

    kind: str
    module: str
    aten: str
    inputs: list[Value]
    outputs: list[Value]
    in_backward: bool
    elements: tuple[int, ...] = ()
    geometry: Geometry | None = None
    computes: str = ""
    partners: tuple[Draft, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = field(default=())
