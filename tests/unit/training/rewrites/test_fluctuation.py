"""FLAP's score and its compensation of biases, against their definitions in plain numpy."""

import numpy
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.rewrites.in_torch import Calibration, rewrite_module
from bisparse.training.rewrites.keep import Keep
from torch import nn
from torch.nn import functional

from .conftest import captured
from .test_adapters_in_torch import as_numpy

pytestmark = pytest.mark.usefixtures("one_thread")

ENTRY = Keep(kind="keep", neurons=0.5, chosen_by="fluctuation", compensated=True)


def network(bias=True):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 6, bias=bias))


def looked_at(_=0):
    torch.manual_seed(1)
    batches = [(torch.randn(5, 8), torch.randint(0, 6, (5,))) for _ in range(3)]
    return Calibration(batches=batches, loss=lambda model, x, y: functional.cross_entropy(model(x), y))


def test_what_fluctuates_least_goes_and_its_mean_is_added_to_the_biases_behind_it():
    model = network()
    first, bias, second, behind = map(as_numpy, model.parameters())
    rewrite_module(model, [ENTRY], captured(lambda: model, (8,)), looked_at)
    x = numpy.concatenate([as_numpy(inputs) for inputs, _ in looked_at().batches])
    hidden = numpy.maximum(x @ first.T + bias, 0)
    score = hidden.var(0, ddof=1) * (second**2).sum(0)
    kept = numpy.sort(numpy.argsort(-score)[:6])
    gone = numpy.setdiff1d(numpy.arange(12), kept)
    numpy.testing.assert_array_equal(as_numpy(model[0].weight), first[kept])
    numpy.testing.assert_array_equal(as_numpy(model[2].weight), second[:, kept])
    wanted = behind + second[:, gone] @ hidden[:, gone].mean(0)
    numpy.testing.assert_allclose(as_numpy(model[2].bias), wanted, rtol=1e-5)
    output = hidden @ second.T + behind
    found = as_numpy(model(torch.from_numpy(x)))
    numpy.testing.assert_allclose(
        found.mean(0), output.mean(0), atol=1e-5, err_msg="it keeps the mean of what it gives"
    )


def test_a_layer_that_loses_inputs_needs_a_bias_and_batches():
    model = network(bias=False)
    with pytest.raises(ConfigError, match=r"rewrites.0.compensated: got 2, which loses inputs and has no bias"):
        rewrite_module(model, [ENTRY], captured(lambda: model, (8,)), looked_at)
    with pytest.raises(ConfigError, match=r"rewrites.0.compensated: got it, need batches to look at"):
        rewrite_module(network(), [ENTRY.model_copy(update={"chosen_by": "magnitude"})], captured(network, (8,)))
    with pytest.raises(ValueError, match="compensated: got true without chosen_by"):
        Keep(kind="keep", neurons=0.5, compensated=True)
