"""Causal attention: found in what is captured, counted in blocks against a mask laid out pair by pair."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.dataflow.lowering import lower
from bisparse.training.capture import capture
from bisparse.training.causal_blocks import MOST_BLOCKS, in_causal_blocks
from bisparse.training.graph import Stage
from bisparse.training.graph_file import graph_text, load_graph
from bisparse.training.passes.inference import forward_only
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

HEADS, WIDTH, BATCH = 3, 4, 2
FORWARD = [("m", "n"), ("m", "k")]


class Attention(nn.Module):
    """Attention of some queries, made of the input, to learned keys and values, or to the input's own."""

    def __init__(self, attend, queries, keys=None):
        super().__init__()
        self.attend, self.queries, self.keys = attend, queries, keys
        self.project = nn.Linear(WIDTH * HEADS, (3 if keys is None else 1) * WIDTH * HEADS)
        if keys is not None:
            self.learned = nn.Parameter(torch.zeros(2, 1, HEADS, keys, WIDTH))
            self.mixed = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        heads = self.project(x).unflatten(-1, (-1, HEADS, WIDTH)).permute(2, 0, 3, 1, 4)
        if self.keys is None:
            return self.attend(*heads.unbind(0))
        # Keys and values that depend on the samples, so that their gradients are products of their own.
        key, value = self.mixed(self.learned + heads.mean((3, 0), keepdim=True)).unbind(0)
        return self.attend(heads[0], key, value)


def by_keyword(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def by_place(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, None, 0.1, True)


def by_operator(query, key, value):
    return torch.ops.aten.scaled_dot_product_attention.default(query, key, value, None, 0.0, True)


def computed_again(query, key, value):
    return checkpoint(by_keyword, query, key, value, use_reentrant=False)


def full(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value)


def captured(attend, queries=10, keys=None, **asked):
    network = Attention(attend, queries, keys)
    return capture(network, (queries, WIDTH * HEADS), name="net", default_batch=BATCH, source="test", **asked)


def causal(graph):
    return [each for each in graph.products if getattr(each.geometry, "causal", None) is not None]


@pytest.mark.parametrize("attend", [by_keyword, by_place, by_operator])
def test_two_products_forward_and_four_backward_are_marked(attend):
    found = [(each.stage, each.geometry.causal) for each in causal(captured(attend))]
    assert found[:2] == [(Stage.FORWARD, ("m", "n")), (Stage.FORWARD, ("m", "k"))]
    # Gradients of the scores and of queries have queries along m; those of values and keys are summed over queries.
    assert sorted(axes for stage, axes in found if stage is Stage.BACKWARD) == [
        ("k", "m"),
        ("k", "n"),
        ("m", "k"),
        ("m", "n"),
    ]


def test_attention_that_sees_everything_is_not_marked():
    assert not causal(captured(full))


def test_what_checkpointing_computes_again_is_marked_again():
    # Of the second pass only the scores: what they are multiplied by was kept.
    assert [each.geometry.causal for each in causal(captured(computed_again))][:3] == [*FORWARD, FORWARD[0]]
    assert len(causal(captured(computed_again))) == 7


def test_layers_of_torch_that_are_told_so_are_marked():
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(12, 3, 16, batch_first=True)

        def forward(self, x):
            mask = nn.Transformer.generate_square_subsequent_mask(9, device=x.device)
            return self.layer(x, src_mask=mask, is_causal=True)

    graph = capture(Layer(), (9, 12), name="net", default_batch=BATCH, source="test")
    assert len(causal(graph)) == 6


def test_inference_is_marked_and_a_file_says_it(tmp_path):
    graph = captured(by_keyword, inference=True)
    assert [each.geometry.causal for each in causal(graph)] == FORWARD
    graph.save(tmp_path / "graph.json")
    assert load_graph(tmp_path / "graph.json") == graph


@pytest.mark.parametrize(
    ("causal", "message"),
    [
        (["m", "m"], "causal: got ['m', 'm'], need an axis of queries and another one of keys"),
        (["m", "x"], "causal: got ['m', 'x'], need the axes of queries and keys, two of m, n, k"),
        (["m"], "causal: got ['m'], need the axes of queries and keys, two of m, n, k"),
        ("mn", "causal: got 'mn', need a list"),
    ],
)
def test_a_file_that_says_it_wrongly_is_refused(tmp_path, causal, message):
    document = json.loads(graph_text(captured(by_keyword)))
    place = next(at for at, each in enumerate(document["operators"]) if "causal" in each.get("geometry", {}))
    document["operators"][place]["geometry"]["causal"] = causal
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(document, indent=1))
    with pytest.raises(ConfigError) as wrong:
        load_graph(path)
    assert f"operators[{place}].geometry.{message}" in str(wrong.value)


def mask_of(queries, keys, block):
    """Pairs whose block has one that attends."""
    attends, found = np.tril(np.ones((queries, keys), dtype=bool)), np.zeros((queries, keys), dtype=bool)
    for row in range(0, queries, block):
        for column in range(0, keys, block):
            place = np.s_[row : row + block, column : column + block]
            found[place] = attends[place].any()
    return found


SIZES = [(10, None), (10, 7), (7, 10), (5, 16)]


