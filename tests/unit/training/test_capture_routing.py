"""Sizes that routing decides: experts that look their tokens up by a mask."""

import pytest
import torch
from bisparse.configs.errors import CaptureError, ConfigError
from bisparse.training.capture import capture
from bisparse.training.graph import Size, Stage
from bisparse.training.graph_file import graph_text, load_graph
from torch import nn
from torch.nn import functional

WIDTH, EXPERTS = 16, 4
GATE, EXPERT, HEAD = WIDTH * EXPERTS, WIDTH * WIDTH, WIDTH * 10


class Mixture(nn.Module):
    """A gate, experts that each get the tokens of a mask, and a head."""

    def __init__(self, chosen=2):
        super().__init__()
        self.gate, self.head, self.chosen = nn.Linear(WIDTH, EXPERTS), nn.Linear(WIDTH, 10), chosen
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(EXPERTS))

    def forward(self, x):
        weight, index = self.gate(x).softmax(-1).topk(self.chosen, -1)
        return self.head(self.mixed(x, weight, index))


class ByPositions(Mixture):
    def mixed(self, x, weight, index):
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(index == number)
            out = out.index_add(0, row, expert(x[row]) * weight[row, place, None])
        return out


class ByMask(Mixture):
    def __init__(self):
        super().__init__(chosen=1)

    def mixed(self, x, weight, index):
        out, index = torch.zeros_like(x), index.squeeze(-1)
        for number, expert in enumerate(self.experts):
            chosen = index == number
            out[chosen] = expert(x[chosen]) * weight[chosen]
        return out


class ByOneHot(Mixture):
    def mixed(self, x, weight, index):
        masks, out = functional.one_hot(index, EXPERTS).permute(2, 0, 1), torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(masks[number])
            out = out.index_add(0, row, expert(x[row]) * weight[row, place, None])
        return out


def captured(module, **asked):
    return capture(module, (WIDTH,), name="net", default_batch=8, source="test", **asked)


@pytest.mark.parametrize(("kind", "chosen"), [(ByPositions, 2), (ByMask, 1), (ByOneHot, 2)])
def test_however_it_is_spelled_each_expert_gets_its_share(kind, chosen):
    graph = captured(kind())
    for batch in (2, 8, 32):
        if batch * chosen % EXPERTS == 0:
            tokens = batch * chosen // EXPERTS
            assert graph.macs(batch, Stage.FORWARD) == batch * (GATE + HEAD) + EXPERTS * tokens * EXPERT
    # In between, every expert gets the next whole token.
    assert graph.macs(1, Stage.FORWARD) == GATE + HEAD + EXPERTS * EXPERT
    assert graph.notes == ("Routing to 4 experts is assumed to be balanced; --expert-load says otherwise.",)


def test_experts_are_weights_that_recipes_prune_and_train():
    graph = captured(ByPositions())
    weights = {product.parameter for product in graph.products if product.stage is Stage.WEIGHT_GRADIENT}
    assert {f"experts.{number}.weight" for number in range(EXPERTS)} <= weights


def test_a_given_load_is_shared_out_as_it_says():
    graph = captured(ByPositions(), expert_loads=(4, 2, 1, 1))
    rows = [
        product.geometry.m.at(8)
        for product in graph.products
        if product.stage is Stage.FORWARD and product.module.startswith("experts")
    ]
    assert rows == [8, 4, 2, 2]
    assert graph.notes == ()
    with pytest.raises(CaptureError, match="got 3 loads, need 4, one for each expert of the gate; try 1,1,1,1"):
        captured(ByPositions(), expert_loads=(4, 2, 1))


def test_gates_behind_gates_share_shares_out():
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.outer, self.inner, self.head = nn.Linear(8, 2), nn.Linear(8, 3), nn.Linear(8, 4)

        def forward(self, x):
            x = x[self.outer(x).argmax(-1) == 1]
            x = x[self.inner(x).argmax(-1) == 2]
            return self.head(x)

    graph = capture(Nested(), (8,), name="net", default_batch=12, source="test", loss="mean")
    sides = {product.module: product.geometry.m for product in graph.products if product.stage is Stage.FORWARD}
    assert sides == {"outer": Size(0, 1), "inner": Size(0, 1, 2), "head": Size(0, 1, 6)}


def test_of_a_mask_that_asks_for_anything_else_nothing_is_known():
    class Positive(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(1, 4)

        def forward(self, x):
            return self.head(x[x > 0, None])

    with pytest.raises(CaptureError, match=r"need an extent of the form .* try --fixed-batch"):
        captured(Positive(), loss="mean")
    fixed = captured(Positive(), loss="mean", fixed_batch=True)
    assert fixed.fixed_batch
    assert "captured from random data" in fixed.notes[0]


def test_a_share_of_the_batch_is_written_and_read(tmp_path):
    graph = captured(ByPositions())
    graph.save(tmp_path / "graph.json")
    assert "[0, 1, 2]" in graph_text(graph)
    assert load_graph(tmp_path / "graph.json") == graph
    broken = graph_text(graph).replace("[0, 1, 2]", "[0, 1, 0]", 1)
    (tmp_path / "broken.json").write_text(broken)
    with pytest.raises(ConfigError, match=r"need a count, \[fixed, per_sample\], or \[fixed, per_sample, samples\]"):
        load_graph(tmp_path / "broken.json")


def test_shares_add_up_and_are_multiplied():
    assert Size(1, 1, 2) + Size(2, 1, 3) == Size(3, 5, 6)
    assert Size(1, 1, 2) * 4 == Size(4, 4, 2)
    assert [Size(0, 1, 3).at(batch) for batch in (1, 3, 4)] == [1, 1, 2]
