"""Torch's counter against the textbook, before and after its correction."""

from __future__ import annotations

import pytest
import torch
from bisparse.training.capture.mac_counter import mac_counter
from bisparse.training.capture.module_path import ModulePath
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def backward_macs(counter: FlopCounterMode, layer: nn.Module, shape: tuple[int, ...]) -> int:
    """What a counter finds in the two gradients of a layer."""
    x = torch.empty(shape, device="meta", requires_grad=True)
    layer = layer.to("meta")
    output = layer(x)
    with counter:
        torch.autograd.grad(output.sum(), [x, *layer.parameters()])
    return counter.get_total_flops() // 2


def corrected(layer: nn.Module, shape: tuple[int, ...]) -> int:
    return backward_macs(mac_counter(ModulePath(layer)), layer, shape)


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_torch_counts_the_weight_gradient_of_g_groups_g_times(groups):
    layer = nn.Conv2d(8, 8, 3, groups=groups, bias=False)
    forward = 2 * 4 * 4 * 9 * 8 * 8 // groups
    raw = backward_macs(FlopCounterMode(display=False), layer, (2, 8, 6, 6))
    assert raw == forward + groups * forward
    assert corrected(layer, (2, 8, 6, 6)) == 2 * forward


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 4, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(8, 4, 3, dilation=2, bias=False),
        nn.ConvTranspose2d(8, 4, 3, stride=2, bias=False),
    ],
)
def test_the_correction_changes_nothing_where_torch_is_right(layer):
    raw = backward_macs(FlopCounterMode(display=False), layer, (2, 8, 6, 6))
    assert corrected(layer, (2, 8, 6, 6)) == raw


def test_matrix_vector_products_are_counted():
    counter = mac_counter(ModulePath(nn.Identity()))
    with counter:
        torch.mv(torch.empty(3, 5, device="meta"), torch.empty(5, device="meta"))
    assert counter.get_total_flops() // 2 == 15
