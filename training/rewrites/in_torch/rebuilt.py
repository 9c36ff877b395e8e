"""A layer whose weight is computed from a sparse matrix and a low-rank one in each pass (``sparse_plus_low_rank``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from ..sparse_plus_low_rank import FACTORS, SparsePlusLowRank
from .layer_parts import PlainLayer, like


class RebuiltLayer(nn.Module):
    """W = (alpha / r) B A + S, multiplied by as the layer multiplies by its own.

    A is drawn as torch draws a layer, B begins at zero, S has values from -1 / sqrt(K) to 1 / sqrt(K) at places drawn
    without repetition. Unless W is kept, the backward pass computes it again.
    """

    def __init__(self, layer: PlainLayer, entry: SparsePlusLowRank) -> None:
        super().__init__()
        self._shape, self._scale, self._keeps = layer.weight.shape, entry.scale, entry.keep_weight
        outputs, inputs = layer.weight.shape[0], layer.weight[0].numel()
        rank = entry.rank_of(outputs, inputs)
        names = {FACTORS[0]: (rank, inputs), FACTORS[1]: (outputs, rank)}
        for name, shape in names.items():
            self.add_module(name, Weight(torch.empty(shape, **like(layer))))
        nn.init.kaiming_uniform_(self.get_submodule(FACTORS[0]).get_parameter("weight"), a=5**0.5)
        nn.init.zeros_(self.get_submodule(FACTORS[1]).get_parameter("weight"))
        kept = entry.kept_of(inputs * outputs)
        places = torch.randperm(inputs * outputs)[:kept].sort().values
        self.sparse = Weight(torch.empty(kept, **like(layer)).uniform_(-(inputs**-0.5), inputs**-0.5))
        self.sparse.register_buffer("places", places.to(layer.weight.device))
        self.bias = layer.bias
        self._product = _product_of(layer)
        # A convolution's arithmetic is asked of the layer itself, which needs no weight for that.
        layer.register_parameter("weight", None)

    def rebuilt(self) -> Tensor:
        """The weight, in the layer's shape."""
        a, b = (self.get_submodule(name).get_parameter("weight") for name in FACTORS)
        low = (b @ a) * self._scale
        whole = low.flatten().index_add(0, self.sparse.get_buffer("places"), self.sparse.weight)
        return whole.view(self._shape)

    def forward(self, x: Tensor) -> Tensor:
        """As the layer's own."""
        weight = self.rebuilt()
        if self._keeps or not torch.is_grad_enabled():
            return self._product(x, weight, self.bias)
        storage = weight.untyped_storage()._cdata

        def pack(saved: Tensor) -> Any:
            if saved.untyped_storage()._cdata != storage:
                return saved
            return saved.size(), saved.stride(), saved.storage_offset()

        def unpack(packed: Any) -> Tensor:
            if isinstance(packed, Tensor):
                return packed
            with torch.no_grad():
                return self.rebuilt().as_strided(*packed)

        with saved_tensors_hooks(pack, unpack):
            return self._product(x, weight, self.bias)


class Weight(nn.Module):
    """A weight under a name of its own, which no recipe takes for a layer."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(values)


_Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _product_of(layer: PlainLayer) -> _Product:
    """What a layer does with a weight."""
    if isinstance(layer, nn.Linear):
        return functional.linear
    return layer._conv_forward
