"""Matrix products: orientation, stages told by operands, and which parameter each belongs to."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from bisparse.training.capture import capture
from bisparse.training.graph import MatrixProduct, Size, Stage, TrainingGraph
from torch import nn
from torch.nn import functional
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint


def products(graph: TrainingGraph, module: str | None = None) -> list[tuple[str, str, str | None, MatrixProduct]]:
    """Kind, stage, parameter and geometry of each product, in order."""
    return [
        (operator.kind, operator.stage.value, operator.parameter, operator.geometry)
        for operator in graph.products
        if module is None or operator.module == module
    ]


def product(m: Size | int, n: Size | int, k: Size | int, count: Size | int = 1) -> MatrixProduct:
    sizes = [size if isinstance(size, Size) else Size(fixed=size) for size in (m, n, k, count)]
    return MatrixProduct(m=sizes[0], n=sizes[1], k=sizes[2], count=sizes[3])


def each(per_sample: int) -> Size:
    return Size(per_sample=per_sample)


class Weighted(nn.Module):
    """A linear layer, then a function of its output and a weight of this shape."""

    def __init__(self, function, width: int, *weights: tuple[int, ...]) -> None:
        super().__init__()
        self.before = nn.Linear(width, width)
        self.weights = nn.ParameterList([nn.Parameter(torch.zeros(shape)) for shape in weights])
        self.function = function

    def forward(self, x):
        return self.function(self.before(x), *self.weights)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("sample", "rows"), [((6,), 1), ((10, 6), 10), ((2, 5, 6), 10)])
def test_linear_layer_is_oriented_the_same_whatever_torch_executes(graph_of, bias, sample, rows):
    graph = graph_of(nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 4, bias=bias)), sample)
    assert set(products(graph, "1")) == {
        ("linear", "FF", "1.weight", product(each(rows), 4, 6)),
        ("linear", "BP", "1.weight", product(each(rows), 6, 4)),
        ("linear", "WU", "1.weight", product(6, 4, each(rows))),
    }
    stages = {operator.stage.value: operator for operator in graph.products if operator.module == "1"}
    assert stages["FF"].inputs[1] == stages["BP"].inputs[1] == "1.weight"
    assert stages["WU"].inputs == (stages["FF"].inputs[0], stages["BP"].inputs[0])


def test_weight_on_the_left_is_turned_to_the_right(graph_of):
    graph = graph_of(Weighted(lambda x, w: (w @ x.transpose(0, 1)).transpose(0, 1), 6, (4, 6)), (6,))
    assert set(products(graph, "")) == {
        ("linear", "FF", "weights.0", product(each(1), 4, 6)),
        ("linear", "BP", "weights.0", product(each(1), 6, 4)),
        ("linear", "WU", "weights.0", product(6, 4, each(1))),
    }


def test_einsum_over_two_axes_of_a_weight(graph_of):
    graph = graph_of(Weighted(lambda x, w: torch.einsum("btd,dhk->bthk", x, w), 6, (6, 2, 5)), (4, 6))
    assert set(products(graph, "")) == {
        ("linear", "FF", "weights.0", product(each(4), 10, 6)),
        ("linear", "BP", "weights.0", product(each(4), 6, 10)),
        ("linear", "WU", "weights.0", product(6, 10, each(4))),
    }


def test_batched_product_with_a_weight_counts_its_copies(graph_of):
    graph = graph_of(Weighted(lambda x, w: torch.bmm(x.transpose(0, 1), w), 6, (3, 6, 5)), (3, 6))
    assert set(products(graph, "")) == {
        ("linear", "FF", "weights.0", product(each(1), 5, 6, 3)),
        ("linear", "BP", "weights.0", product(each(1), 6, 5, 3)),
        ("linear", "WU", "weights.0", product(6, 5, each(1), 3)),
    }


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_two_products_forward_and_four_backward(graph_of, causal):
    def attend(x):
        heads = x.unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        return functional.scaled_dot_product_attention(*heads.unbind(0), is_causal=causal)

    graph = graph_of(Weighted(attend, 24), (10, 24))
    scores, mix = product(10, 10, 4, each(2)), product(10, 4, 10, each(2))
    of_keys, of_values = product(4, 10, 10, each(2)), mix
    if causal:
        of_keys, of_values = replace(of_keys, causal=("k", "n")), replace(of_values, causal=("k", "m"))
        scores, mix = replace(scores, causal=("m", "n")), replace(mix, causal=("m", "k"))
    of_attention = products(graph, "")
    assert of_attention[:2] == [("matmul", "FF", None, scores), ("matmul", "FF", None, mix)]
    assert all(
        kind == "matmul" and stage == "BP" and parameter is None for kind, stage, parameter, _ in of_attention[2:]
    )
    assert sorted(map(repr, (geometry for *_, geometry in of_attention[2:]))) == sorted(
        map(repr, [of_values, scores, of_keys, mix])
    )


def test_a_frozen_weight_has_no_weight_gradient_and_no_update(graph_of):
    network = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3))
    network[0].requires_grad_(False)
    network[1].weight.requires_grad_(False)
    graph = graph_of(network, (6,))
    assert [(operator.module, operator.stage.value) for operator in graph.products] == [
        ("0", "FF"),
        ("1", "FF"),
        ("2", "FF"),
        ("2", "BP"),
        ("2", "WU"),
    ]
    updated = {operator.parameter for operator in graph.operators if operator.stage is Stage.UPDATE}
    assert updated == {"1.bias", "2.weight", "2.bias"}


def test_tied_weights_are_two_products_and_one_update(graph_of):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(20, 6)
            self.head = nn.Linear(6, 20, bias=False)
            self.head.weight = self.table.weight

        def forward(self, tokens):
            return self.head(self.table(tokens))

    for source in (Tied, Tied()):
        graph = graph_of(source, (5,), integer_inputs=True)
        assert [operator.parameter for operator in graph.products] == ["table.weight"] * 3
        updates = [operator for operator in graph.operators if operator.stage is Stage.UPDATE]
        assert [update.parameter for update in updates] == ["table.weight"]
        accumulated = graph.producer[updates[0].inputs[1]]
        assert accumulated.kind == "gradient_add"
        assert {graph.producer[name].kind for name in accumulated.inputs} == {"linear", "embedding_backward"}


def test_a_layer_used_twice_accumulates_its_gradient(graph_of):
    layer = nn.Linear(6, 6)
    graph = graph_of(nn.Sequential(layer, nn.ReLU(), layer), (6,))
    assert [operator.name for operator in graph.products] == ["0:FF", "0:FF#2", "0:BP", "0:WU", "0:WU#2"]
    adds = [operator for operator in graph.operators if operator.kind == "gradient_add"]
    assert sorted((add.elements.fixed, add.stage.value) for add in adds) == [(6, "WU"), (36, "WU")]


class StraightThrough(torch.autograd.Function):
    """Two masks of one weight, as bidirectional pruning has them; the gradient goes straight to the dense weight."""

    @staticmethod
    def forward(ctx, x, weight):
        forward_weight = weight * (weight.abs() > 0.1)
        ctx.save_for_backward(x, weight * (weight.abs() > 0.2))
        return x @ forward_weight.t()

    @staticmethod
    def backward(ctx, gradient):
        x, backward_weight = ctx.saved_tensors
        return gradient @ backward_weight, gradient.t() @ x


def test_a_custom_function_keeps_its_products_and_its_dense_weight_gradient(graph_of):
    graph = graph_of(Weighted(StraightThrough.apply, 6, (4, 6)), (6,))
    assert products(graph, "") == [
        ("linear", "FF", "weights.0", product(each(1), 4, 6)),
        ("linear", "BP", "weights.0", product(each(1), 6, 4)),
        ("linear", "WU", "weights.0", product(6, 4, each(1))),
    ]


class ConvolutionByHand(torch.autograd.Function):
    """A convolution whose backward pass calls torch's own pieces."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, stride=2, padding=1)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        wider = functional.conv_transpose2d(gradient, weight, stride=2, padding=1, output_padding=1)
        return wider, torch.nn.grad.conv2d_weight(x, weight.shape, gradient, stride=2, padding=1)


