"""Grouped products: experts by torch's grouped operator and by weights picked for every row are one computation."""

from __future__ import annotations

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from bisparse.training.capture.mac_counter import mac_counter
from bisparse.training.capture.meta_kernels import meta_kernels
from bisparse.training.capture.module_path import ModulePath
from bisparse.training.capture.routing import Routing
from bisparse.training.graph import MatrixProduct, Size, Stage
from torch import nn
from torch.nn import functional

EXPERTS, WIDTH, HIDDEN = 3, 16, 32
TOKENS = 5


class Mixture(nn.Module):
    """Two experts of three for each token."""

    def __init__(self, spelling, dtype=torch.float32):
        super().__init__()
        self.gate = nn.Linear(WIDTH, EXPERTS, dtype=dtype)
        self.weights = nn.Parameter(torch.zeros(EXPERTS, HIDDEN, WIDTH, dtype=dtype))
        self.spelling = spelling

    def forward(self, x):
        x = x.flatten(0, 1).to(self.weights.dtype)
        share, chosen = self.gate(x).softmax(-1).topk(2, -1)
        rows, experts = x.repeat_interleave(2, 0), chosen.flatten()
        return (self.spelling(rows, experts, self.weights) * share.flatten()[:, None]).mean(1)


def grouped_by_histogram(rows, experts, weights):
    order = experts.argsort()
    counts = torch.histc(experts.int().float(), bins=EXPERTS, min=0, max=EXPERTS - 1)
    made = functional.grouped_mm(rows[order], weights.transpose(1, 2), offs=counts.cumsum(0).to(torch.int32))
    return made[order.argsort()]


def picked_on_the_left(rows, experts, weights):
    return torch.bmm(weights[experts], rows.unsqueeze(-1)).squeeze(-1)


def picked_on_the_right(rows, experts, weights):
    return torch.bmm(rows.unsqueeze(1), weights.index_select(0, experts).transpose(1, 2)).squeeze(1)


def by_einsum(rows, experts, weights):
    return torch.einsum("sk,snk->sn", rows, weights[experts])


def captured(spelling, **asked):
    return capture(
        Mixture(spelling, asked.pop("dtype", torch.float32)),
        (TOKENS, WIDTH),
        name="mixture",
        default_batch=8,
        source="a test",
        loss="mean",
        **asked,
    )


def of_experts(graph):
    return {
        (product.stage.value, product.kind, product.geometry)
        for product in graph.products
        if product.parameter == "weights"
    }


def rows_shared_out(m, n, k, axis, loads=(1,) * EXPERTS):
    m, n, k = (each if isinstance(each, Size) else Size(each) for each in (m, n, k))
    return MatrixProduct(m=m, n=n, k=k, grouped=axis, loads=loads)


ROWS = Size(per_sample=2 * TOKENS)
SPELLINGS = [grouped_by_histogram, picked_on_the_left, picked_on_the_right, by_einsum]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_experts_is_one_product_of_the_weight_a_pass(spelling, dtype):
    graph = captured(spelling, dtype=dtype)
    assert of_experts(graph) == {
        ("FF", "linear", rows_shared_out(ROWS, HIDDEN, WIDTH, "m")),
        ("WU", "linear", rows_shared_out(WIDTH, HIDDEN, ROWS, "k")),
    }
    # The two passes of the gate, the weight gradient of the experts: nothing else multiplies.
    assert graph.macs(1) == 2 * TOKENS * WIDTH * EXPERTS + 2 * (2 * TOKENS * WIDTH * HIDDEN)
    assert graph.notes == ("Routing to 3 experts is assumed to be balanced; --expert-load says otherwise.",)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_input_gradient_is_a_product_by_the_weight_too(spelling):
    network = nn.Sequential(nn.Linear(WIDTH, WIDTH), Mixture(spelling))
    graph = capture(network, (TOKENS, WIDTH), name="mixture", default_batch=8, source="a test", loss="mean")
    (backward,) = (p for p in graph.products if p.parameter == "1.weights" and p.stage is Stage.BACKWARD)
    assert backward.geometry == rows_shared_out(ROWS, WIDTH, HIDDEN, "m")


def test_no_copy_of_a_weight_for_every_row_is_charged():
    graph = captured(picked_on_the_left)
    copies = [operator.elements.at(8) for operator in graph.operators if operator.kind in ("copy", "zero_fill")]
    assert max(copies) < 8 * 2 * TOKENS * WIDTH * HIDDEN
    assert graph.tensors["weights"].shape == (Size(EXPERTS), Size(HIDDEN), Size(WIDTH))


def test_picked_weights_that_something_else_reads_are_a_copy():
    def scaled(rows, experts, weights):
        return torch.bmm(weights[experts] * 2, rows.unsqueeze(-1)).squeeze(-1)

    graph = captured(scaled)
    assert Size(per_sample=2 * TOKENS * WIDTH * HIDDEN) in {o.elements for o in graph.operators if o.kind == "copy"}
    assert not of_experts(graph) & {("FF", "linear", rows_shared_out(ROWS, HIDDEN, WIDTH, "m"))}


def test_a_given_load_stands_in_the_graph():
    graph = captured(picked_on_the_left, expert_loads=(3, 1, 0))
    assert ("FF", "linear", rows_shared_out(ROWS, HIDDEN, WIDTH, "m", (3, 1, 0))) in of_experts(graph)
    assert graph.notes == ()


def test_a_load_for_other_experts_is_refused():
    with pytest.raises(
        CaptureError, match="expert load: got 2 loads, need 3, one for each expert of 'model'"
    ) as caught:
        captured(picked_on_the_left, expert_loads=(1, 1))
    assert str(caught.value).endswith("try 1,1,1")


@pytest.mark.parametrize(
    ("left", "right", "macs"),
    [((10, 4), (3, 4, 8), 10 * 4 * 8), ((3, 6, 4), (4, 10), 6 * 4 * 10), ((6, 10), (10, 8), 6 * 10 * 8)],
)
def test_the_witness_counts_grouped_products_by_shape(left, right, macs):
    counter = mac_counter(ModulePath(nn.Identity()))
    with meta_kernels(Routing()), counter:
        offsets = torch.empty(3, dtype=torch.int32, device="meta")
        made = torch._grouped_mm(torch.empty(left, device="meta"), torch.empty(right, device="meta"), offs=offsets)
    assert counter.get_total_flops() // 2 == macs
    data = [torch.ones(shape, dtype=torch.bfloat16) for shape in ((16, 16), (2, 16, 16))]
    assert made.shape[-1] == right[-1]
    assert torch._grouped_mm(*data, offs=torch.tensor([8, 16], dtype=torch.int32)).shape == (16, 16)


def test_what_does_not_meet_is_still_torchs_error():
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.zeros(EXPERTS, 6, 8))

        def forward(self, x):
            return functional.grouped_mm(x, self.weights, offs=torch.zeros(EXPERTS, dtype=torch.int32))

    with pytest.raises(CaptureError, match="_grouped_mm"):
        capture(Wrong(), (WIDTH,), name="wrong", default_batch=8, source="a test")
