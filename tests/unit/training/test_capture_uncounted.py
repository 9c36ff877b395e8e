"""What may multiply and is in no count is named; complex products count as four real ones."""

from __future__ import annotations

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from bisparse.training.graph import Size, Stage
from bisparse.training.uncounted import refuse_uncounted, uncounted
from torch import nn


class After(nn.Module):
    """A function of a linear layer's output."""

    def __init__(self, function, width=8):
        super().__init__()
        self.layer = nn.Linear(width, width)
        self.function = function

    def forward(self, x):
        return self.function(self.layer(x))


def graph_after(function, **asked):
    return capture(After(function), (8,), name="tested", default_batch=4, source="a test", loss="mean", **asked)


def test_a_transform_is_named_with_its_operator():
    graph = graph_after(lambda x: torch.fft.rfft(x).abs())
    assert uncounted(graph) == {"model:unknown": "aten._fft_r2c", "model:unknown#2": "aten._fft_c2c"}


def test_what_sorts_or_searches_holds_no_multiplication():
    graph = graph_after(lambda x: x.sort(-1).values + x.topk(8, -1).values)
    assert graph.unknown
    assert uncounted(graph) == {}
    refuse_uncounted(graph)


def test_strict_refuses_what_is_not_counted():
    with pytest.raises(CaptureError) as caught:
        graph_after(lambda x: torch.fft.rfft(x).abs(), strict=True)
    assert str(caught.value) == (
        "tested: model:unknown: got aten._fft_r2c and 1 more, which may hold multiplications, need operators that are "
        "counted; try writing it as matrix products or convolutions, or without strict"
    )


def test_a_complex_product_counts_as_four_in_the_graph_and_in_the_witness():
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)
            self.weight = nn.Parameter(torch.zeros(4, 3, dtype=torch.complex64))

        def forward(self, x):
            return (torch.view_as_complex(self.layer(x).unflatten(-1, (4, 2))) @ self.weight).abs()

    # Captured only where the witness, which is told the type and not the geometry, agrees.
    graph = capture(Complex(), (8,), name="tested", default_batch=4, source="a test", loss="mean")
    macs = {product.stage: product.geometry.macs(1) for product in graph.products if product.parameter == "weight"}
    assert macs == {Stage.FORWARD: 4 * 4 * 3, Stage.BACKWARD: 4 * 4 * 3, Stage.WEIGHT_GRADIENT: 4 * 4 * 3}
    assert graph.tensors["weight"].shape == (Size(4), Size(3), Size(2))
