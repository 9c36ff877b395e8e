"""The forward pass alone: what inference leaves out of a training graph, and what it folds."""

import pytest
from bisparse.configs.library import find
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.graph_file import graph_text, load_graph
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.models.mobilenet_v2 import mobilenet_v2
from bisparse.training.models.resnet import resnet9
from bisparse.training.passes.inference import forward_only
from bisparse.training.workloads import WORKLOADS
from torch import nn
from torch.utils.checkpoint import checkpoint


def captured(module, shape=(3, 8, 8), **asked):
    return capture(module, shape, name="net", default_batch=4, source="test", **asked)


def block():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(8 * 36, 10)
    )


def kinds(graph):
    return [operator.kind for operator in graph.operators]


def test_of_a_training_graph_it_is_what_a_network_in_evaluation_mode_runs():
    trained, inferred = forward_only(captured(block())), captured(block(), inference=True)
    assert kinds(trained) == kinds(inferred) == ["convolution", "bias_add", "relu", "linear", "bias_add"]
    assert [each.geometry for each in trained.products] == [each.geometry for each in inferred.products]
    assert trained.counted_macs == inferred.counted_macs
    assert trained.inference
    assert inferred.inference
    assert not captured(block()).inference


def test_a_folded_normalisation_reads_its_shift_alone():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    folded = captured(network, inference=True).operators[1]
    assert (folded.kind, folded.inputs[1:]) == ("bias_add", ("1.bias",))
    assert len(folded.outputs) == 1


def test_where_no_product_stands_before_it_scale_and_shift_are_a_pass_of_their_own():
    graph = captured(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3)), inference=True)
    first = graph.operators[0]
    assert (first.kind, first.inputs) == ("elementwise", ("input", "0.weight", "0.bias"))


def test_a_product_that_somebody_else_reads_keeps_its_scale():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.norm = nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3)

        def forward(self, x):
            made = self.layer(x)
            return self.norm(made) + made

    assert kinds(captured(Shared(), inference=True)) == ["convolution", "elementwise", "add"]


def test_what_checkpointing_computes_again_is_computed_once():
    class Saved(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)), nn.Linear(8, 4)

        def forward(self, x):
            return self.head(checkpoint(self.body, x, use_reentrant=False))

    graph = captured(Saved(), (8,))
    assert sum(each.stage is Stage.FORWARD for each in graph.products) > 3
    assert len(list(forward_only(graph).products)) == 3


def test_it_is_its_own_forward_pass():
    graph = captured(block(), inference=True)
    assert graph_text(forward_only(graph)) == graph_text(graph)


@pytest.mark.parametrize("name", WORKLOADS)
def test_of_every_shipped_workload_it_is_whole(name):
    graph = load_graph(find("workloads", name))
    forward = forward_only(graph)
    assert forward.macs(8) == graph.macs(8, Stage.FORWARD)
    made = {output for operator in forward.operators for output in operator.outputs}
    read = {name for operator in forward.operators for name in operator.inputs}
    roles = {forward.tensors[name].role for name in read - made}
    assert roles <= {"input", "parameter", "buffer"}
    assert not {"labels", "loss.seed"} & set(forward.tensors)
    assert {tensor.role for tensor in forward.tensors.values()} <= {"input", "parameter", "buffer", "activation"}


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (resnet9, (3, 32, 32)),
        (mobilenet_v2, (3, 32, 32)),
        (lambda: Gpt2(vocabulary=64, longest=16, width=32, depth=2, heads=4), "16:int"),
    ],
    ids=["a CNN", "one with activations in place", "a transformer"],
)
def test_it_equals_the_capture_in_evaluation_mode_in_every_operator(network, shape):
    trained, inferred = forward_only(captured(network(), shape)), captured(network(), shape, inference=True)
    assert trained.operators == inferred.operators
    assert trained.tensors == inferred.tensors
