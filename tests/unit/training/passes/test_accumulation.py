"""Micro-batches: as much work as the step at once, gradients added up, one update."""

import pytest
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import find
from bisparse.training.graph import Stage
from bisparse.training.graph_consistency import check_counts, check_order
from bisparse.training.graph_file import load_graph
from bisparse.training.passes.accumulation import MOST_OPERATORS, in_micro_batches
from bisparse.training.workloads import WORKLOADS
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

from .conftest import captured

RESNET = load_graph(find("workloads", "resnet9-cifar10"))


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_shipped_workload_in_micro_batches_is_whole(name):
    graph = load_graph(find("workloads", name))
    cut = in_micro_batches(graph, 3)
    check_order(cut.operators)
    check_counts(cut)
    assert {name for each in cut.operators for name in (*each.inputs, *each.outputs)} <= cut.tensors.keys()


@settings(max_examples=20, deadline=None)
@given(some.integers(2, 6), some.integers(1, 20))
def test_micro_batches_multiply_as_much_as_the_step_at_once(count, samples):
    cut = in_micro_batches(RESNET, count)
    for stage in (Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT):
        assert cut.macs(count * samples, stage) == RESNET.macs(count * samples, stage)
    made = {tensor: cut.tensors[tensor].elements(count * samples) for tensor in cut.tensors}
    assert made["0.0:FF"] == made[f"0.0:FF@{count}"] == RESNET.tensors["0.0:FF"].elements(samples)


def test_each_parameter_is_updated_once_with_the_sum_of_all_micro_batches():
    cut = in_micro_batches(RESNET, 3)
    updates = [each for each in cut.operators if each.stage is Stage.UPDATE]
    assert [each.parameter for each in updates] == [
        each.parameter for each in RESNET.operators if each.stage is Stage.UPDATE
    ]
    for update in updates:
        gathered = _leaves(cut, update.inputs[1])
        own = next(each for each in RESNET.operators if each.name == update.name).inputs[1]
        assert gathered == [own, f"{own}@2", f"{own}@3"]


def _leaves(graph, name):
    """Gradients that were added up to one."""
    maker = graph.producer[name]
    if maker.kind != "gradient_add" or not maker.name.endswith(":sum"):
        return [name]
    assert graph.tensors[name].elements(3) == graph.tensors[maker.inputs[1]].elements(3) == maker.elements.at(3)
    return [each for part in maker.inputs for each in _leaves(graph, part)]


def test_a_batch_is_a_multiple_of_its_micro_batches():
    cut = in_micro_batches(RESNET, 3)
    cut.check_batch(6)
    with pytest.raises(ConfigError, match=r"^batch: got 512, need a multiple of 3, .*; try 513$"):
        cut.check_batch(None)


def test_of_a_graph_of_one_batch_each_micro_batch_is_of_that_one():
    class Pairs(nn.Linear):
        def forward(self, a, b):
            return super().forward(a) @ super().forward(b).T

    graph = captured(Pairs(8, 8), [(8,), (8,)], fixed_batch=True)
    cut = in_micro_batches(graph, 2)
    assert (graph.default_batch, cut.default_batch) == (4, 8)
    assert cut.macs(8) == 2 * graph.macs(4)


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ConfigError, match=r"^accumulate: got 2, need a training step, which net is not"):
        in_micro_batches(captured(nn.Linear(8, 8), (8,), inference=True), 2)
    most = MOST_OPERATORS // len(RESNET.operators)
    with pytest.raises(ConfigError, match=f"^accumulate: got {most + 1}, need at most {most}: a step of resnet9"):
        in_micro_batches(RESNET, most + 1)
