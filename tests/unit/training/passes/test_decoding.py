"""One token more on a cache, against the capture of a module that decodes on a cache of its own."""

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find
from bisparse.training.graph import MatrixProduct
from bisparse.training.graph_consistency import check_order, check_tensors
from bisparse.training.graph_file import load_graph
from bisparse.training.passes.decoding import decoding
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

from .conftest import captured

GPT2 = load_graph(find("workloads", "gpt2-small"))
WIDTH, HEADS, TOKENS = 32, 4, 16


class Decoder(nn.Module):
    """A layer of attention over a cache, called as Hugging Face's are; ``groups`` of heads share keys and values."""

    def __init__(self, groups=HEADS, *, causal=True):
        super().__init__()
        self.groups, self.causal = groups, causal
        self.table, self.head = nn.Embedding(50, WIDTH), nn.Linear(WIDTH, 50)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key, self.value = (nn.Linear(WIDTH, WIDTH // HEADS * groups) for _ in range(2))

    def forward(self, input_ids, past_key_values=None):
        x = self.table(input_ids)
        layers = ((self.query, HEADS), (self.key, self.groups), (self.value, self.groups))
        q, k, v = (layer(x).unflatten(-1, (heads, -1)).transpose(1, 2) for layer, heads in layers)
        if past_key_values is not None:
            k, v = torch.cat([past_key_values[0], k], 2), torch.cat([past_key_values[1], v], 2)
        kept = (k, v)
        if self.groups != HEADS:
            k, v = (each[:, :, None].expand(-1, -1, HEADS // self.groups, -1, -1).flatten(1, 2) for each in kept)
        # The last token attends to all before it, and needs no mask.
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal and past_key_values is None)
        return {"logits": self.head(mixed.transpose(1, 2).flatten(2)), "past_key_values": kept}


@pytest.mark.parametrize("groups", [HEADS, 2, 1])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("inference", [True, False])
def test_its_products_are_those_of_a_module_that_decodes(groups, causal, inference):
    module = Decoder(groups, causal=causal)
    asked = {"inference": True} if inference else {"loss": lambda output: output["logits"].sum()}
    ours, theirs = (
        decoding(captured(module, f"{TOKENS}:int", **asked), 0),
        captured(module, f"{TOKENS}:int", decode=True),
    )
    assert [each.geometry for each in ours.products] == [each.geometry for each in theirs.products]
    # Vector work that moves no cache is as large: what is appended, there, is a copy of all of it.
    moves = ("copy", "multiply")
    assert [(each.kind, each.elements) for each in ours.operators if each.kind not in moves] == [
        (each.kind, each.elements) for each in theirs.operators if each.kind not in moves
    ]
    check_order(ours.operators)
    check_tensors(ours)


@pytest.mark.parametrize("groups", [HEADS, 2])
def test_the_cache_holds_the_heads_that_there_are(groups):
    graph = decoding(captured(Decoder(groups), f"{TOKENS}:int", inference=True), 0)
    caches = [tensor for tensor in graph.tensors.values() if tensor.role == "cache"]
    assert len(caches) == 2
    assert {tensor.elements(4) for tensor in caches} == {4 * (TOKENS + 1) * WIDTH // HEADS * groups}


@settings(max_examples=10, deadline=None)
@given(some.integers(1, 100_000), some.integers(1, 64))
def test_work_is_that_of_a_token_and_attention_that_of_the_cache(cached, batch):
    graph = decoding(GPT2, cached)
    weights = 12 * 12 * 768**2 + 768 * 50257
    assert graph.macs(batch) == batch * (weights + 12 * 2 * (cached + 1) * 768)
    for product in graph.products:
        if product.parameter is not None:
            assert isinstance(product.geometry, MatrixProduct)
            assert product.geometry.m.at(batch) == batch
    cache = sum(tensor.elements(batch) for tensor in graph.tensors.values() if tensor.role == "cache")
    assert cache == 2 * 12 * batch * (cached + 1) * 768


def test_nothing_else_grows_with_the_cache_but_scores():
    def others(cached):
        graph = decoding(GPT2, cached)
        grown = ("softmax", "matmul")
        return [each.elements for each in graph.operators if each.kind not in grown]

    assert others(10) == others(1000)


def test_the_mask_is_gone_and_so_is_what_made_it():
    assert not [each.name for each in decoding(GPT2, 0).operators if each.kind == "zero_fill"]
    assert [each.name for each in GPT2.operators if each.kind == "zero_fill"]


def test_it_says_how_many_tokens_the_cache_holds():
    assert (decoding(GPT2, 0).cached_tokens, decoding(GPT2, 7).cached_tokens) == (1024, 7)
    assert "on a cache of 7" in decoding(GPT2, 7).notes[-1]


class Across(nn.Module):
    """Attention to another sequence."""

    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x, y):
        q, k = self.query(x), self.key(y)
        return nn.functional.scaled_dot_product_attention(q, k, k)


@pytest.mark.parametrize(
    ("graph", "need"),
    [
        (lambda: load_graph(find("workloads", "resnet9-cifar10")), "self-attention over one sequence, as many queries"),
        (lambda: load_graph(find("workloads", "vit-cifar10")), "products of tokens alone: patches:FF is a convolution"),
        (lambda: captured(Across(), [(8, WIDTH), (6, WIDTH)]), "self-attention over one sequence"),
        (lambda: captured(Decoder(), f"{TOKENS}:int", decode=True), "self-attention over one sequence"),
    ],
)
def test_what_does_not_write_texts_is_refused(graph, need):
    with pytest.raises(ConfigError, match=f"^pass_: got decode of .*, need {need}"):
        decoding(graph(), 0)
