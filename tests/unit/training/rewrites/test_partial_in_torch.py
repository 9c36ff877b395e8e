"""Weights that learn in part, and Monarch factors nearest to a weight, against their definitions in plain numpy."""

import copy

import numpy
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.rewrites.in_torch.monarch_layer import MonarchLayer, nearest_blocks
from bisparse.training.rewrites.partial import Partial
from torch import nn

from .conftest import captured, made
from .test_adapters_in_torch import as_numpy, network, under

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_selected_columns_or_rows_learn_and_nothing_else_does(side):
    """S2FT: dW of the selected part is that of the dense layer, dx is dz W, and the weight follows what learned."""
    model, applied = under({"kind": "partial", side: 0.25, "layers": ["2"]}, sparsity="2:8")
    plain, layer = network(), model[2]
    plain.load_state_dict({name: each for name, each in model.state_dict().items() if name != "2.selected"})
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1, momentum=0.9)
    reference = torch.optim.SGD([plain[2].weight], lr=0.1, momentum=0.9)
    applied.attach(optimizer)
    count = 3 if side == "inputs" else 2
    part = (slice(None), slice(count)) if side == "inputs" else (slice(count), slice(None))
    before, x = as_numpy(plain[2].weight), torch.randn(5, 8, dtype=torch.float64)
    for _ in range(3):
        for each, rule in ((model, optimizer), (plain, reference)):
            rule.zero_grad()
            each(x).square().sum().backward()
        rest = plain[2].weight.grad.clone()
        rest[part] = 0
        plain[2].weight.grad -= rest
        numpy.testing.assert_allclose(as_numpy(layer.selected.grad), as_numpy(plain[2].weight.grad[part]))
        optimizer.step()
        reference.step()
    twin = copy.deepcopy(model)
    numpy.testing.assert_allclose(as_numpy(twin(x)), as_numpy(plain(x)))
    changed = numpy.zeros(before.shape, bool)
    changed[part] = True
    assert sum(each.numel() for each in model.parameters() if each.requires_grad) == changed.sum()
    applied.remove()
    assert type(model[2]) is nn.Linear
    assert list(model.state_dict()) == list(plain.state_dict())
    after = as_numpy(model[2].weight)
    numpy.testing.assert_allclose(after, as_numpy(plain[2].weight))
    assert ((after != before) <= changed).all()
    assert (after != before).any()


def test_of_the_input_what_selected_columns_meet_is_kept_for_the_backward_pass():
    model, _ = under({"kind": "partial", "inputs": 0.25, "layers": ["2"]}, sparsity="2:8")
    kept = []

    def pack(tensor):
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda each: each):
        model[2](torch.randn(5, 12, dtype=torch.float64))
    assert kept == [(5, 3), (6, 12)]


def test_a_share_needs_one_side_and_less_than_all_of_it():
    with pytest.raises(ValueError, match="got neither inputs nor outputs, need one of them"):
        Partial(kind="partial")
    graph = captured(network, (8,))
    with pytest.raises(ConfigError, match=r"rewrites.0.layers: got 2, .* of its 12 inputs 12 would learn"):
        made(graph, Partial(kind="partial", inputs=0.99, multiple_of=4, layers=("2",)))


def matrix_of(first, second):
    """The dense matrix of two factors, as the layer's orders have it, in numpy."""
    blocks, inner, inputs = first.shape
    outputs = second.shape[1]
    whole = numpy.zeros((blocks * outputs, blocks * inputs))
    for source in range(blocks):
        for each in range(inner):
            place, target = divmod(source * inner + each, blocks)
            rows = numpy.arange(outputs) * blocks + target
            columns = source * inputs + numpy.arange(inputs)
            whole[numpy.ix_(rows, columns)] += numpy.outer(second[target, :, place], first[source, each])
    return whole


@pytest.mark.parametrize(("outputs", "inputs", "blocks"), [(16, 16, 4), (24, 8, 4), (8, 24, 4), (20, 12, 4), (9, 9, 3)])
def test_the_nearest_blocks_leave_the_singular_values_that_no_channel_is_left_for(outputs, inputs, blocks):
    torch.manual_seed(0)
    weight = torch.randn(outputs, inputs, dtype=torch.float64)
    first, second = map(as_numpy, nearest_blocks(weight, blocks))
    nearest = matrix_of(first, second)
    inner, left = min(outputs, inputs) // blocks, 0.0
    for source in range(blocks):
        for target in range(blocks):
            part = weight.numpy()[target::blocks, source * (inputs // blocks) : (source + 1) * (inputs // blocks)]
            joint = sum((source * inner + each) % blocks == target for each in range(inner))
            left += (numpy.linalg.svd(part, compute_uv=False)[joint:] ** 2).sum()
    numpy.testing.assert_allclose(((weight.numpy() - nearest) ** 2).sum(), left)
    again = matrix_of(*map(as_numpy, nearest_blocks(torch.from_numpy(nearest), blocks)))
    numpy.testing.assert_allclose(again, nearest, atol=1e-12)
    layer = nn.Linear(inputs, outputs).double()
    layer.weight.data = torch.from_numpy(nearest)
    x = torch.randn(3, inputs, dtype=torch.float64)
    torch.testing.assert_close(MonarchLayer(layer, blocks, nearest=True)(x), layer(x))