def test_a_custom_convolution_is_written_with_the_forward_geometry(graph_of):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 4, 1)
            self.weight = nn.Parameter(torch.zeros(6, 4, 3, 3))

        def forward(self, x):
            return ConvolutionByHand.apply(self.first(x), self.weight)

    graph = graph_of(Network, (3, 8, 8))
    own = [operator for operator in graph.products if operator.parameter == "weight"]
    assert [operator.stage.value for operator in own] == ["FF", "BP", "WU"]
    assert own[0].geometry == own[1].geometry == own[2].geometry


def test_a_weight_made_of_others_belongs_to_the_largest(graph_of):
    def low_rank(x, dense, left, right):
        return x @ (dense + left @ right)

    graph = graph_of(Weighted(low_rank, 6, (6, 8), (6, 2), (2, 8)), (6,))
    of_input = {item for item in products(graph, "") if each(1) in (item[3].m, item[3].k)}
    assert {(stage, parameter) for _, stage, parameter, _ in of_input} == {
        ("FF", "weights.0"),
        ("BP", "weights.0"),
        ("WU", "weights.0"),
    }
    weight_gradients = {parameter for _, stage, parameter, _ in products(graph, "") if stage == "WU"}
    assert weight_gradients == {"weights.0", "weights.1", "weights.2"}


