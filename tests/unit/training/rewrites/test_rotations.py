"""Products on the shortcuts of a residual stream, in numpy and as the capture of a network that has them."""

import numpy as np
import pytest
from bisparse.configs.errors import ConfigError
from bisparse.training.graph import Stage
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.rewrites.keep import Keep
from bisparse.training.rewrites.rotations import Rotations
from torch import nn

from .conftest import NETWORKS, captured, counted, made

ENTRY = Rotations(kind="rotations")


def test_a_stream_in_bases_of_its_own_is_the_same_stream():
    """x' = x Q1 enters a block whose weights take Q1 back and give Q2; the shortcut is multiplied by Q1^T Q2."""
    draw = np.random.default_rng(0)
    first, second = (np.linalg.qr(draw.normal(size=(6, 6)))[0] for _ in range(2))
    x, w_in, w_out = draw.normal(size=(4, 6)), draw.normal(size=(6, 9)), draw.normal(size=(9, 6))

    def block(stream, reads, writes, shortcut):
        size = np.sqrt((stream**2).mean(1, keepdims=True))
        return stream @ shortcut + np.tanh(stream / size @ reads) @ writes

    plain = block(x, w_in, w_out, np.eye(6))
    turned = block(x @ first, first.T @ w_in, w_out @ second, first.T @ second)
    np.testing.assert_allclose(turned @ second.T, plain)


class Turned(nn.Module):
    """GPT-2's block with a product on either shortcut."""

    def __init__(self, block):
        super().__init__()
        self.block = block
        width = block.norm1.normalized_shape[0]
        self.first, self.second = (nn.Linear(width, width, bias=False) for _ in range(2))

    def forward(self, x):
        block = self.block
        x = self.first(x) + block.dropout(block.attention(block.norm1(x)))
        return self.second(x) + block.dropout(block.feed_forward(block.norm2(x)))


def gpt(width=32):
    return Gpt2(vocabulary=64, longest=16, width=width, depth=2, heads=4)


def test_it_equals_the_forward_pass_of_a_network_that_has_them():
    def by_hand():
        model = gpt()
        model.blocks = nn.Sequential(*map(Turned, model.blocks))
        return model

    graph = made(captured(gpt, "16:int", inference=True), ENTRY)
    assert counted(graph) == counted(captured(by_hand, "16:int", inference=True))


def test_what_is_sliced_off_makes_every_product_narrower():
    plain = captured(gpt, "16:int", inference=True)
    sliced = made(plain, ENTRY, Keep(kind="keep", channels=0.75))
    turned = [each for each in sliced.products if "rotation" in each.module]
    assert [(each.geometry.k.fixed, each.geometry.n.fixed) for each in turned] == [(24, 24)] * 4
    rows, blocks = 16, 2
    weights = 24 * (3 * 32 + 32 + 128 + 128) + 2 * 24 * 24
    attention = 2 * rows * rows * 32
    assert sliced.macs(1, Stage.FORWARD) == blocks * (rows * weights + attention) + rows * 24 * 64


def test_it_is_of_a_forward_pass_over_a_residual_stream():
    with pytest.raises(ConfigError, match=r"rewrites.0: got a training step, need a forward pass"):
        made(captured(gpt, "16:int"), ENTRY)
    plain = captured(lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU()), (8,))
    with pytest.raises(ConfigError, match=r"rewrites.0: got net, need a network that adds what enters a block"):
        made(plain, ENTRY, deployed=True)
    make, shape = NETWORKS["cnn"]
    with pytest.raises(ConfigError, match="need a network that adds"):
        made(captured(make, shape), ENTRY, deployed=True)