@pytest.mark.parametrize("block", [1, 3, 4, 10, 64])
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_products_and_scores_are_those_of_the_mask(queries, keys, block):
    graph = captured(by_place, queries, keys)
    blocked, kept = in_causal_blocks(graph, block), int(mask_of(queries, keys or queries, block).sum())
    marked = causal(blocked)
    assert len(marked) == 6
    for product in marked:
        assert product.geometry.macs(BATCH) == BATCH * HEADS * WIDTH * kept
        lowered = lower(product, BATCH)
        assert sum(gemm.issued_macs for gemm in lowered.gemms) == product.geometry.macs(BATCH)
        assert lowered.useful_macs == BATCH * HEADS * WIDTH * int(np.tril(np.ones((queries, keys or queries))).sum())
        # What is written, zeros of keys that nobody sees among it, is the result.
        written = sum(gemm.results for gemm in lowered.gemms) + lowered.zero_fill_elements
        assert written == blocked.tensors[product.outputs[0]].elements(BATCH)
    whole = BATCH * HEADS * queries * (keys or queries)
    for operator in graph.operators:
        (other,) = (each for each in blocked.operators if each.name == operator.name)
        if operator.kind in ("softmax", "softmax_backward", "dropout", "dropout_backward"):
            assert operator.elements.at(BATCH) == whole
            assert other.elements.at(BATCH) == BATCH * HEADS * kept
            for name in (*operator.inputs, *operator.outputs):
                assert blocked.tensors[name].elements(BATCH) == BATCH * HEADS * kept
        elif operator.stage is Stage.UPDATE:
            assert other == operator


def test_the_rest_of_the_network_is_as_it_was():
    graph = captured(by_keyword)
    blocked = in_causal_blocks(graph, 4)
    changed = {name for name, tensor in graph.tensors.items() if blocked.tensors[name] != tensor}
    assert {name.split(":")[1].split("#")[0].split(".")[0] for name in changed} == {
        *("FF", "BP", "zero_fill", "elementwise", "add", "softmax", "softmax_backward"),
    }
    assert not any(graph.tensors[name].role in ("input", "parameter", "parameter_gradient") for name in changed)
    others = [each for each in graph.products if each not in causal(graph)]
    assert others == [each for each in blocked.products if each.geometry in [other.geometry for other in others]]


def test_one_block_is_all_of_the_matrix():
    graph = captured(by_keyword)
    blocked = in_causal_blocks(graph, 10)
    assert graph.macs(BATCH) == blocked.macs(BATCH)
    sizes = [{name: each.elements(BATCH) for name, each in of.tensors.items()} for of in (graph, blocked)]
    assert sizes[0] == sizes[1]
    assert [each.elements for each in graph.operators] == [each.elements for each in blocked.operators]


def test_it_commutes_with_leaving_training_out():
    graph = captured(by_place)
    one, other = forward_only(in_causal_blocks(graph, 3)), in_causal_blocks(forward_only(graph), 3)
    assert one.operators == other.operators
    assert one.tensors == other.tensors


def test_a_network_without_causal_attention_is_told_so():
    graph = captured(full)
    (note,) = in_causal_blocks(graph, 4).notes
    assert note.startswith("Causal attention in blocks of 4 was asked for, but no attention")
    assert in_causal_blocks(graph, 4).operators == graph.operators


def test_more_rows_of_blocks_than_can_be_mapped_are_refused():
    with pytest.raises(ConfigError, match=rf"^causal_blocks: got 1, need at least 2: a sequence of {MOST_BLOCKS + 1} "):
        in_causal_blocks(captured(by_keyword, MOST_BLOCKS + 1), 1)


def test_computing_those_blocks_alone_is_attention():
    """Forward and backward, row of blocks by row and column by column, against torch's autograd."""
    length, block = 11, 4
    generator = torch.Generator().manual_seed(1)
    operands = [torch.randn(length, WIDTH, dtype=torch.float64, generator=generator, requires_grad=True) for _ in "qkv"]
    seed = torch.randn(length, WIDTH, dtype=torch.float64, generator=generator)
    expected = functional.scaled_dot_product_attention(*(each[None] for each in operands), is_causal=True, scale=1.0)[0]
    gradients = torch.autograd.grad(expected, operands, seed)
    query, key, value = (each.detach() for each in operands)
    hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
    mixed, weights, of_scores = torch.zeros_like(query), torch.zeros(length, length), torch.zeros(length, length)
    weights, of_scores, of_query = weights.double(), of_scores.double(), torch.zeros_like(query)
    for first in range(0, length, block):
        rows, prefix = slice(first, first + block), slice(0, min(first + block, length))
        scores = (query[rows] @ key[prefix].T).masked_fill(hidden[rows, prefix], -torch.inf)
        weights[rows, prefix] = scores.softmax(-1)
        mixed[rows] = weights[rows, prefix] @ value[prefix]
        of_weights = seed[rows] @ value[prefix].T
        inner = (of_weights * weights[rows, prefix]).sum(-1, keepdim=True)
        of_scores[rows, prefix] = weights[rows, prefix] * (of_weights - inner)
        of_query[rows] = of_scores[rows, prefix] @ key[prefix]
    of_key, of_value = torch.zeros_like(key), torch.zeros_like(value)
    for first in range(0, length, block):
        columns, met = slice(first, first + block), slice(first, length)
        of_key[columns] = of_scores[met, columns].T @ query[met]
        of_value[columns] = weights[met, columns].T @ seed[met]
    for found, wanted in zip((mixed, of_query, of_key, of_value), (expected, *gradients), strict=True):
        torch.testing.assert_close(found, wanted.detach())
