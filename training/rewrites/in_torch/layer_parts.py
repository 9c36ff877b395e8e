"""What stands in the place of a layer, or beside it, as modules: named as the rewritten graph names them."""

from __future__ import annotations

from collections import OrderedDict
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from ....configs.errors import ConfigError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)

PlainLayer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def plain_layer(model: nn.Module, path: str) -> PlainLayer:
    """A layer of a model by its path.

    Raises:
        ConfigError: it is neither torch's Linear nor a Conv: what else its code does with its weight is not known.
    """
    layer = model.get_submodule(path)
    if type(layer) is nn.Linear or type(layer) in CONVOLUTIONS:
        assert isinstance(layer, PlainLayer), "one of these"
        return layer
    raise ConfigError(
        f"layers: got {path}, a {type(layer).__name__}, need nn.Linear or nn.Conv1d to 3d to train it rewritten; try "
        f"except_layers: [{path!r}]",
        field="layers",
    )


def factors(layer: PlainLayer, rank: int, *, bias: bool) -> tuple[PlainLayer, PlainLayer]:
    """A layer of its own kernel to ``rank`` channels, and one from these to its outputs, with a bias or without."""
    if isinstance(layer, nn.Linear):
        return (
            nn.Linear(layer.in_features, rank, bias=False, **like(layer)),
            nn.Linear(rank, layer.out_features, bias=bias, **like(layer)),
        )
    pointwise = type(layer)(rank, layer.out_channels, 1, bias=bias, **like(layer))
    return convolution(layer, layer.in_channels, rank, groups=1, bias=False), pointwise


def same_shape(layer: PlainLayer) -> PlainLayer:
    """Another layer of the same shape, drawn anew, without a bias."""
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, layer.out_features, bias=False, **like(layer))
    return convolution(layer, layer.in_channels, layer.out_channels, groups=layer.groups, bias=False)


def convolution(
    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, in_channels: int, out_channels: int, *, groups: int, bias: bool
) -> nn.Conv1d | nn.Conv2d | nn.Conv3d:
    """A convolution of other channels, with the kernel, stride and padding of a layer, drawn anew."""
    made: nn.Conv1d | nn.Conv2d | nn.Conv3d = type(layer)(
        in_channels,
        out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        groups=groups,
        bias=bias,
        padding_mode=layer.padding_mode,
        **like(layer),
    )
    return made


def in_turn(layer: PlainLayer, rank: int, names: tuple[str, str], *, between: str = "nothing") -> nn.Sequential:
    """Two factors in the place of a layer, and what stands between them."""
    first, second = factors(layer, rank, bias=layer.bias is not None)
    parts: OrderedDict[str, nn.Module] = OrderedDict([(names[0], first)])
    if between.startswith("batch-norm"):
        parts["norm"] = _norm(layer, rank)
    if between.endswith("relu"):
        parts["relu"] = nn.ReLU()
    parts[names[1]] = second
    return nn.Sequential(parts)


class Branches(nn.Module):
    """Several layers of one shape, each normalised by itself where that is asked, summed; one bias.

    Of a search they are weighted by the softmax of numbers that learn, which begin equal.
    """

    def __init__(self, layer: PlainLayer, count: int, *, between: str, searched: bool = False) -> None:
        super().__init__()
        self._count = count
        self.mixture = nn.Parameter(torch.zeros(count, **like(layer))) if searched else None
        for number in range(1, count + 1):
            self.add_module(f"branch_{number}", same_shape(layer))
            self.add_module(
                f"norm_{number}", _norm(layer, layer.weight.shape[0]) if between == "batch-norm" else nn.Identity()
            )
        self.bias = layer.bias
        self._positions = () if isinstance(layer, nn.Linear) else (1,) * len(layer.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """The sum over branches."""
        branches = range(1, self._count + 1)
        made = (getattr(self, f"norm_{each}")(getattr(self, f"branch_{each}")(x)) for each in branches)
        if self.mixture is not None:
            made = (each * share for each, share in zip(made, self.mixture.softmax(0), strict=True))
        total: Tensor = reduce(torch.add, made)
        return total if self.bias is None else total + self.bias.view(-1, *self._positions)


def _norm(layer: PlainLayer, channels: int) -> nn.Module:
    assert not isinstance(layer, nn.Linear), "a normalisation of linear layers was refused with the entry"
    return BATCH_NORMS[len(layer.kernel_size) - 1](channels, **like(layer))


def like(layer: nn.Module) -> dict[str, Any]:
    """Where and in what type new weights are made."""
    weight = layer.weight
    assert isinstance(weight, Tensor), "a layer has one"
    return {"device": weight.device, "dtype": weight.dtype}
