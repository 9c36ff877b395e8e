"""Parallel branches: a layer as several of its own shape, summed (``add``).

At sparsity s there are 1 / (1 - s) of them, each pruned to s by the recipe, so that together they have the dense
layer's products. A branch of a convolution has a batch normalisation of its own before the sum. Branches may be the
candidates of a search, of which one stays: while it searches all of them run, as in differentiable architecture search.
They are added up weighted by the softmax of numbers that learn, one a candidate: a pass over each output forwards, and
two backwards. The softmax of so few numbers takes nothing here.
Source: Thangarasa et al., ICML 2024: Sparse-IFT (arXiv 2303.11525), and its code.
"""

from __future__ import annotations

from functools import reduce
from typing import Literal

from pydantic import Field

from ..graph import Size, TrainingGraph
from .behind import behind, unnormalised, with_normalised
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer
from .low_rank import product


class Parallel(LayerRewrite):
    """Several branches in the place of a layer, summed."""

    kind: Literal["parallel"]
    branches: int = Field(ge=2, le=64, description="of the layer's own shape: 1 / (1 - s) at sparsity s")
    between: Literal["batch-norm", "nothing"] = Field(
        default="batch-norm", description="what stands behind each branch, before the sum"
    )

    searched: bool = Field(
        default=False, description="they are the candidates of a search, of which one stays: deployed a layer is single"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return f"{self.branches} {'candidates, summed' if self.searched else 'parallel branches'}"

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot have branches; empty where it can."""
        return unnormalised(layer, self.between)

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Branches in the place of each; deployed they stay, unless they were candidates."""
        if deployed and self.searched:
            return graph, ("Of the candidates of a layer one stays: the network runs as it was.",)
        return with_normalised(graph, layers.values(), self._build), ()

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        outputs = []
        shares = fragment.weight("mixture", (Size(fixed=self.branches),), learns=True) if self.searched else None
        for number in range(1, self.branches + 1):
            name = f"branch_{number}"
            weight = fragment.weight(f"{name}.weight", layer.weight.shape, learns=layer.learns)
            made = product(fragment, layer, x, weight, module=fragment.under(name))
            output = behind(fragment, layer, made, self.between, name=f"norm_{number}")
            outputs.append(output if shares is None else fragment.gated(output, shares, module=layer.name))
        return reduce(lambda total, each: fragment.add(total, each, module=layer.name), outputs)
