"""What stands behind a part of a layer: a batch normalisation of its own, a ReLU, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..graph import TrainingGraph
from ..passes.inference import forward_only
from .fragment import Fragment, Value
from .layers import Layer
from .splice import Build, with_fragments

Between = Literal["batch-norm-relu", "batch-norm", "relu", "nothing"]
"""Of it, the kinds."""


def behind(fragment: Fragment, layer: Layer, value: Value, what: Between, *, name: str) -> Value:
    """A value with that behind it.

    Args:
        fragment: that it is written into.
        layer: that it is a part of.
        value: the part's output.
        what: stands behind it.
        name: of the normalisation, under the layer.
    """
    if what.startswith("batch-norm"):
        value = fragment.batch_norm(value, name=name, learns=layer.learns)
    return fragment.relu(value, module=layer.name) if what.endswith("relu") else value


def unnormalised(layer: Layer, what: Between) -> str:
    """Why a layer cannot have that behind its parts; empty where it can."""
    if what.startswith("batch-norm") and layer.convolution is None:
        return "it is linear, and a batch normalisation is for convolutions: say between"
    return ""


def with_normalised(graph: TrainingGraph, layers: Iterable[Layer], build: Build) -> TrainingGraph:
    """The graph with fragments that have normalisations; in a forward pass these are folded, as a capture does."""
    made = with_fragments(graph, layers, build)
    return forward_only(made) if graph.inference else made
