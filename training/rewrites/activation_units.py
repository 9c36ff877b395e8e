"""Activation functions of a graph, and how far the zeros go that one of them leaves. Free of torch.

A unit is what one module computes of one value: ``relu``, ``gelu`` or ``silu``, a square behind it (a ``multiply`` of
one value by itself), and a cut behind that, which stands under the module's path. A zero stays one where it is
multiplied, dropped out or copied; forwards it ends in products that read it, backwards in those of whose output it is
the gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..graph import Convolution, MadeZeros, MatrixProduct, Operator, Stage, TrainingGraph
from ..passes.inference import LOSS_MODULE

ACTIVATIONS = ("relu", "gelu", "silu")
"""Kinds of operators that are activation functions here."""

CUT, PENALTY, SELECTION = "cut", "penalty", "selection"
"""What stands under an activation's path: see ``activation``."""

_KEEPS_ZEROS = ("multiply", "dropout", "dropout_backward", "copy")


@dataclass(frozen=True, kw_only=True)
class ActivationUnit:
    """One activation function.

    Attributes:
        module: its path.
        forward: its operators in the forward pass, in order.
        backward: likewise in the backward pass; none where nothing below it learns.
        gradient: of its output; empty where there is no backward pass.
    """

    module: str
    forward: tuple[Operator, ...]
    backward: tuple[Operator, ...] = ()
    gradient: str = ""

    @property
    def kind(self) -> str:
        """Of the function, without its square."""
        return self.forward[0].kind

    @property
    def squared(self) -> bool:
        """Whether a square stands behind it."""
        return any(each.kind == "multiply" for each in self.forward)

    @property
    def entering(self) -> str:
        """The tensor that it reads."""
        return self.forward[0].inputs[0]

    @property
    def leaving(self) -> str:
        """The tensor that it makes."""
        return self.forward[-1].outputs[0]

    @property
    def input_gradient(self) -> str:
        """Of the tensor that it reads; empty where there is no backward pass."""
        return self.backward[-1].outputs[0] if self.backward else ""


def units_of(graph: TrainingGraph) -> list[ActivationUnit]:
    """Activation functions of a graph, in execution order."""
    return [
        _unit(graph, operator)
        for operator in graph.operators
        if operator.stage is Stage.FORWARD and operator.kind in ACTIVATIONS and operator.module != LOSS_MODULE
    ]


def _unit(graph: TrainingGraph, first: Operator) -> ActivationUnit:
    forward = [first]
    while (following := _next(graph, first.module, forward[-1])) is not None:
        forward.append(following)
    last = next((each for each in graph.operators if _undoes(each, first)), None)
    if last is None:
        return ActivationUnit(module=first.module, forward=tuple(forward))
    backward = [last]
    while found := _before(graph, first, backward[-1].inputs[0]):
        backward += found
    return ActivationUnit(
        module=first.module,
        forward=tuple(forward),
        backward=tuple(reversed(backward)),
        gradient=backward[-1].inputs[0],
    )


def _before(graph: TrainingGraph, first: Operator, gradient: str) -> list[Operator]:
    """What of the same unit makes a gradient, the last operator first; the first one reads the gradient before it."""
    made = graph.producer.get(gradient)
    if made is None or made.stage is Stage.FORWARD:
        return []
    if made.module in (f"{first.module}.{CUT}", f"{first.module}.{PENALTY}"):
        beside = [graph.producer[name] for name in made.inputs[1:] if name in graph.producer]
        own = [each for each in beside if each.module == made.module and each.stage is not Stage.FORWARD]
        return [*own, made]
    halves = [graph.producer[name] for name in made.inputs if name in graph.producer]
    squares = all(each.kind == "multiply" and first.outputs[0] in each.inputs[1:] for each in halves)
    if made.kind == "gradient_add" and len(halves) == 2 and squares and halves[0].inputs == halves[1].inputs:
        return [made, *halves]
    return []