def test_weight_normalisation_can_be_captured(graph_of):
    graph = graph_of(nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), (6,))
    assert [operator.parameter for operator in graph.products] == ["parametrizations.weight.original1"] * 2


def test_checkpointing_counts_the_recomputation_as_forward_work(graph_of):
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(6, 6)
            self.second = nn.Linear(6, 3)

        def forward(self, x):
            return self.second(checkpoint(lambda y: torch.relu(self.first(y)), x, use_reentrant=False))

    names = [operator.name for operator in graph_of(Checkpointed, (6,)).products]
    assert names == ["first:FF", "second:FF", "second:BP", "second:WU", "first:FF#2", "first:WU"]


def test_matrix_vector_product(graph_of):
    graph = graph_of(Weighted(lambda x, w: x @ w, 6, (6,)), (6,))
    assert set(products(graph, "")) == {
        ("linear", "FF", "weights.0", product(each(1), 1, 6)),
        ("linear", "WU", "weights.0", product(6, 1, each(1))),
    }


class Flexible(nn.Module):
    """Attention through ``flex_attention``: with a bias of each head, under a causal mask, or with its statistics."""

    def __init__(self, *, bias=False, mask=False, statistics=False):
        super().__init__()
        self.pack, self.head = nn.Linear(64, 192), nn.Linear(64, 10)
        self.bias = nn.Parameter(torch.zeros(4)) if bias else None
        self.mask, self.statistics = mask, statistics

    def forward(self, x):
        query, key, value = self.pack(x).unflatten(-1, (3, 4, 16)).permute(2, 0, 3, 1, 4)
        biased = None if self.bias is None else lambda score, b, h, q, k: score + self.bias[h]
        block = create_block_mask(lambda b, h, q, k: q >= k, None, None, 16, 16, x.device) if self.mask else None
        mixed = flex_attention(query, key, value, score_mod=biased, block_mask=block, return_lse=self.statistics)
        mixed, lse = mixed if self.statistics else (mixed, None)
        out = self.head(mixed.transpose(1, 2).flatten(2).mean(1))
        return out if lse is None else out + lse.mean()


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"mask": True}, {"statistics": True}])
def test_flexible_attention_is_two_products_and_a_softmax(options):
    graph = capture(Flexible(**options), (16, 64), name="net", default_batch=4, source="test")
    attention = 2 * 16 * 16 * 64
    assert graph.macs(4, Stage.FORWARD) == 4 * (16 * 64 * 192 + attention + 640)
    assert [each.kind for each in graph.operators if each.stage is Stage.FORWARD].count("softmax") == 1
    assert any("what it would skip is counted" in note for note in graph.notes) == bool(options.get("mask"))
