"""SliceGPT on a module: bases by the covariance of the stream, what stays of weights, and what it then computes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.capture import capture
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.rewrites.in_torch import Calibration
from bisparse.training.rewrites.in_torch.sliced_stream import slice_stream
from bisparse.training.rewrites.keep import Keep
from bisparse.training.rewrites.rotations import Rotations
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, TOKENS = 16, 24


class Untied(Gpt2):
    """A GPT with a head of its own, as the entry needs."""

    def __init__(self):
        super().__init__(vocabulary=40, longest=TOKENS, width=WIDTH, depth=1, heads=2, dropout=0.0)
        self.head = nn.Linear(WIDTH, 40, bias=False)

    def forward(self, tokens):
        features = self.token_embedding(tokens) + self.position_embedding(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(features)))


def take(model):
    return capture(model, f"{TOKENS}:int", name="net", default_batch=2, source="test", loss="token-cross-entropy")


def learned(made=Untied):
    torch.manual_seed(0)
    model = made()
    with torch.no_grad():
        for name, each in model.named_parameters():
            each.copy_(torch.randn_like(each) * 0.4 + (1.0 if "norm" in name and "weight" in name else 0.0))
    return model.eval()


def looked_at():
    torch.manual_seed(1)
    batches = [(torch.randint(0, 40, (4, TOKENS)), torch.randint(0, 40, (4, TOKENS))) for _ in range(2)]
    return Calibration(
        batches=batches, loss=lambda model, x, y: functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
    )


def sliced(model, ratio, calibration):
    entries = [Rotations(kind="rotations"), Keep(kind="keep", channels=ratio)]
    return slice_stream(model, entries, take(model), calibration, take)


def root_mean_square(x):
    return x / np.sqrt((x**2).sum(-1, keepdims=True) / WIDTH + 1e-5)


def test_a_sliced_stream_computes_what_plain_numpy_makes_of_its_bases():
    model, calibration, kept = learned(), looked_at(), 12
    narrow = sliced(model, kept / WIDTH, calibration).double()
    p = {name: each.detach().double().numpy() for name, each in model.named_parameters()}

    seen, block = {}, model.blocks[0]
    for number, norm in enumerate((block.norm1, block.norm2, model.norm)):
        norm.register_forward_pre_hook(lambda _, given, at=number: seen.setdefault(at, []).append(given[0].detach()))
    with torch.no_grad():
        for tokens, _ in calibration.batches:
            model(tokens)
    bases = []
    for number in range(3):
        x = torch.cat(seen[number]).double().numpy().reshape(-1, WIDTH)
        x = x - x.mean(1, keepdims=True)
        bases.append(np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :kept])

    def written(weight, bias, basis):
        return basis.T @ (weight - weight.mean(0)), basis.T @ (bias - bias.mean())

    def read(weight, bias, norm, basis):
        shift = weight @ p[f"{norm}.bias"]
        return (weight * p[f"{norm}.weight"]) @ basis, shift if bias is None else bias + shift

    tokens = calibration.batches[0][0][:1]
    x = p["token_embedding.weight"][tokens[0]] + p["position_embedding.weight"]
    x = (x - x.mean(1, keepdims=True)) @ bases[0]
    path = "blocks.0.attention."
    weight, bias = read(
        p[f"{path}query_key_value.weight"], p[f"{path}query_key_value.bias"], "blocks.0.norm1", bases[0]
    )
    packed = root_mean_square(x) @ weight.T + bias
    query, key, value = np.moveaxis(packed.reshape(TOKENS, 3, 2, 8), (1, 2), (0, 1))
    scores = np.where(np.tril(np.ones((TOKENS, TOKENS), bool)), query @ key.swapaxes(1, 2) / np.sqrt(8), -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = ((shares / shares.sum(-1, keepdims=True)) @ value).swapaxes(0, 1).reshape(TOKENS, WIDTH)
    weight, bias = written(p[f"{path}projection.weight"], p[f"{path}projection.bias"], bases[1])
    x = x @ bases[0].T @ bases[1] + mixed @ weight.T + bias
    path = "blocks.0.feed_forward."
    weight, bias = read(p[f"{path}0.weight"], p[f"{path}0.bias"], "blocks.0.norm2", bases[1])
    hidden = root_mean_square(x) @ weight.T + bias
    hidden = functional.gelu(torch.from_numpy(hidden), approximate="tanh").numpy()
    weight, bias = written(p[f"{path}2.weight"], p[f"{path}2.bias"], bases[2])
    x = x @ bases[1].T @ bases[2] + hidden @ weight.T + bias
    weight, bias = read(p["head.weight"], None, "norm", bases[2])
    wanted = root_mean_square(x) @ weight.T + bias

    with torch.no_grad():
        found = narrow(tokens)[0].numpy()
    assert np.allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    assert narrow.get_parameter("blocks.0.rotation_2.weight").shape == (kept, kept)


def test_all_channels_in_turned_bases_compute_what_the_network_did():
    model, calibration = learned(), looked_at()
    before = copy.deepcopy(model)
    turned = sliced(model, 1.0, calibration)
    tokens = calibration.batches[0][0]
    with torch.no_grad():
        assert torch.allclose(turned(tokens), before(tokens), atol=1e-3)
        assert torch.equal(model(tokens), before(tokens)), "the model is as it was"


def test_a_head_that_is_the_embedding_is_refused():
    model = learned(lambda: Gpt2(vocabulary=40, longest=TOKENS, width=WIDTH, depth=1, heads=2, dropout=0.0))
    with pytest.raises(ConfigError, match="computes otherwise in turned bases, need"):
        sliced(model, 0.75, looked_at())
