"""Products by a weight of which smaller dense matrices are left: as many dense products, counted exactly.

FF and BP multiply by each part alone, WU makes the gradients of the parts alone. Results that no part writes are
filled with zeros in FF and BP; of the weight gradient nobody reads them. Inputs that a part reads are taken to lie
together in memory (assumed), as they do in a network from which the others were taken out.
"""

from __future__ import annotations

from dataclasses import replace

from ..configs.structured import Structured
from ..training.graph import Convolution, Operator, Stage
from ..training.recipes.annotation import weight_sides
from .gemm import Gemm


def bound(left: Structured, operator: Operator) -> Structured:
    """A format as the product of an operator meets it: n by k in FF and BP, n by m in WU.

    Args:
        left: the format, as the stage sees the weight.
        operator: the product.
    """
    outputs, inputs = weight_sides(operator)
    on_weight = left.on(outputs, inputs)
    geometry = operator.geometry
    transposed = isinstance(geometry, Convolution) and geometry.transposed
    return on_weight.turned if operator.stage is Stage.WEIGHT_GRADIENT and transposed else on_weight


def in_parts(gemm: Gemm, left: Structured) -> list[Gemm]:
    """The products of the parts of one by the whole weight.

    Args:
        gemm: by all of it, nothing pruned.
        left: what is left of the weight, see ``bound``.
    """
    parts = left.parts()
    repeated = any(part.times > 1 for part in parts)
    packable = gemm.packable or (repeated and gemm.count == 1)
    found = []
    for part in parts:
        # Results of several kernel positions may lie side by side along n.
        wide = gemm.n // left.outputs * part.outputs
        deep = gemm.taps * part.inputs
        found.append(
            replace(
                gemm,
                name=f"{gemm.name}[{part.outputs}x{part.inputs}]" if len(parts) > 1 else gemm.name,
                m=gemm.m if gemm.tap_axis == "k" else deep,
                n=wide,
                k=deep if gemm.tap_axis == "k" else gemm.k,
                count=gemm.count * part.times,
                packable=packable and left.lies_apart,
                result_piece=gemm.result_piece * part.outputs // left.outputs,
            )
        )
    return found


def unwritten(gemm: Gemm, left: Structured) -> int:
    """Results of a product that no part writes; of a weight gradient none that anybody reads."""
    if gemm.tap_axis == "m":
        return 0
    missing = left.outputs - sum(part.outputs * part.times for part in left.parts())
    return gemm.count * gemm.m * (gemm.n // left.outputs) * missing
