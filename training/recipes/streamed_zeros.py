"""Zeros of what streams past weights: activations and gradients, as a recipe declares them or a run measured them.

No mask prunes them: a ReLU leaves them, a dropout, a threshold. They are counted as zeros without a rule, each tensor
by its mean share; what was measured goes before what a recipe's ``activations`` declare, these before what its rewrites
say that they make, and where nobody says anything there are none.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...configs.operand_format import OperandFormat
from ...configs.pattern import DENSE
from ...configs.unstructured import Unstructured
from ..densities import LayerDensities
from ..graph import MadeZeros, Stage, TrainingGraph
from .declaration import Recipe
from .rules import activation_zeros


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedZeros:
    """Formats of the two tensors of a layer that stream.

    Attributes:
        input: activations, which FF and WU multiply.
        gradient: of the layer's output, which BP and WU multiply.
    """

    input: OperandFormat = DENSE
    gradient: OperandFormat = DENSE

    @property
    def named(self) -> tuple[tuple[str, OperandFormat], ...]:
        """Those that have zeros, by name."""
        both = (("input", self.input), ("gradient", self.gradient))
        return tuple((name, each) for name, each in both if not each.is_dense)


def streamed_zeros(
    graph: TrainingGraph, recipe: Recipe, densities: LayerDensities | None = None
) -> dict[str, StreamedZeros]:
    """Zeros of the streaming operands of every product that multiplies by a weight, or makes its gradient, by operator.

    Args:
        graph: the training graph.
        recipe: that may declare zeros.
        densities: that a run measured.
    """
    found = {}
    for operator in graph.products:
        if operator.parameter is None and operator.stage is not Stage.WEIGHT_GRADIENT:
            continue
        of_input, of_gradient = activation_zeros(recipe, operator.module)
        made = graph.made_zeros.get(operator.module, MadeZeros())
        of_input = _format(1 - made.input, DENSE) if of_input.is_dense else of_input
        of_gradient = _format(1 - made.gradient, DENSE) if of_gradient.is_dense else of_gradient
        measured = None if densities is None else densities.in_pass(inference=graph.inference).get(operator.module)
        if measured is not None:
            of_input = _format(made.measured(measured.input_density), of_input)
            of_gradient = _format(measured.gradient_density, of_gradient)
        zeros = StreamedZeros(
            input=of_input if operator.stage is not Stage.BACKWARD else DENSE,
            gradient=of_gradient if operator.stage is not Stage.FORWARD else DENSE,
        )
        if zeros.named:
            found[operator.name] = zeros
    return found


def _format(density: float | None, otherwise: OperandFormat) -> OperandFormat:
    """Zeros at random of a measured density, in steps of a millionth; of a tensor that is zero throughout none."""
    if density is None:
        return otherwise
    millionths = round(density * 1_000_000)
    return DENSE if millionths in (0, 1_000_000) else Unstructured((1_000_000 - millionths) / 10_000)
