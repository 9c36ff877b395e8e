"""Activation recomputation against ``torch.utils.checkpoint``, operator by operator and in its order."""

import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find
from bisparse.training.graph import Stage
from bisparse.training.graph_consistency import check_order
from bisparse.training.graph_file import load_graph
from bisparse.training.passes.freezing import with_frozen
from bisparse.training.passes.inference import forward_only
from bisparse.training.passes.recomputation import with_recomputation
from bisparse.training.workloads import WORKLOADS
from torch import nn
from torch.utils.checkpoint import checkpoint

from .conftest import captured, work

RESNET = load_graph(find("workloads", "resnet9-cifar10"))
GPT2 = load_graph(find("workloads", "gpt2-small"))


class Half(nn.Module):
    """The second half of a transformer's block."""

    def __init__(self):
        super().__init__()
        self.norm, self.wide, self.narrow = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x):
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))


class Shortcut(nn.Module):
    """A block of a residual network."""

    def __init__(self):
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.norm2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)

    def forward(self, x):
        return torch.relu(x + self.norm2(self.second(torch.relu(self.norm1(self.first(x))))))


class Blocks(nn.Module):
    """Three blocks between a stem and a head, checkpointed or not."""

    def __init__(self, block, stem, head, *, again):
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.ModuleList(block() for _ in range(3)), head
        self.again = again

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.again else block(x)
        return self.head(x)


def transformer(*, again):
    return Blocks(Half, nn.Linear(8, 16), nn.Linear(16, 4), again=again)


def residual(*, again):
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    return Blocks(Shortcut, nn.Conv2d(3, 8, 3), head, again=again)


@pytest.mark.parametrize(("network", "shape"), [(transformer, (10, 8)), (residual, (3, 10, 10))])
@pytest.mark.parametrize("asked", ["blocks", "blocks.*", "blocks.0,blocks.1,blocks.2"])
def test_it_equals_the_capture_of_checkpointed_blocks_in_their_order(network, shape, asked):
    again = with_recomputation(captured(network(again=False), shape), asked)
    assert work(again) == work(captured(network(again=True), shape))


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("asked", ["all", "*"])
def test_every_shipped_workload_is_whole_and_its_forward_pass_the_same(name, asked):
    graph = load_graph(find("workloads", name))
    again = with_recomputation(graph, asked)
    check_order(again.operators)
    assert [*forward_only(again).products] == [*forward_only(graph).products]
    assert again.macs(8, Stage.BACKWARD, Stage.WEIGHT_GRADIENT) == graph.macs(8, Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
    assert graph.macs(8, Stage.FORWARD) < again.macs(8, Stage.FORWARD) <= 2 * graph.macs(8, Stage.FORWARD)


@pytest.mark.parametrize(("graph", "blocks"), [(RESNET, ("3", "8")), (GPT2, tuple(f"blocks.{n}" for n in range(12)))])
def test_the_forward_products_of_a_block_run_twice(graph, blocks):
    def products(graph, block):
        return [
            each.name for each in graph.products if each.stage is Stage.FORWARD and each.module.startswith(f"{block}.")
        ]

    again = with_recomputation(graph, "blocks")
    for block in blocks:
        once = products(graph, block)
        assert len(once) > 1
        assert products(again, block) == [*once, *(f"{name}:again" for name in once)]


def test_one_after_which_nothing_is_needed_does_not():
    """The result of a block's last product goes into a sum, whose backward pass reads nothing."""
    again = with_recomputation(captured(transformer(again=False), (10, 8)), "blocks.0")
    forward = {each.name for each in again.products if each.stage is Stage.FORWARD}
    assert "blocks.0.wide:FF:again" in forward
    assert "blocks.0.narrow:FF:again" not in forward


def test_what_is_made_inside_a_segment_is_stashed_no_more():
    def stash(graph):
        return {tensor.name for tensor in graph.saved_activations() if tensor.name.startswith("blocks.4")}

    first_run = {name for name in stash(with_recomputation(GPT2, "blocks")) if not name.endswith(":again")}
    assert len(stash(GPT2)) > 10
    assert first_run == {"blocks.4:add#2"}


def test_the_outermost_module_that_fits_is_the_segment():
    assert with_recomputation(RESNET, "3,3.*").operators == with_recomputation(RESNET, "3").operators


def test_what_does_not_learn_is_not_computed_again():
    frozen = with_frozen(RESNET, "0,1,3")
    again = {
        each.module.split(".")[0] for each in with_recomputation(frozen, "blocks").operators if "again" in each.name
    }
    assert again == {"4", "6", "8"}


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("resnet9-cifar10", "stem", "recompute: got 'stem', need blocks, all or a module of resnet9-cifar10, with "),
        ("vgg19-cifar100", "blocks", "recompute: got blocks, need a network with numbered modules that hold others"),
        (
            "resnet9-cifar10",
            "11",
            "recompute: got '11', need modules of resnet9-cifar10 whose backward pass reads",
        ),
    ],
)
def test_what_computes_nothing_again_is_refused(name, asked, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        with_recomputation(load_graph(find("workloads", name)), asked)