def _next(graph: TrainingGraph, module: str, last: Operator) -> Operator | None:
    """What of the same unit follows an operator: a square of its output, or a cut."""
    readers = [each for each in graph.consumers.get(last.outputs[0], ()) if each.stage is Stage.FORWARD]
    cut = next((each for each in readers if each.module == f"{module}.{CUT}"), None)
    if cut is not None:
        return cut
    if len(readers) != 1:
        return None
    (only,) = readers
    squares = only.kind == "multiply" and only.module == module and {*only.inputs} == {last.outputs[0]}
    return only if squares else None


def _undoes(operator: Operator, first: Operator) -> bool:
    """Whether an operator makes the gradient of what a function read."""
    read = {*first.inputs[:1], *first.outputs}
    return operator.kind == f"{first.kind}_backward" and bool(read & {*operator.inputs[1:]})


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What an activation has to do with layers.

    Attributes:
        channels: that it has.
        along: their axis.
        reader: path of the layer that reads it first; empty of none.
        beside: path of the layer whose output it is multiplied by; empty of none.
    """

    channels: int
    along: int
    reader: str
    beside: str


def surroundings(graph: TrainingGraph, unit: ActivationUnit) -> Surroundings:
    """Layers around an activation.

    Args:
        graph: a forward pass, or a training step.
        unit: of it.
    """
    values = carried(graph, [unit.leaving])
    reader = next((each for each in graph.products if each.parameter is not None and each.inputs[0] in values), None)
    shape = graph.tensors[unit.leaving].shape
    geometry = None if reader is None else reader.geometry
    spatial = len(shape) > 3 or isinstance(geometry, Convolution)
    if isinstance(geometry, MatrixProduct):
        # A linear layer may read positions one by one, behind a flattening.
        spatial = len(shape) > 2 and shape[-1] != geometry.k
    along = 1 if spatial else -1
    gates = (
        name
        for each in graph.operators
        if each.stage is Stage.FORWARD and each.kind == "multiply" and unit.leaving in each.inputs
        for name in each.inputs
        if name != unit.leaving
    )
    return Surroundings(
        channels=shape[along].fixed,
        along=along,
        reader="" if reader is None else reader.module,
        beside=next((path for name in gates if (path := _made_by(graph, name))), ""),
    )


def _made_by(graph: TrainingGraph, name: str) -> str:
    """The layer that a value is the output of, its bias included; empty of none."""
    made = graph.producer.get(name)
    while made is not None and made.kind == "bias_add":
        made = graph.producer.get(made.inputs[0])
    return made.module if made is not None and made.is_product and made.parameter is not None else ""


def carried(graph: TrainingGraph, tensors: Iterable[str]) -> set[str]:
    """Tensors that have the zeros of some others."""
    found = {*tensors}
    for operator in graph.operators:
        if operator.kind in _KEEPS_ZEROS and not found.isdisjoint(operator.inputs):
            found.update(operator.outputs[:1])
    return found


def made_zeros(graph: TrainingGraph, units: Sequence[ActivationUnit], share: float) -> dict[str, MadeZeros]:
    """Zeros of the layers that read what activations make, and of those whose output reaches one, beside known ones.

    Args:
        graph: that has them.
        units: activations.
        share: of zeros that each of them leaves.
    """
    zeros = carried(graph, [name for each in units for name in (each.leaving, each.input_gradient) if name])
    found = dict(graph.made_zeros)
    for product in graph.products:
        if product.parameter is None:
            continue
        at_input, at_gradient = (
            name in zeros and product.stage in stages
            for name, stages in (
                (product.inputs[0], (Stage.FORWARD, Stage.WEIGHT_GRADIENT)),
                (product.inputs[product.stage is Stage.WEIGHT_GRADIENT], (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)),
            )
        )
        known = found.get(product.module, MadeZeros())
        if at_input or at_gradient:
            found[product.module] = replace(
                known, input=share if at_input else known.input, gradient=share if at_gradient else known.gradient
            )
    return found
