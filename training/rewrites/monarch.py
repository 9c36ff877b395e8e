"""Monarch: a linear layer as two block-diagonal products with a fixed permutation between them and one behind.

Of K inputs, N outputs and q blocks: x [T, K] is taken as q blocks of K/q; each is multiplied by a block of its own
to min(K, N)/q channels; these are dealt out anew over q blocks (``copy``), each of which is multiplied to N/q outputs,
dealt out once more (``copy``). Multiply-accumulates a row: min(K, N) (K + N) / q in the place of K N. Weights
[q, min/q, K/q] and [q, N/q, min/q]. As torch has it, the gradient of the output is read as it lies, those of the
channels between and of the input are copied into their orders.
Source: Dao et al., ICML 2022 (arXiv 2204.00595); the orders are those of its code (HazyResearch/fly).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..graph import Size, TrainingGraph
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer
from .splice import with_fragments


class Monarch(LayerRewrite):
    """Two block-diagonal factors in the place of a weight."""

    kind: Literal["monarch"]
    blocks: int = Field(default=4, ge=2, description="q, of each factor")
    start: Literal["drawn", "dense"] = Field(
        default="drawn",
        description="of training: blocks drawn anew, or those whose product is nearest to the weight that was there",
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"Monarch of {self.blocks} blocks"

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Two block-diagonal factors in the place of each; deployed they stay."""
        return with_fragments(graph, layers.values(), self._build), ()

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be so rewritten; empty where it can."""
        if layer.convolution is not None:
            return "it is a convolution"
        for name, count in (("inputs", layer.inputs), ("outputs", layer.outputs)):
            if count % self.blocks:
                return f"its {count} {name} are not divisible by {self.blocks}"
        return ""

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        blocks, rows = Size(fixed=self.blocks), layer.linear.m
        inputs, outputs = layer.inputs // self.blocks, layer.outputs // self.blocks
        inner = min(inputs, outputs)
        shapes = ((inner, inputs), (outputs, inner))
        first, second = (
            fragment.weight(f"{name}.weight", (blocks, *(Size(fixed=each) for each in shape)), learns=layer.learns)
            for name, shape in zip(("blocks_1", "blocks_2"), shapes, strict=True)
        )
        hidden = fragment.batched(
            x,
            first,
            module=fragment.under("blocks_1"),
            groups=self.blocks,
            rows=rows,
            inputs=inputs,
            outputs=inner,
            copied_back=True,
        )
        dealt = fragment.moved(hidden, (blocks, rows, Size(fixed=inner)), module=layer.name, back=True)
        made = fragment.batched(
            dealt,
            second,
            module=fragment.under("blocks_2"),
            groups=self.blocks,
            rows=rows,
            inputs=inner,
            outputs=outputs,
        )
        return fragment.moved(made, (rows, Size(fixed=layer.outputs)), module=layer.name, back=False)
