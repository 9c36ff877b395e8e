"""Vector operators: their kinds, their elements, and what is not one."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from bisparse.configs.vector_kinds import VECTOR_KINDS
from bisparse.training.capture.aten_kinds import KIND_OF
from bisparse.training.graph import Size, Stage, TrainingGraph
from torch import nn
from torch.nn import functional


def kinds(graph: TrainingGraph, module: str) -> dict[str, list[str]]:
    """Kinds of a module's operators by stage, in order."""
    found: dict[str, list[str]] = {}
    for operator in graph.operators:
        if operator.module == module and operator.stage is not Stage.UPDATE:
            found.setdefault(operator.stage.value, []).append(operator.kind)
    return found


class After(nn.Module):
    """A 1x1 convolution, so that gradients reach it, and then a function."""

    def __init__(self, function, channels: int = 4) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, channels, 1, bias=False)
        self.function = function

    def forward(self, x):
        return self.function(self.before(x))


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.ReLU(), "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (nn.GELU(), "gelu"),
        (nn.GELU(approximate="tanh"), "gelu"),
        (nn.SiLU(), "silu"),
        (nn.Sigmoid(), "sigmoid"),
        (nn.Tanh(), "tanh"),
        (nn.ReLU6(), "hardtanh"),
        (nn.Hardtanh(), "hardtanh"),
        (nn.Softmax(dim=1), "softmax"),
        (nn.LogSoftmax(dim=1), "log_softmax"),
        (nn.BatchNorm2d(4), "batch_norm"),
        (nn.LayerNorm([4, 8, 8]), "layer_norm"),
        (nn.GroupNorm(2, 4), "group_norm"),
        (nn.MaxPool2d(2), "max_pool"),
        (nn.AdaptiveMaxPool2d(2), "max_pool"),
        (nn.AvgPool2d(2), "average_pool"),
        (nn.AdaptiveAvgPool2d(2), "average_pool"),
        (nn.Dropout(0.1), "dropout"),
        (nn.Dropout2d(0.1), "dropout"),
    ],
)
def test_layer_and_its_backward_pass_are_one_operator_each(graph_of, layer, kind):
    graph = graph_of(nn.Sequential(nn.Conv2d(3, 4, 1), layer), (3, 8, 8))
    assert kinds(graph, "1") == {"FF": [kind], "BP": [f"{kind}_backward"]}
    assert all(
        operator.elements == Size(per_sample=4 * 8 * 8)
        for operator in graph.operators
        if operator.module == "1" and operator.stage is not Stage.UPDATE
    )


@pytest.mark.parametrize("layer", [nn.Hardswish(), nn.ELU(), nn.LeakyReLU(), nn.Softplus()])
def test_other_activations_are_element_wise(graph_of, layer):
    graph = graph_of(nn.Sequential(nn.Conv2d(3, 4, 1), layer), (3, 8, 8))
    assert kinds(graph, "1") == {"FF": ["elementwise"], "BP": ["elementwise"]}
    assert graph.unknown == ()


def test_cross_entropy_is_the_default_for_class_scores(graph_of):
    graph = graph_of(nn.Linear(6, 10), (6,))
    assert kinds(graph, "loss") == {
        "FF": ["log_softmax", "nll_loss"],
        "BP": ["nll_loss_backward", "log_softmax_backward"],
    }
    assert graph.tensors["labels"].role == "input"
    assert graph.tensors["labels"].integer
    assert graph.tensors["labels"].shape == (Size(per_sample=1),)


def test_every_token_is_scored_by_default(graph_of):
    network = nn.Sequential(nn.Embedding(20, 6), nn.Linear(6, 20))
    graph = graph_of(network, (5,), integer_inputs=True)
    assert graph.tensors["labels"].shape == (Size(per_sample=1), Size(fixed=5))


def test_a_loss_of_the_user_is_used(graph_of):
    graph = graph_of(nn.Linear(6, 10), (6,), loss=lambda output: functional.mse_loss(output, torch.zeros_like(output)))
    assert kinds(graph, "loss") == {"FF": ["zero_fill", "reduce"], "BP": ["elementwise"]}


def test_a_lookup_counts_rows_and_its_gradient_the_table(graph_of):
    network = nn.Sequential(nn.Embedding(1000, 6), nn.Linear(6, 10))
    graph = graph_of(network, (5,), integer_inputs=True, loss=lambda output: output.mean())
    lookup, gradient = (o for o in graph.operators if o.module == "0" and o.stage is not Stage.UPDATE)
    assert (lookup.kind, lookup.elements) == ("embedding", Size(per_sample=30))
    assert (gradient.kind, gradient.stage, gradient.elements) == (
        "embedding_backward",
        Stage.WEIGHT_GRADIENT,
        Size(6000),
    )


def test_residual_addition_and_the_sum_of_its_gradients(graph_of):
    graph = graph_of(After(lambda x: x.relu() + x), (3, 8, 8))
    assert kinds(graph, "") == {"FF": ["relu", "add"], "BP": ["relu_backward", "gradient_add"]}
    add = next(operator for operator in graph.operators if operator.kind == "gradient_add")
    assert all(graph.tensors[name].role == "gradient" for name in add.inputs)


