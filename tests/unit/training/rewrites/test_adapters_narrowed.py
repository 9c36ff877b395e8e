"""A network that becomes narrower while adapters learn: what is chosen by their gradients and masks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.rewrites.adapters import Adapters
from bisparse.training.rewrites.apply import rewritten
from bisparse.training.rewrites.in_torch import Calibration, Widths, check_rewritten, rewrite_captured
from bisparse.training.rewrites.in_torch.beside import merge_adapter, shrink_gates
from bisparse.training.rewrites.keep import Keep
from torch.nn import functional

from .conftest import captured

pytestmark = pytest.mark.usefixtures("one_thread")

BESIDE = Adapters(kind="adapters", rank=3, layers=("*blocks.*",))
BEHIND = Adapters(
    kind="adapters",
    rank=3,
    position="behind",
    mask={"penalty": 0.5},
    layers=("*.attention.projection", "*.feed_forward.2"),
)
TOKENS = "24:int"


def network():
    torch.manual_seed(0)
    return Gpt2(vocabulary=40, longest=24, width=32, depth=1, heads=4, dropout=0.0)


def adapted(entry):
    """A GPT with adapters that have learned something, and graphs of it without them and with them."""
    model = network()
    graph = captured(model, TOKENS)
    with_adapters = rewrite_captured(model, [entry], lambda: captured(model, TOKENS), graph)
    for name, each in model.named_parameters():
        if "adapter" in name:
            torch.nn.init.normal_(each, std=0.2)
    return model, graph, with_adapters


def looked_at(model):
    torch.manual_seed(1)
    batches = [(torch.randint(0, 40, (2, 24)), torch.randint(0, 40, (2, 24))) for _ in range(2)]
    return Calibration(
        batches=batches, loss=lambda model, x, y: functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
    )


def estimated(model, calibration, layer):
    """(w dL/dw)^2 of a layer's weight, dL/dw told from the gradients of its factors, in numpy."""
    model.zero_grad()
    for inputs, targets in calibration.batches:
        calibration.loss(model, inputs, targets).backward()
    module = model.get_submodule(layer)
    a, b = (module.get_submodule(name).weight for name in ("adapter_a", "adapter_b"))
    a_gradient, b_gradient, down, up = (each.detach().numpy() for each in (a.grad, b.grad, a, b))
    gradient = b_gradient @ down + up @ a_gradient - b_gradient @ a_gradient
    return (gradient * (module.weight.detach().numpy() + up @ down)) ** 2


def test_heads_and_neurons_stay_by_the_gradients_of_their_adapters_factors():
    model, graph, with_adapters = adapted(BESIDE)
    before, calibration = copy.deepcopy(model), looked_at(model)
    entry = Keep(kind="keep", heads=0.5, neurons=0.25, chosen_by="adapters", batches=2)
    Widths.of(model, with_adapters).narrow(model, entry, calibration=calibration)
    path = "blocks.0."
    packed = estimated(before, calibration, f"{path}attention.query_key_value").reshape(3, 4, 8, 32)
    read = estimated(before, calibration, f"{path}attention.projection").reshape(32, 4, 8)
    heads = np.sort(np.argsort(-(packed.sum((0, 2, 3)) + read.sum((0, 2))))[:2])
    made = estimated(before, calibration, f"{path}feed_forward.0").sum(1)
    neurons = np.sort(np.argsort(-(made + estimated(before, calibration, f"{path}feed_forward.2").sum(0)))[:32])
    old = before.get_submodule(f"{path}attention.projection")
    new = model.get_submodule(f"{path}attention.projection")
    for mine, theirs in ((new.weight, old.weight), (new.adapter_a.weight, old.adapter_a.weight)):
        wanted = theirs.detach().numpy().reshape(-1, 4, 8)[:, heads].reshape(len(theirs), -1)
        assert np.array_equal(mine.detach().numpy(), wanted)
    first, was = model.get_submodule(f"{path}feed_forward.0"), before.get_submodule(f"{path}feed_forward.0")
    assert np.array_equal(first.weight.detach().numpy(), was.weight.detach().numpy()[neurons])
    assert np.array_equal(first.adapter_b.weight.detach().numpy(), was.adapter_b.weight.detach().numpy()[neurons])
    assert first.adapter_a.weight.shape == (3, 32), "its rank is what the entry says"
    check_rewritten(captured(model, TOKENS), rewritten(graph, [entry, BESIDE], deployed=False))
    learning = {name for name, each in model.named_parameters() if each.requires_grad}
    assert learning == {name for name, each in before.named_parameters() if each.requires_grad}


def test_channels_of_the_stream_stay_by_the_masks_behind_all_halves():
    model, graph, with_adapters = adapted(BEHIND)
    before = copy.deepcopy(model)
    masks = [each.detach().numpy() for name, each in before.named_parameters() if name.endswith("adapter_mask")]
    stays = np.sort(np.argsort(-np.abs(masks).sum(0))[:24])
    entry = Keep(kind="keep", channels=0.75, chosen_by="adapter-masks")
    Widths.of(model, with_adapters).narrow(model, entry, calibration=looked_at(model))
    assert len(masks) == 2
    assert np.array_equal(
        model.token_embedding.weight.detach().numpy(), before.token_embedding.weight.detach().numpy()[:, stays]
    )
    check_rewritten(captured(model, TOKENS), rewritten(graph, [entry, BEHIND], deployed=False))


def test_a_mask_is_merged_into_rows_with_the_adapter_before_it():
    model, _, _ = adapted(BEHIND)
    tokens = torch.randint(0, 40, (2, 24))
    layer = model.get_submodule("blocks.0.feed_forward.2")
    a, b, m = (each.detach().numpy() for each in (layer.adapter_a.weight, layer.adapter_b.weight, layer.adapter_mask))
    weight = layer.weight.detach().numpy().copy()
    with torch.no_grad():
        wanted = model(tokens)
        for module in list(model.modules()):
            merge_adapter(module)
        assert torch.allclose(model(tokens), wanted, atol=1e-5)
    assert np.allclose(layer.weight.detach().numpy(), m[:, None] * (weight + b @ (a @ weight)), atol=1e-6)
    assert not [name for name, _ in model.named_parameters() if "adapter" in name]


def test_numbers_of_a_mask_fall_to_zero_by_their_penalty():
    model, _, _ = adapted(BEHIND)
    layers = [model.get_submodule("blocks.0.feed_forward.2")]
    before = layers[0].adapter_mask.detach().numpy().copy()
    shrink_gates(layers, torch.optim.SGD(model.parameters(), lr=0.1), None)
    wanted = np.sign(before) * np.maximum(np.abs(before) - 0.1 * 0.5, 0)
    assert np.allclose(layers[0].adapter_mask.detach().numpy(), wanted, atol=1e-7)
    assert (wanted == 0).any()


@pytest.mark.parametrize(("chosen_by", "needs"), [("adapters", "a linear layer"), ("adapter-masks", "adapters behind")])
def test_a_network_without_adapters_is_not_chosen_by_them(chosen_by, needs):
    model = network()
    graph = captured(model, TOKENS)
    entry = Keep(kind="keep", channels=0.5, chosen_by=chosen_by)
    with pytest.raises(ConfigError, match=f"need {needs}"):
        Widths.of(model, graph).narrow(model, entry, calibration=looked_at(model))
