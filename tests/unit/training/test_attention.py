"""Attention found by its shape, and patterns of its scores counted against masks laid out pair by pair."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find
from bisparse.dataflow.lowering import lower
from bisparse.training.attention import attention_of
from bisparse.training.block_masks import BlockRule, kept_blocks
from bisparse.training.capture import capture
from bisparse.training.graph import ComputedScores, MatrixProduct, Stage
from bisparse.training.graph_file import load_graph
from bisparse.training.passes.inference import forward_only
from bisparse.training.score_patterns import Buckets, CausalBlocks, KeptBlocks, SampledScores
from bisparse.training.scores import cut_scores, with_patterns
from torch import nn
from torch.nn import functional

HEADS, WIDTH, BATCH = 3, 4, 2


class Attention(nn.Module):
    """Attention of the input's tokens to others, or to themselves."""

    def __init__(self, attend, queries, keys):
        super().__init__()
        self.attend = attend
        self.queries, self.keys = queries, keys
        self.project = nn.Linear(WIDTH * HEADS, 3 * WIDTH * HEADS)
        self.stretch = nn.Linear(queries, keys) if keys != queries else nn.Identity()

    def forward(self, x):
        query, key, value = self.project(x).unflatten(-1, (3, HEADS, WIDTH)).permute(2, 0, 3, 1, 4).unbind(0)
        if self.keys != self.queries:
            key, value = (self.stretch(each.transpose(-1, -2)).transpose(-1, -2) for each in (key, value))
        return self.attend(query, key, value)


def of_torch(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, dropout_p=0.1)


def causal(query, key, value):
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def by_hand(query, key, value):
    """As most networks write it; with values on the left."""
    weights = functional.dropout((query @ key.transpose(-1, -2) / 2).softmax(-1), 0.1)
    return (value.transpose(-1, -2) @ weights.transpose(-1, -2)).transpose(-1, -2)


def captured(attend, queries=10, keys=None):
    network = Attention(attend, queries, keys or queries)
    return capture(network, (queries, WIDTH * HEADS), name="net", default_batch=BATCH, source="test")


def unmarked(graph):
    """The graph without what the capture marked."""
    operators = (
        replace(each, geometry=replace(each.geometry, causal=None))
        if isinstance(each.geometry, MatrixProduct)
        else each
        for each in graph.operators
    )
    return replace(graph, operators=tuple(operators))


def patterned(graph, pattern):
    scores = {name: ComputedScores(*axes, pattern) for each in attention_of(graph) for name, axes in each.axes.items()}
    return with_patterns(graph, scores)


@pytest.mark.parametrize("name", ["gpt2-small", "bert-base", "vit-cifar10"])
def test_attention_of_shipped_networks_is_found_in_each_block(name):
    found = attention_of(load_graph(find("workloads", name)))
    assert len(found) == 12
    assert all(len(each.axes) == 6 for each in found)
    assert {each.causal for each in found} == {name == "gpt2-small"}


@pytest.mark.parametrize(("queries", "keys"), [(10, 10), (10, 7), (7, 10)])
def test_axes_told_by_shape_are_those_that_the_capture_marked(queries, keys):
    marked = captured(causal, queries, keys)
    wanted = {each.name: each.geometry.causal for each in marked.products if each.geometry.causal is not None}
    (found,) = attention_of(unmarked(marked))
    assert found.axes == wanted
    assert found.square == (queries, keys)


def test_a_network_without_a_softmax_between_its_products_has_none():
    def linear(query, key, value):
        return (query @ key.transpose(-1, -2)) @ value

    assert attention_of(captured(linear)) == ()


def test_axes_that_cannot_be_told_are_refused():
    graph = captured(of_torch)
    (found,) = attention_of(graph)
    queries = found.scores.inputs[0]
    same = replace(found.scores, inputs=(queries, queries))
    doubled = replace(graph, operators=tuple(same if each is found.scores else each for each in graph.operators))
    with pytest.raises(ConfigError, match="a gradient of attention, that multiplies by"):
        attention_of(doubled)


# Counts --------------------------------------------------------------------------------------------------------------


def pairs(mask, block, queries, keys):
    """A mask of blocks, pair by pair."""
    return np.kron(mask, np.ones((block, block), dtype=bool))[:queries, :keys]


