"""How matrix products and convolutions are written down."""

from __future__ import annotations

from . import grouped
from .causal import mark_causal
from .products import PRODUCT_OPERANDS, convolution, matrix_product
from .step_record import Call, StepRecord


def product(record: StepRecord, call: Call) -> bool:
    """A matrix product, and the addition of what is added to it."""
    first, second = PRODUCT_OPERANDS[call.name]
    left, right = call.args[first], call.args[second]
    geometry = matrix_product(left, right)
    operands = grouped.operands(record, left, right, geometry)
    if operands is not None:
        draft = record.draft("product", f"aten.{call.name}", list(operands[:2]), geometry=operands[2])
    else:
        values = [record.value_of(left), record.value_of(right)]
        draft = record.draft("product", f"aten.{call.name}", values, geometry=geometry)
        mark_causal(record, draft)
    if first == 0:
        record.finish(draft, [call.target], [])
        grouped.watch_outer(record, draft, call.target)
    else:
        record.finish_with_addend(draft, call.args[0], call.target)
    return True


def forward_convolution(record: StepRecord, call: Call) -> bool:
    """A convolution, and the addition of its bias."""
    source, weight, bias, *arguments = call.args
    (target,) = call.made
    draft = record.draft(
        "convolution",
        "aten.convolution",
        [record.value_of(source), record.value_of(weight)],
        geometry=convolution(source, weight, target.shape[2:], arguments),
    )
    if bias is None:
        record.finish(draft, call.made, [])
    else:
        record.finish_with_addend(draft, bias, target)
    return True


def backward_convolution(record: StepRecord, call: Call) -> bool:
    """The gradients that torch makes of a convolution in one operator, one by one."""
    gradient, source, weight, _bias_sizes, *arguments, wanted = call.args
    geometry = convolution(source, weight, gradient.shape[2:], arguments)
    pieces = iter(call.made)
    operands = {"input": (gradient, weight), "weight": (source, gradient)}
    for computes, is_wanted in zip(("input", "weight"), wanted, strict=False):
        if is_wanted:
            values = [record.value_of(tensor) for tensor in operands[computes]]
            draft = record.draft("convolution", "aten.convolution_backward", values, geometry=geometry)
            draft.computes = computes
            record.finish(draft, [next(pieces)], [])
    if wanted[2]:
        bias_gradient = record.draft(
            "bias_gradient",
            "aten.convolution_backward",
            [record.value_of(gradient)],
            elements=(gradient.numel(),),
        )
        record.finish(bias_gradient, [next(pieces)], [])
    return True
