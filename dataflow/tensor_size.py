"""Bytes of a tensor of the training graph, as it lies in memory.

Values are kept in the operand precision, indices and labels in 4 bytes, weight gradients as FP32 sums. A dropout mask
is a byte an element, as torch keeps it.
"""

from __future__ import annotations

from ..accel.specification import BYTES_OF, Precision
from ..training.graph import Stage, Tensor, TrainingGraph

INTEGER_BYTES = 4
"""Bytes of an index or a label."""

MASK_BYTES = 1
"""Bytes of an element of a dropout mask."""


def is_weight_gradient(graph: TrainingGraph, tensor: Tensor) -> bool:
    """Whether it is an FP32 sum: the gradient of a parameter, or what is added up to one."""
    made_by = graph.producer.get(tensor.name)
    return tensor.role == "parameter_gradient" or (made_by is not None and made_by.stage is Stage.WEIGHT_GRADIENT)


def is_dropout_mask(graph: TrainingGraph, tensor: Tensor) -> bool:
    """Whether it says what a dropout kept: all that the operator makes beside its values."""
    made_by = graph.producer.get(tensor.name)
    return made_by is not None and made_by.kind == "dropout" and tensor.name in made_by.outputs[1:]


def element_bytes(graph: TrainingGraph, tensor: Tensor, precision: Precision) -> int:
    """Bytes of one element of a tensor, with operands in this precision."""
    if tensor.integer:
        return INTEGER_BYTES
    if is_dropout_mask(graph, tensor):
        return MASK_BYTES
    return BYTES_OF["fp32" if is_weight_gradient(graph, tensor) else precision]