def given(seed, queries, keys, block):
    """A mask of blocks drawn at random, one at least in a row and on the diagonal."""
    rows, columns = -(-queries // block), -(-keys // block)
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.4
    mask[:, 0] = True
    return mask


def rule_of(mask):
    return BlockRule(given=tuple("".join("01"[bit] for bit in row) for row in mask.astype(int)))


SIZES = [(10, 10), (10, 7), (7, 10), (9, 9)]


@pytest.mark.parametrize("attend", [of_torch, causal, by_hand])
@pytest.mark.parametrize("block", [2, 3, 4])
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_products_scores_and_vector_work_are_those_of_the_mask(attend, queries, keys, block):
    graph, is_causal = captured(attend, queries, keys), attend is causal
    blocks = given(block, queries, keys, block)
    if is_causal:
        blocks = np.tril(blocks)
    kept = pairs(blocks, block, queries, keys)
    asked = np.tril(kept) if is_causal else kept
    made = cut_scores(patterned(graph, KeptBlocks(block, rule_of(blocks), causal=is_causal)))
    products = [each for each in made.products if getattr(each.geometry, "scores", None) is not None]
    assert len(products) == 6
    for product in products:
        lowered = lower(product, BATCH)
        each = BATCH * HEADS * WIDTH
        assert sum(gemm.issued_macs for gemm in lowered.gemms) == product.geometry.macs(BATCH) == each * kept.sum()
        assert lowered.useful_macs == each * asked.sum()
        written = sum(gemm.results for gemm in lowered.gemms) + lowered.zero_fill_elements
        assert written == made.tensors[product.outputs[0]].elements(BATCH)
    for operator in made.operators:
        if operator.kind in ("softmax", "softmax_backward", "dropout", "dropout_backward"):
            assert operator.elements.at(BATCH) == BATCH * HEADS * kept.sum()
            for name in (*operator.inputs, *operator.outputs):
                assert made.tensors[name].elements(BATCH) == BATCH * HEADS * kept.sum()
    updates = [[each for each in of.operators if each.stage is Stage.UPDATE] for of in (graph, made)]
    assert updates[0] == updates[1]


@pytest.mark.parametrize("block", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("queries", "keys"), [*SIZES, (1, 9), (16, 16)])
def test_rows_and_columns_are_those_of_the_mask(queries, keys, block):
    blocks = given(3, queries, keys, block)
    blocks[:, -1] = False
    blocks[0] = False
    mask, pattern = pairs(blocks, block, queries, keys), KeptBlocks(block, rule_of(blocks), causal=False)
    rows = [mask[first : first + block] for first in range(0, queries, block)]
    columns = [mask[:, first : first + block] for first in range(0, keys, block)]
    by_rows = sorted((len(each), int(each[0].sum())) for each in rows if each.any())
    by_columns = sorted((each.shape[1], int(each[:, 0].sum())) for each in columns if each.any())
    assert sorted(shape for shape, times in pattern.rows(queries, keys).items() for _ in range(times)) == by_rows
    assert sorted(shape for shape, times in pattern.columns(queries, keys).items() for _ in range(times)) == by_columns
    assert pattern.computed(queries, keys) == pattern.asked(queries, keys) == mask.sum()


@pytest.mark.parametrize("rows", [(8, 8), (16, 16), (9, 5), (5, 9)])
@pytest.mark.parametrize("is_causal", [False, True])
def test_a_window_and_global_blocks_are_those_that_their_definition_names(rows, is_causal):
    queries, keys = rows
    for window in (0, 1, 3):
        for first in (0, 1, 2):
            rule = BlockRule(window=window, first=first)
            found = kept_blocks(rule, queries, keys, causal=is_causal)
            for row in range(queries):
                for column in range(keys):
                    wanted = abs(row - column) < window or row < first or column < first
                    if is_causal and column > row:
                        wanted = False
                    assert (found[row] >> column & 1) == wanted


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("density", [Fraction(1, 10), Fraction(1, 3), Fraction(1, 2), Fraction(1)])
def test_a_share_keeps_as_many_of_each_row_and_spreads_them(density, is_causal):
    size = 60
    mask = kept_blocks(BlockRule(density=density), size, size, causal=is_causal)
    for row, kept in enumerate(mask):
        seen = row + 1 if is_causal else size
        assert kept.bit_count() == math.ceil(density * seen)
        assert kept >> row & 1
        assert kept >> seen == 0
    needed = [sum(kept >> column & 1 for kept in mask) for column in range(size)]
    if not is_causal:
        assert max(needed) - min(needed) <= 1
    assert min(needed) >= 1


def test_a_window_counts_towards_a_share_and_may_exceed_it():
    for window, most in ((2, 4), (4, 7)):
        mask = kept_blocks(BlockRule(density=Fraction(1, 4), window=window), 16, 16, causal=False)
        assert mask[8].bit_count() == most


def test_density_one_is_all_of_attention_and_of_a_causal_mask_its_blocks():
    rule = BlockRule(density=Fraction(1))
    assert KeptBlocks(4, rule, causal=False).rows(18, 18) == {(4, 18): 4, (2, 18): 1}
    for queries, keys in [*SIZES, (50, 50)]:
        kept, blocks = KeptBlocks(4, rule, causal=True), CausalBlocks(4)
        for of in ("rows", "columns", "computed", "asked"):
            assert getattr(kept, of)(queries, keys) == getattr(blocks, of)(queries, keys)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_sampled_scores_are_all_computed_and_a_share_is_asked_for(queries, keys, is_causal):
    pattern = SampledScores(Fraction(3, 10), causal=is_causal)
    seen = [min(query + 1, keys) if is_causal else keys for query in range(queries)]
    assert pattern.asked(queries, keys) == sum(-(-3 * each // 10) for each in seen)
    assert pattern.computed(queries, keys) == queries * keys
    assert "skips no single results" in pattern.unskipped


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize(("queries", "keys"), SIZES)
def test_buckets_hold_every_query_and_key_once(queries, keys, count):
    pattern = Buckets(count, causal=False)
    queries_in, keys_in = (np.arange(extent) * count // extent for extent in (queries, keys))
    # As equal as can be, whichever bucket holds one more.
    sizes = [sorted(np.bincount(each, minlength=count)) for each in (queries_in, keys_in)]
    asked = sum(int(many) * int(others) for many, others in zip(*sizes, strict=True))
    assert pattern.asked(queries, keys) == pattern.computed(queries, keys) == asked
    columns = {(wide, high): times for (high, wide), times in pattern.rows(queries, keys).items()}
    assert pattern.columns(queries, keys) == columns


# What they mean ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_causal", [False, True])
def test_computing_kept_blocks_alone_is_masked_attention(is_causal):
    """Forward and backward, rows of blocks and columns of them, against torch's autograd under the mask."""
    length, block = 13, 4
    blocks = given(5, length, length, block) | np.eye(4, dtype=bool)
    if is_causal:
        blocks = np.tril(blocks)
    kept = torch.from_numpy(pairs(blocks, block, length, length))
    asked = kept.tril() if is_causal else kept
    generator = torch.Generator().manual_seed(1)
    operands = [torch.randn(length, WIDTH, dtype=torch.float64, generator=generator, requires_grad=True) for _ in "qkv"]
    seed = torch.randn(length, WIDTH, dtype=torch.float64, generator=generator)
    expected = functional.scaled_dot_product_attention(*(each[None] for each in operands), attn_mask=asked, scale=1.0)[
        0
    ]
    gradients = torch.autograd.grad(expected, operands, seed)
    query, key, value = (each.detach() for each in operands)
    mixed, of_query, of_key, of_value = (torch.zeros_like(query) for _ in range(4))
    weights, of_scores = (torch.zeros(length, length, dtype=torch.float64) for _ in range(2))
    for first in range(0, length, block):
        rows = slice(first, first + block)
        met = kept[first]
        scores = (query[rows] @ key[met].T).masked_fill(~asked[rows][:, met], -torch.inf)
        own = scores.softmax(-1)
        of_weights = seed[rows] @ value[met].T
        gradient = own * (of_weights - (of_weights * own).sum(-1, keepdim=True))
        weights[rows, met], of_scores[rows, met] = own, gradient
        mixed[rows], of_query[rows] = own @ value[met], gradient @ key[met]
    for first in range(0, length, block):
        columns, met = slice(first, first + block), kept[:, first]
        of_key[columns] = of_scores[met, columns].T @ query[met]
        of_value[columns] = weights[met, columns].T @ seed[met]
    for found, wanted in zip((mixed, of_query, of_key, of_value), (expected, *gradients), strict=True):
        torch.testing.assert_close(found, wanted.detach())


def test_it_commutes_with_leaving_training_out():
    graph, pattern = captured(causal), KeptBlocks(3, BlockRule(window=1), causal=True)
    one, other = (
        cut_scores(forward_only(patterned(graph, pattern))),
        cut_scores(patterned(forward_only(graph), pattern)),
    )
    assert one.operators == other.operators
    assert one.tensors == other.tensors
