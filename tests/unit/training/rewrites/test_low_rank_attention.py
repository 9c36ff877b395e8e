"""Attention by kernel features, alone and beside buckets, against networks that are written so by hand."""

from __future__ import annotations

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.attention import attention_of
from bisparse.training.graph import Stage
from bisparse.training.graph_consistency import check_order
from bisparse.training.passes.inference import forward_only
from bisparse.training.rewrites.attention_core import with_cores
from bisparse.training.rewrites.low_rank_attention import LowRankAttention
from torch import nn
from torch.nn import functional

from .conftest import captured, counted, made, transformer

HEADS, WIDTH, TOKENS, RANK, BUCKETS, BATCH = 3, 4, 12, 6, 3, 4
SHAPE = (TOKENS, HEADS * WIDTH)


class Attention(nn.Module):
    """Attention between two linear layers, written out."""

    def __init__(self):
        super().__init__()
        self.project, self.out = nn.Linear(HEADS * WIDTH, 3 * HEADS * WIDTH), nn.Linear(HEADS * WIDTH, 8)

    def attend(self, query, key, value):
        return (query @ key.transpose(-1, -2)).softmax(-1) @ value

    def forward(self, x):
        heads = self.project(x).unflatten(-1, (3, HEADS, WIDTH)).permute(2, 0, 3, 1, 4)
        mixed = self.attend(*(each.contiguous() for each in heads.unbind(0)))
        return self.out(mixed.transpose(1, 2).flatten(2))


class Features(Attention):
    """The same by features."""

    def __init__(self):
        super().__init__()
        self.register_buffer("drawn", torch.randn(WIDTH, RANK, dtype=torch.float32))

    def phi(self, x):
        return torch.exp(x @ self.drawn - (x * x).sum(-1, keepdim=True) * 0.5)

    def low_rank(self, query, key, value):
        """What is divided, and by what; and features."""
        query, key = self.phi(query), self.phi(key)
        mixed = query @ (key.transpose(-1, -2) @ value)
        return mixed, query @ key.sum(-2).unsqueeze(-1), query, key

    def attend(self, query, key, value):
        mixed, weight, *_ = self.low_rank(query, key, value)
        return mixed * weight.reciprocal()


class Corrected(Features):
    """Features, and the pairs of buckets as they are; tokens in the order of their buckets."""

    buckets = BUCKETS

    def attend(self, query, key, value):
        mixed, weight, of_query, of_key = self.low_rank(query, key, value)
        query, key, value, of_query, of_key = (
            each.unflatten(-2, (self.buckets, -1)) for each in (query, key, value, of_query, of_key)
        )
        exact = torch.exp(query @ key.transpose(-1, -2))
        pairs = exact - of_query @ of_key.transpose(-1, -2)
        more, weights = pairs @ value, pairs.sum(-1, keepdim=True)
        mixed, weight = mixed + more.flatten(-3, -2), weight + weights.flatten(-3, -2)
        return mixed * weight.reciprocal()


def entry(**fields):
    return LowRankAttention.model_validate({"kind": "low-rank-attention", "features": RANK, **fields})


def in_order_of_buckets(graph):
    """What stands between gathering and putting back."""
    found = with_cores(graph, attention_of(graph), entry(buckets=BUCKETS).build)
    check_order(found.operators)
    return found


@pytest.mark.parametrize("inference", [False, True])
def test_every_operator_is_that_of_the_network_written_by_hand(inference):
    found = made(captured(Attention, SHAPE, inference=inference), entry())
    wanted = captured(Features, SHAPE, inference=inference)
    assert counted(found) == counted(wanted)
    assert found.macs(BATCH) == wanted.macs(BATCH)


@pytest.mark.parametrize("inference", [False, True])
def test_so_it_is_between_gathering_and_putting_back(inference):
    """But for two copies that the network by hand takes, for it neither gathers nor puts back."""
    found = in_order_of_buckets(captured(Attention, SHAPE, inference=inference))
    wanted = captured(Corrected, SHAPE, inference=inference)
    more = counted(wanted) - counted(found)
    assert not counted(found) - counted(wanted)
    assert sum(more.values()) == (0 if inference else 2)
    assert all("kind='copy'" in each for each in more)
    assert found.macs(BATCH) == wanted.macs(BATCH)


