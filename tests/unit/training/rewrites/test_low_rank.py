"""Low rank: two factors in the place of a layer equal the capture of a module with two layers in its place."""

from __future__ import annotations

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.graph import Stage
from bisparse.training.rewrites.apply import weights_of
from bisparse.training.rewrites.low_rank import LowRank
from torch import nn

from .conftest import captured, counted, made, swapped


def factored(layer: nn.Module, rank: int) -> nn.Module:
    """Two layers in the place of one."""
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        return nn.Sequential(
            nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=bias)
        )
    return nn.Sequential(
        nn.Conv2d(layer.in_channels, rank, layer.kernel_size, layer.stride, layer.padding, bias=False),
        nn.Conv2d(rank, layer.out_channels, 1, bias=bias),
    )


@pytest.mark.parametrize("asked", [{}, {"inference": True}], ids=["training", "inference"])
def test_it_equals_the_capture_of_a_module_so_factored(network, asked):
    make, shape, names = network
    by_hand = captured(lambda: swapped(make(), names, lambda layer: factored(layer, 4)), shape, **asked)
    graph = made(captured(make, shape, **asked), LowRank(kind="low-rank", rank=4, layers=names))
    assert counted(graph) == counted(by_hand)


def test_its_products_are_those_that_torch_counts(network):
    make, shape, names = network
    by_hand = captured(lambda: swapped(make(), names, lambda layer: factored(layer, 3)), shape)
    graph = made(captured(make, shape), LowRank(kind="low-rank", rank=3, layers=names))
    for batch in (4, 12):
        assert graph.macs(batch, Stage.FORWARD) == by_hand.counted_macs["forward"].at(batch)
        later = graph.macs(batch, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
        assert later == by_hand.counted_macs["backward"].at(batch)
    assert weights_of(graph) == weights_of(by_hand)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 4, "layers": ("nothing",)}, "layers.0: got 'nothing', need the path of a layer with a weight of net"),
        (
            {"rank": 64, "layers": ("head",)},
            "layers: got head, need a layer of net that can be rewritten: of head rank ",
        ),
    ],
)
def test_what_changes_nothing_is_refused(fields, message):
    from .conftest import NETWORKS

    with pytest.raises(ConfigError, match=f"^rewrites.0.{message}"):
        made(captured(*NETWORKS["cnn"]), LowRank(kind="low-rank", **fields))
