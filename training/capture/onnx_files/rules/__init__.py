"""The rules: how each ONNX operator is computed in torch, by its name. A file of them for each trade."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..graph import Node
from . import (
    activations,
    arithmetic,
    choices,
    few_bits,
    layers,
    movement,
    pooling,
    products,
    recurrent,
    reductions,
    resizing,
    shapes,
)
from .call import Call, Result

Rule = Callable[[Call], Result]

RULES: dict[str, Rule] = {
    **activations.RULES,
    **arithmetic.RULES,
    **choices.RULES,
    **few_bits.RULES,
    **layers.RULES,
    **movement.RULES,
    **pooling.RULES,
    **products.RULES,
    **recurrent.RULES,
    **reductions.RULES,
    **resizing.RULES,
    **shapes.RULES,
}
"""Every operator that is known, by its name; of other domains than ONNX's own with the domain in front."""

_RUN_ELSEWHERE = frozenset({"If"})
"""Operators that hold graphs; the network runs them itself."""

_INTEGER_PRODUCTS = frozenset({"MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear"})
_LOOPS = frozenset({"Loop", "Scan", "SequenceMap"})


def rule_of(node: Node) -> Rule:
    """The rule of a node that was checked."""
    return RULES[node.key]


def check_known(nodes: Iterable[Node]) -> None:
    """Refuse a node whose operator has no rule.

    Raises:
        CaptureError: there is one; the message says what may be done.
    """
    for node in nodes:
        if node.key in RULES or node.key in _RUN_ELSEWHERE:
            if not node.outputs:
                raise node.error(f"got operator {node.kind} without an output, need one; try exporting it again")
            continue
        if node.kind in _INTEGER_PRODUCTS:
            advice = "try the file before its quantisation, or one in the QuantizeLinear/DequantizeLinear form"
        elif node.kind in _LOOPS:
            advice = "try exporting it at a fixed length, so that its loop is unrolled"
        else:
            advice = "try exporting it as operators of ONNX's own at a lower opset, or capture the torch module"
        domain = node.domain or "ai.onnx"
        raise node.error(
            f"got operator {node.kind} ({domain}, opset {node.opset}), need one of the {len(RULES)} that are known; "
            f"{advice}"
        )