def test_views_cost_nothing_and_keep_dependences(graph_of):
    graph = graph_of(After(lambda x: x.flatten(2).transpose(1, 2)[:, 1:].unsqueeze(1).relu()), (3, 8, 8))
    assert kinds(graph, "")["FF"] == ["relu"]
    relu = next(operator for operator in graph.operators if operator.kind == "relu")
    assert relu.inputs == ("before:FF",)
    assert relu.elements == Size(per_sample=4 * 63)


def test_moving_data_is_a_copy(graph_of):
    graph = graph_of(After(lambda x: torch.cat([x.transpose(2, 3).contiguous(), x], dim=1)), (3, 8, 8))
    assert kinds(graph, "")["FF"] == ["copy", "copy"]
    assert [o.elements.per_sample for o in graph.operators if o.kind == "copy"][:2] == [4 * 64, 8 * 64]


def test_arithmetic(graph_of):
    graph = graph_of(After(lambda x: (2 * x + 1.0) / 3 - x.exp() / x.abs()), (3, 8, 8))
    found = Counter(kinds(graph, "")["FF"])
    assert found == Counter({"multiply": 2, "add": 2, "transcendental": 2, "elementwise": 1})


def test_in_place_operators_make_new_versions(graph_of):
    def in_place(x):
        buffer = torch.zeros_like(x)
        buffer[:, 0] = x[:, 1]
        buffer.add_(x)
        return buffer

    graph = graph_of(After(in_place), (3, 8, 8))
    fill, copy, add = (o for o in graph.operators if o.module == "" and o.stage is Stage.FORWARD)
    assert [operator.kind for operator in (fill, copy, add)] == ["zero_fill", "copy", "add"]
    assert copy.inputs == (fill.outputs[0], "before:FF")
    assert add.inputs == (copy.outputs[0], "before:FF")
    assert copy.elements == Size(per_sample=64)


def test_a_list_is_processed_together(graph_of):
    graph = graph_of(After(lambda x: torch._foreach_mul([x, x], 2.0)[1]), (3, 8, 8))
    multiply = next(operator for operator in graph.operators if operator.kind == "multiply")
    assert multiply.elements == Size(per_sample=2 * 4 * 64)
    assert len(multiply.outputs) == 2


def test_dropout_of_attention_weights_is_one_operator(graph_of):
    def attend(x):
        heads = x.flatten(2).transpose(1, 2).unsqueeze(1)
        return functional.scaled_dot_product_attention(heads, heads, heads, dropout_p=0.1)

    graph = graph_of(After(attend), (3, 4, 4))
    drops = [operator for operator in graph.operators if operator.kind.startswith("dropout")]
    assert [operator.kind for operator in drops] == ["dropout", "dropout_backward"]
    assert drops[0].elements == Size(per_sample=16 * 16)
    assert drops[0].outputs[1] in drops[1].inputs


def test_drawn_numbers_that_are_no_dropout_are_counted(graph_of):
    graph = graph_of(After(lambda x: x + torch.empty_like(x).bernoulli_(0.5)), (3, 8, 8))
    assert kinds(graph, "")["FF"] == ["elementwise", "add"]


def test_the_batch_counter_of_a_normalisation_is_no_work(graph_of):
    graph = graph_of(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), (3, 8, 8))
    assert "1.num_batches_tracked" not in graph.tensors


def test_every_trainable_parameter_is_updated_once(graph_of):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))
    graph = graph_of(network, (3, 8, 8))
    updates = [operator for operator in graph.operators if operator.stage is Stage.UPDATE]
    assert graph.operators[-len(updates) :] == tuple(updates)
    assert {update.parameter: update.elements.fixed for update in updates} == {
        name: parameter.numel() for name, parameter in network.named_parameters()
    }
    for update in updates:
        assert update.kind == "parameter_update"
        assert update.inputs[0] == update.parameter
        assert graph.tensors[update.inputs[1]].role == "parameter_gradient"


def test_an_unknown_operator_is_reported_and_counted(graph_of):
    graph = graph_of(After(lambda x: torch.fft.rfft(x).abs()), (3, 8, 8))
    first = graph.unknown[0]
    assert (first.name, first.module, first.shapes) == ("aten._fft_r2c", "", ((8, 4, 8, 8), (8, 4, 8, 5)))
    unknown = [operator for operator in graph.operators if operator.kind == "unknown"]
    assert len(unknown) == len(graph.unknown)
    # The result is larger than the operand: five complex numbers for eight real ones.
    assert unknown[0].elements == Size(per_sample=4 * 8 * 5 * 2)


def test_an_operator_of_another_library_is_unknown(graph_of):
    @torch.library.custom_op("tested::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    twice.register_fake(torch.empty_like)
    twice.register_autograd(lambda context, gradient: 2 * gradient)
    graph = graph_of(lambda: After(twice), (3, 8, 8))
    assert [unknown.name for unknown in graph.unknown] == ["tested.twice"]


def test_every_kind_in_the_table_is_in_the_vocabulary():
    assert set(KIND_OF.values()) <= VECTOR_KINDS


def test_the_largest_operand_at_the_default_batch_counts(graph_of):
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.zeros(1000))
            self.head = nn.Linear(6, 6)

        def forward(self, x):
            return self.head(x) + torch.stack([self.table.sum()] * 6)

    graph = graph_of(Positions, (6,))
    total = next(operator for operator in graph.operators if operator.kind == "reduce")
    assert total.elements == Size(fixed=1000)
