"""Captures of a forward pass alone: no learners, evaluation mode, one token more on a cache."""

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from torch import nn


def captured(module, shape=(64,), **asked):
    return capture(module, shape, name="net", default_batch=4, source="test", **asked)


def test_a_network_in_which_nothing_learns_is_a_forward_pass():
    module = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).requires_grad_(False)
    graph = captured(module)
    assert graph.inference
    assert graph.macs(4) == 4 * (64 * 64 + 64 * 10)
    assert graph.notes == ("Nothing in it learns: it is a forward pass alone, as inference runs it.",)


def test_one_that_learns_is_a_training_step_whatever_mode_it_is_in():
    # Pretrained networks are handed out in evaluation mode.
    assert not captured(nn.Linear(64, 10).eval()).inference


def test_its_mode_is_left_as_it_was():
    module = nn.Linear(64, 10)
    captured(module, inference=True)
    assert module.training


def test_torch_s_own_transformer_is_captured_by_its_products():
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    graph = captured(layer, (16, 64), inference=True)
    trained = captured(layer, (16, 64))
    assert graph.macs(4) == trained.macs(4, *{each.stage for each in graph.products})
    assert not graph.unknown


def test_sums_of_nothing_are_no_gradient_of_a_bias():
    class Empty(nn.Linear):
        def forward(self, x):
            return super().forward(x), x[..., :0].mean(1, keepdim=True)

    graph = captured(Empty(64, 10), (8, 64), inference=True)
    assert "bias_gradient" not in {operator.kind for operator in graph.operators}


def test_values_that_a_pass_reads_come_from_random_data():
    class Reads(nn.Linear):
        def forward(self, x):
            return super().forward(x) * x.abs().max().item()

    assert "captured from random data" in captured(Reads(64, 10), inference=True).notes[0]


class Decoder(nn.Module):
    """One layer of attention over a cache, called as Hugging Face's are."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.table, self.pack, self.head = nn.Embedding(50, width), nn.Linear(width, 3 * width), nn.Linear(width, 50)
        self.heads = heads

    def forward(self, input_ids, past_key_values=None):
        x = self.table(input_ids)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.pack(x).chunk(3, -1))
        if past_key_values is not None:
            k, v = torch.cat([past_key_values[0], k], 2), torch.cat([past_key_values[1], v], 2)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=past_key_values is None)
        return {"logits": self.head(mixed.transpose(1, 2).flatten(2)), "past_key_values": (k, v)}


def test_decoding_is_one_token_on_the_cache_of_all_before():
    graph = captured(Decoder(), "16:int", decode=True)
    assert graph.inference
    attention = 2 * 17 * 32
    assert graph.macs(4) == 4 * (32 * 96 + attention + 32 * 50)
    caches = [graph.tensors[f"cache.{number}"] for number in range(2)]
    assert [tensor.role for tensor in caches] == ["input", "input"]
    assert [tensor.elements(4) for tensor in caches] == [4 * 16 * 32] * 2


def test_a_pass_over_all_tokens_is_the_prefill():
    graph = captured(Decoder(), "16:int", inference=True)
    assert graph.macs(4) == 4 * 16 * (32 * 96 + 2 * 16 * 32 + 32 * 50)


def test_without_a_cache_there_is_nothing_to_decode_on():
    with pytest.raises(CaptureError, match="got an output without past_key_values, need a module that returns its"):
        captured(nn.Linear(64, 10), decode=True)
