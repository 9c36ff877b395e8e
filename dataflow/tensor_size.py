"""Bytes of a tensor of the training graph, as it lies in memory.

Values are kept in the operand precision, indices and labels in 4 bytes, weight gradients as FP32 sums. A dropout mask
counts as values: the graph does not say that its elements are bits.
"""

from __future__ import annotations

from ..accel.specification import BYTES_OF, Precision
from ..training.graph import Stage, Tensor, TrainingGraph

INTEGER_BYTES = 4
"""Bytes of an index or a label."""


def is_weight_gradient(graph: TrainingGraph, tensor: Tensor) -> bool:
    """Whether it is an FP32 sum: the gradient of a parameter, or what is added up to one."""
    made_by = graph.producer.get(tensor.name)
    return tensor.role == "parameter_gradient" or (made_by is not None and made_by.stage is Stage.WEIGHT_GRADIENT)


def element_bytes(graph: TrainingGraph, tensor: Tensor, precision: Precision) -> int:
    """Bytes of one element of a tensor, with operands in this precision."""
    if tensor.integer:
        return INTEGER_BYTES
    return BYTES_OF["fp32" if is_weight_gradient(graph, tensor) else precision]
