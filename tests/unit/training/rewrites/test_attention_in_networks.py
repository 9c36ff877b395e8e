"""Networks whose attention is rewritten: captures have the products of the rewritten graph, and modules still work."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from bisparse.training.graph import Stage
from bisparse.training.rewrites.in_torch import check_rewritten, rewrite_module
from torch import nn
from torch.nn import functional

from .conftest import captured, transformer
from .test_attention_in_torch import blocks, low_rank, sampled


class Encoder(nn.Module):
    """Attention that sees everything, twice."""

    def __init__(self):
        super().__init__()
        from bisparse.training.models.attention import PostNormBlock

        self.first, self.second = (PostNormBlock(32, 4, dropout=0.1) for _ in range(2))

    def forward(self, x):
        return self.second(self.first(x))


@pytest.mark.parametrize(
    ("make", "shape", "entry"),
    [
        (transformer, "16:int", blocks(window=1)),
        (transformer, "16:int", blocks(density=0.25, gate={"width": 4, "learns": "along"})),
        (transformer, "16:int", sampled(density=0.25)),
        (Encoder, (16, 32), sampled(density=0.25, across="tokens")),
        (Encoder, (16, 32), low_rank(buckets=4)),
    ],
    ids=lambda each: getattr(each, "kind", ""),
)
def test_its_capture_has_the_products_of_the_rewritten_graph(make, shape, entry):
    torch.manual_seed(0)
    model = make()
    planned = rewrite_module(model, [entry], captured(lambda: model, shape))
    found = captured(lambda: model, shape)
    check_rewritten(found, planned)
    learning = {each.parameter for each in planned.graph.operators if each.stage is Stage.UPDATE}
    assert (
        learning
        == {name for name, _ in model.named_parameters()}
        == {each.parameter for each in found.operators if each.stage is Stage.UPDATE}
    )
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert list(again.state_dict()) == list(model.state_dict())
    inputs = torch.randint(0, 64, (2, 16)) if shape == "16:int" else torch.randn(2, *shape)
    torch.manual_seed(1)
    made = again(inputs)
    torch.manual_seed(1)
    assert torch.equal(made, model(inputs))
    made.square().mean().backward()
    assert all(each.grad is not None for each in again.parameters())
    assert functional.scaled_dot_product_attention is torch.nn.functional.scaled_dot_product_attention
    assert "_attend" not in repr(functional.scaled_dot_product_attention)
