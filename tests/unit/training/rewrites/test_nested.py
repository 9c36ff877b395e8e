"""Networks within another share its first channels, and train nothing else of it."""

import numpy as np
import torch
from bisparse.training.rewrites.in_torch.nested import Nested
from bisparse.training.rewrites.keep import Keep
from torch import nn

from .conftest import captured


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def nested(model: nn.Module, ratio: float) -> Nested:
    graph = captured(lambda: model, (6,), loss="cross-entropy")
    return Nested(model, graph, Keep(kind="keep", neurons=ratio, chosen_by="first"))


def test_a_nested_network_computes_with_prefixes_of_the_shared_weights() -> None:
    model = small()
    one, inputs = nested(model, 0.5), torch.randn(5, 6)
    first, second = (each.detach().numpy() for each in (model[0].weight, model[2].weight))
    hidden = np.maximum(inputs.numpy() @ first[:4].T + model[0].bias.detach().numpy()[:4], 0)
    by_hand = hidden @ second[:, :4].T + model[2].bias.detach().numpy()
    np.testing.assert_allclose(one(inputs).detach().numpy(), by_hand, rtol=1e-5, atol=1e-6)
    assert one.weights == 4 * 6 + 4 + 3 * 4 + 3


def test_its_gradients_are_of_its_own_weights_alone() -> None:
    model = small()
    nested(model, 0.25)(torch.randn(5, 6)).square().sum().backward()
    gradient = model[0].weight.grad
    assert gradient is not None
    assert bool(gradient[:2].any())
    assert not bool(gradient[2:].any())
    assert not bool(model[2].weight.grad[:, 2:].any())


def test_it_follows_the_shared_weights_as_they_change() -> None:
    model = small()
    one, inputs = nested(model, 0.5), torch.randn(5, 6)
    before = one(inputs).detach()
    with torch.no_grad():
        model[0].weight[:4] *= 2
        model[0].bias[:4] *= 2
        model[0].weight[4:] = 7
    after = one(inputs).detach() - model[2].bias
    torch.testing.assert_close(after, 2 * (before - model[2].bias))


def test_running_statistics_are_its_own() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    graph = captured(lambda: model, (1, 6, 6), loss="cross-entropy")
    one = Nested(model, graph, Keep(kind="keep", channels=0.5, chosen_by="first"))
    before = model[1].running_mean.clone()
    one(torch.randn(3, 1, 6, 6))
    assert torch.equal(model[1].running_mean, before)
    assert one.state_dict()["1.running_mean"].shape == (2,)
    assert bool(one.state_dict()["1.running_mean"].any())