def test_products_are_as_many_as_the_formula_has():
    found = made(captured(Attention, SHAPE), entry())
    each = BATCH * HEADS * TOKENS
    own = [product for product in found.products if product.parameter is None and product.stage is Stage.FORWARD]
    # Features of queries and keys, keys by values, queries by that, and what it is divided by.
    assert [product.geometry.macs(BATCH) for product in own] == [
        *(each * WIDTH * RANK,) * 2,
        *(each * RANK * WIDTH,) * 2,
        each * RANK,
    ]


def test_beside_buckets_operands_are_gathered_and_results_put_back():
    found = made(captured(Attention, SHAPE), entry(buckets=BUCKETS))
    plain = in_order_of_buckets(captured(Attention, SHAPE))
    more = counted(found) - counted(plain)
    assert not counted(plain) - counted(found) - counted(plain)
    names = [each for each in found.operators if each.module.endswith("hash")]
    assert [each.kind for each in names if each.kind != "copy"] == ["matmul", "reduce", "elementwise"] * 2
    assert sum(each.kind == "copy" for each in names) == 8
    assert sum(more.values()) >= len(names)
    assert len(found.operators) == len(plain.operators) + len(names)


def test_what_nobody_reads_any_more_is_gone():
    class Masked(Attention):
        def attend(self, query, key, value):
            mask = torch.ones(TOKENS, TOKENS, device=query.device).tril()
            scores = query @ key.transpose(-1, -2) + mask
            return functional.dropout(scores.softmax(-1), 0.1) @ value

    graph = captured(Masked, SHAPE)
    found = made(graph, entry())
    assert not {"softmax", "softmax_backward", "dropout", "dropout_backward"} & {each.kind for each in found.operators}
    assert counted(found) == counted(captured(Features, SHAPE))


def test_what_it_makes_is_softmax_attention_on_average():
    torch.manual_seed(3)
    query, key, value = (torch.randn(1, 1, TOKENS, WIDTH) * 0.5 for _ in range(3))
    exact = (query @ key.transpose(-1, -2)).softmax(-1) @ value
    mixed = sum(Features().attend(query, key, value) for _ in range(400)) / 400
    assert float((mixed - exact).abs().max()) < 0.1


def test_with_all_pairs_in_one_bucket_it_is_softmax_attention():
    query, key, value = (torch.randn(1, 1, TOKENS, WIDTH, dtype=torch.float64) * 0.5 for _ in range(3))
    network = Corrected().double()
    network.buckets = 1
    exact = (query @ key.transpose(-1, -2)).softmax(-1) @ value
    torch.testing.assert_close(network.attend(query, key, value), exact)


def test_inference_is_the_forward_pass_of_training():
    graph = captured(Attention, SHAPE)
    for each in (entry(), entry(buckets=BUCKETS)):
        one, other = forward_only(made(graph, each)), made(forward_only(graph), each, deployed=True)
        assert counted(one) == counted(other)


@pytest.mark.parametrize(
    ("network", "shape", "fields", "message"),
    [
        (transformer, "16:int", {}, r"^rewrites\.0\.layers: got blocks.0.attention of net, whose attention is causal"),
        (Attention, SHAPE, {"buckets": 5}, r"^rewrites\.0\.buckets: got 5, need a divisor of 12 queries"),
    ],
)
def test_what_does_not_fit_is_refused(network, shape, fields, message):
    with pytest.raises(ConfigError, match=message):
        made(captured(network, shape), entry(**fields))


def test_scores_that_something_else_reads_are_refused():
    class Seen(Attention):
        def attend(self, query, key, value):
            weights = (query @ key.transpose(-1, -2)).softmax(-1)
            return weights @ value + weights.mean()

    with pytest.raises(ConfigError, match="need attention whose scores nobody else reads, as "):
        made(captured(Seen, SHAPE), entry())
