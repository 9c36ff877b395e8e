"""Delta activations: a layer multiplies what has changed since the last frame, and adds it to what it made of that.

Of a video, in an inference pass whose samples are each the next frame of a stream. Of every layer that is named its
input's difference to a reference is taken (``add``), small differences are set to zero (``elementwise``), the reference
moves by what is left (``add``), the product is of that, and its result is added to the stored one (``add``). References
and stored results lie in memory between frames. Zeros of a difference are those of the product's moving operand, as
many as ``zeros_percent`` says: an array may skip them. A training step multiplies whole values.
Source: Yousefzadeh and Sifalakis, Delta activation layer (arXiv 2110.00503), figure 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field

from ..graph import MadeZeros, Operator, Tensor, TrainingGraph
from .fragment import Fragment, Value, renamed
from .layer_rewrite import LayerRewrite
from .layers import Layer


class DeltaActivations(LayerRewrite):
    """Layers that multiply differences."""

    kind: Literal["delta-activations"]
    zeros_percent: float | None = Field(
        default=None, gt=0, lt=100, description="zeros of the differences, as declared; none where nothing is said"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        share = "" if self.zeros_percent is None else f", {self.zeros_percent:g}% zero"
        return f"differences to the last frame in the place of activations{share}"

    @property
    def trains(self) -> bool:
        """The layers themselves do, as they are."""
        return True

    def unfit(self, layer: Layer) -> str:
        """Any layer that can be taken apart will do."""
        return ""

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each with a difference before it and a sum behind it; in a training step as it was."""
        if not deployed:
            return graph, (
                "A training step multiplies whole values: differences are of inference, each sample a frame.",
            )
        made = _with_deltas(graph, layers)
        if self.zeros_percent is None:
            return made, ("Zeros of a difference save nothing here: nobody says how many there are (zeros_percent).",)
        zeros = MadeZeros(input=self.zeros_percent / 100, of_differences=True)
        found = {layer.forward.module: zeros for layer in layers.values()}
        says = f"{self.zeros_percent:g}% of the differences are taken for zero."
        return replace(made, made_zeros=made.made_zeros | found), (says,)


def _with_deltas(graph: TrainingGraph, layers: Mapping[str, Layer]) -> TrainingGraph:
    taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
    tensors: dict[str, Tensor] = dict(graph.tensors)
    by_product = {layer.forward.name: layer for layer in layers.values()}

    def operators() -> Iterator[Operator]:
        sums: dict[str, str] = {}
        for operator in graph.operators:
            layer = by_product.get(operator.name)
            read = renamed(operator, sums)
            if layer is None:
                yield read
                continue
            fragment = Fragment(layer.name, taken)
            yield from _layer(fragment, graph, read, sums)
            tensors.update(fragment.tensors)

    # What a pass over it makes of tensors is complete once its operators are listed.
    listed = tuple(operators())
    return replace(graph, operators=listed, tensors=tensors, counted_macs={})


def _layer(fragment: Fragment, graph: TrainingGraph, product: Operator, sums: dict[str, str]) -> Iterator[Operator]:
    """A product and the work around it; what reads its result is to read the sum."""
    own = product.inputs[0]
    standing_for = {new: old for old, new in sums.items()}
    entering = Value(name=own, shape=graph.tensors[standing_for.get(own, own)].shape)
    made = graph.tensors[product.outputs[0]]
    reference = fragment.constant("reference", entering.shape)
    stored = fragment.constant("stored", made.shape)
    module = fragment.module
    change = fragment.vector("add", (entering, reference), module=module, shape=entering.shape, parts=())
    left = fragment.vector("elementwise", (change,), module=module, shape=entering.shape, parts=())
    fragment.vector("add", (reference, left), module=module, shape=entering.shape, parts=())
    yield from fragment.forward
    yield replace(product, inputs=(left.name, *product.inputs[1:]))
    before = len(fragment.forward)
    result = Value(name=made.name, shape=made.shape)
    total = fragment.vector("add", (result, stored), module=module, shape=made.shape, parts=())
    sums[made.name] = total.name
    yield from fragment.forward[before:]
