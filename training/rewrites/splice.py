"""Fragments put in the places of layers: forward, backward and updates each where the layer's own stood."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..graph import Operator, Tensor, TrainingGraph
from .fragment import Fragment, Value
from .layers import Layer
from .tape import renamed

Build = Callable[[Fragment, Layer, Value], Value]
"""Writes the forward pass of what stands in a layer's place, from its input, and gives the output."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What stands where operators of a layer stood."""

    operators: dict[str, tuple[Operator, ...]]
    stands_for: dict[str, str]
    fragment: Fragment


def with_fragments(graph: TrainingGraph, layers: Iterable[Layer], build: Build) -> TrainingGraph:
    """The graph with a fragment in the place of each layer.

    Args:
        graph: of a training step or a forward pass.
        layers: of it.
        build: what stands in their place. A bias that is added behind a layer stays where it is.
    """
    taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
    places = [_place(graph, layer, build, taken) for layer in layers]
    instead = {name: operators for place in places for name, operators in place.operators.items()}
    stands_for = {old: new for place in places for old, new in place.stands_for.items()}
    made = {name: tensor for place in places for name, tensor in place.fragment.tensors.items()}
    operators = [
        renamed(each, stands_for) for operator in graph.operators for each in instead.get(operator.name, (operator,))
    ]
    return with_operators(graph, operators, tensors={**graph.tensors, **made})


def with_operators(graph: TrainingGraph, operators: Iterable[Operator], *, tensors: dict[str, Tensor]) -> TrainingGraph:
    """The graph of other operators: what they neither read nor write goes, and so does torch's count of another net.

    Args:
        graph: that it was.
        operators: in execution order.
        tensors: by name, those of the operators among them.
    """
    listed = tuple(operators)
    names = {name for each in listed for name in (*each.inputs, *each.outputs, each.parameter)}
    kept = {each.name for each in listed}
    unknown = (each.name for each in graph.operators if each.kind == "unknown")
    return replace(
        graph,
        tensors={name: tensor for name, tensor in tensors.items() if name in names},
        operators=listed,
        unknown=tuple(told for name, told in zip(unknown, graph.unknown, strict=False) if name in kept),
        counted_macs={},
        dense_in_training=tuple(name for name in graph.dense_in_training if name in names),
    )


def _place(graph: TrainingGraph, layer: Layer, build: Build, taken: set[str]) -> _Place:
    fragment = Fragment(layer.name, taken)
    entering = graph.tensors[layer.forward.inputs[0]]
    x = Value(name=entering.name, shape=entering.shape, learns=layer.backward is not None)
    output = build(fragment, layer, x)
    instead: dict[str, tuple[Operator, ...]] = {layer.forward.name: tuple(fragment.forward)}
    stands_for = {layer.forward.outputs[0]: output.name}
    later = [each for each in (layer.backward, layer.weight_gradient) if each is not None]
    if later:
        backward, gradients = fragment.backward(output, _gradient(layer))
        first = min(later, key=graph.operators.index)
        instead |= {each.name: () for each in later}
        instead[first.name] = tuple(backward)
        if layer.backward is not None:
            stands_for[layer.backward.outputs[0]] = gradients[x.name]
        if layer.update is not None:
            instead[layer.update.name] = tuple(fragment.updates(gradients))
    return _Place(operators=instead, stands_for=stands_for, fragment=fragment)


def _gradient(layer: Layer) -> str:
    """The gradient of a layer's output."""
    if layer.backward is not None:
        return layer.backward.inputs[0]
    assert layer.weight_gradient is not None, "who has a backward pass has one of them"
    return layer.weight_gradient.inputs[1]
