"""The stash of a graph against what torch's autograd really saves, storage by storage.

Elements are compared, not bytes: torch runs in FP32 with 64-bit indices, the designs in their operand precision with
32-bit ones. Parameters and running statistics, which autograd saves references to, lie in memory anyway.
"""

from collections import Counter
from importlib import import_module

import pytest
import torch
from bisparse.training.workloads import WORKLOADS
from torch import nn

from bisparse.api import load_workload

BATCH = 2


def saved_by_autograd(model, shape):
    """Elements of every storage that the backward pass of a classifier waits for, each storage once."""
    known = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    saved = {}

    def keep(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        scores = model(torch.randn(BATCH, *shape))
        loss = nn.functional.cross_entropy(scores, torch.zeros(BATCH, dtype=torch.long))
    assert loss.requires_grad
    return Counter(
        tensor.untyped_storage().nbytes() // tensor.element_size()
        for pointer, tensor in saved.items()
        if pointer not in known
    )


def both(name):
    """What torch saves of a workload, and what its graph does."""
    workload = WORKLOADS[name]
    module, factory = workload.factory.split(":")
    shape = [int(extent) for extent in str(workload.inputs[0]).split("x")]
    saved = load_workload(name).graph.saved_activations()
    return (
        saved_by_autograd(getattr(import_module(module), factory)(), shape),
        Counter(tensor.elements(BATCH) for tensor in saved),
    )


@pytest.mark.parametrize(
    "name", ["resnet9-cifar10", "resnet18-tinyimagenet", "vgg19-cifar100", "mobilenet-v2-imagenet"]
)
def test_a_convolutional_network_stashes_what_autograd_saves_of_it(name):
    """A ReLU saves its result, not its operand, and a normalisation its operand and two statistics, in both."""
    torch_saves, graph_saves = both(name)
    assert torch_saves == graph_saves


def test_attention_differs_by_what_torch_fuses():
    """On a CPU torch runs attention as one kernel: it saves the queries, keys and values where they lie (one storage a
    block, 2 x 65 x 1152) and a logarithm a row (2 x 6 x 65). The graph holds attention as its products: scaled copies
    of queries and keys, a copy of the values (2 x 65 x 384 each), and the probabilities (2 x 6 x 65 x 65)."""
    torch_saves, graph_saves = both("vit-cifar10")
    assert torch_saves - graph_saves == Counter({2 * 65 * 1152: 12, 2 * 6 * 65: 12})
    assert graph_saves - torch_saves == Counter({2 * 65 * 384: 36, 2 * 6 * 65 * 65: 12})
