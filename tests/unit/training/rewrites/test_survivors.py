"""What survives when a trained module becomes narrower: which slices, by which score, and what it computes then."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bisparse.configs.errors import ConfigError
from bisparse.training.models.gpt2 import Gpt2
from bisparse.training.models.mobilenet_v2 import mobilenet_v2
from bisparse.training.models.resnet import resnet18_tinyimagenet
from bisparse.training.models.vit import VisionTransformer
from bisparse.training.rewrites.in_torch import Calibration, Widths, carry, coupled_slices, ranked_ratios
from bisparse.training.rewrites.keep import Keep
from torch import nn
from torch.nn import functional

from .by_hand import Attention, Concatenated, LanguageModel, Upsampled, scaled
from .conftest import Residual, captured
from .test_keep import assert_same

pytestmark = pytest.mark.usefixtures("one_thread")

TOKENS, IMAGE = "24:int", (3, 16, 16)
NETWORKS = {
    "resnet": (lambda: scaled(resnet18_tinyimagenet(), 0.125), IMAGE, {"channels": 0.7}),
    "mobilenet": (
        lambda: nn.Sequential(*mobilenet_v2().features[:4], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)),
        IMAGE,
        {"channels": 0.5},
    ),
    "concatenated": (Concatenated, (3, 20, 20), {"channels": 0.5}),
    "upsampled": (Upsampled, (3, 20, 20), {"channels": 0.5}),
    "vit": (
        lambda: VisionTransformer(image=16, patch=4, width=32, depth=2, heads=4, classes=10),
        IMAGE,
        {"heads": 0.5, "neurons": 0.45},
    ),
    "gpt": (
        lambda: Gpt2(vocabulary=64, longest=24, width=32, depth=2, heads=4),
        TOKENS,
        {"heads": 0.5, "neurons": 0.4, "layers": 0.5, "channels": 0.75},
    ),
    "language model": (
        lambda: LanguageModel(width=36, groups=4, shared=3, size=10, neurons=88, depth=2),
        TOKENS,
        {"heads": 0.5, "neurons": 0.5, "channels": 0.75},
    ),
}
"""Modules anew, the shape of their input, and what is kept: half of their multiplications, or less."""


def loss_of(model, inputs, targets):
    return functional.cross_entropy(model(inputs).flatten(0, -2), targets.flatten())


def batches_of(model, shape, count=1):
    torch.manual_seed(1)
    batches = []
    for _ in range(count):
        inputs = torch.randint(0, 64, (4, 24)) if shape == TOKENS else torch.randn(4, *shape)
        outputs = model(inputs)
        batches.append((inputs, torch.randint(0, outputs.shape[-1], outputs.shape[:-1])))
    return Calibration(batches=batches, loss=loss_of)


def trained(make):
    """A module whose vectors and statistics are not those that it began with."""
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for each in (*model.parameters(), *model.buffers()):
            if each.is_floating_point() and each.dim() == 1:
                each.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_the_narrower_module_runs_and_is_the_rewritten_graph_in_every_operator(name):
    """The proof that its outputs are those of the whole one, with zeros for what went, is part of it."""
    make, shape, asked = NETWORKS[name]
    model = trained(make)
    graph = captured(lambda: model, shape)
    entry = Keep(kind="keep", chosen_by="magnitude", **asked)
    Widths.of(model, graph).narrow(model, entry, calibration=batches_of(model, shape))
    planned = entry.rewrite(graph, deployed=False).graph
    assert planned.macs(4) <= 0.52 * graph.macs(4)
    assert_same(planned, captured(lambda: model, shape))
    loss_of(model, *batches_of(model, shape).batches[0]).backward()
    assert all(each.grad is not None for each in model.parameters())


def test_a_module_that_reads_channels_in_another_order_than_it_makes_them_is_refused():
    """Sizes do not tell it."""

    class Turned(nn.Module):
        def forward(self, x):
            return x.flip(1)

    def make():
        return nn.Sequential(nn.Conv2d(3, 8, 3), Turned(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, 5))

    model = trained(make)
    graph, looked_at = captured(lambda: model, (3, 8, 8)), batches_of(model, (3, 8, 8))
    entry = Keep(kind="keep", channels={"0": 0.5}, chosen_by="first")
    with pytest.raises(ConfigError, match="computes otherwise once what goes is zero"):
        Widths.of(model, graph).narrow(model, entry, calibration=looked_at)


def test_heads_are_found_however_they_are_packed():
    """Query, key and value of a head side by side: as many rows as one after the other, in another order."""

    class Interleaved(Attention):
        def forward(self, x):
            packed = self.packed(x).view(*x.shape[:2], -1, 3, 5)
            query, key, value = packed.permute(3, 0, 2, 1, 4).unbind(0)
            mixed = functional.scaled_dot_product_attention(query, key, value)
            return self.projection(mixed.transpose(1, 2).reshape(*x.shape[:2], -1))

    model = trained(lambda: nn.Sequential(nn.Embedding(64, 22), Interleaved(22, 4, 5), nn.Linear(22, 64)))
    graph, packed = captured(lambda: model, TOKENS), model[1].packed.weight.detach()
    Widths.of(model, graph).narrow(
        model, Keep(kind="keep", heads=0.5, chosen_by="first"), calibration=batches_of(model, TOKENS)
    )
    assert torch.equal(model[1].packed.weight, packed[:30])


@pytest.mark.parametrize("score", ["magnitude", "taylor", "saliency", "activation", "scale"])
def test_scores_are_what_they_are_defined_as(score):
    """Of the channels of a residual stream: all that is added up to it, all that reads it."""
    model = trained(Residual)
    graph, looked_at = captured(lambda: model, (3, 8, 8)), batches_of(model, (3, 8, 8), 2)
    stream = {  # of each tensor, the axes that the stream is
        "stem.weight": (0,), "stem.bias": (0,), "first.weight": (0, 1), "norm.weight": (0,), "norm.bias": (0,),
        "second.weight": (0, 1), "second.bias": (0,), "down.weight": (1,),
    }  # fmt: skip
    weights = {name: each.detach().double() for name, each in model.named_parameters()}
    gradients = {name: torch.zeros_like(each) for name, each in weights.items()}
    read = {}
    for path in ("first", "second", "down"):
        model.get_submodule(path).register_forward_pre_hook(
            lambda _, given, path=path: read.setdefault(path, []).append(given[0].detach().double())
        )
    model.eval()
    for batch in looked_at.batches:
        model.zero_grad()
        loss_of(model, *batch).backward()
        for name, each in model.named_parameters():
            gradients[name] += each.grad.double()
    model.train()
    norms = {path: np.sqrt(sum(x.square().sum((0, 2, 3)) for x in each).numpy()) for path, each in read.items()}
    wanted = np.zeros(8)
    for name, axes in stream.items():
        w, g = weights[name].numpy(), gradients[name].numpy()
        of = {"magnitude": w**2, "taylor": w * g, "saliency": abs(w * g)}.get(score, abs(w))
        for axis in axes:
            along = np.moveaxis(of, axis, 0).reshape(8, -1).sum(1)
            reads = name.endswith("weight") and axis == 1
            counts = {"activation": reads, "scale": name == "norm.weight"}.get(score, True)
            wanted += counts * along * (norms[name.split(".")[0]] if score == "activation" and reads else 1)
    wanted = abs(wanted)
    entry = Keep(kind="keep", channels={"stem": 0.375}, chosen_by=score)
    kept = sorted(np.argsort(-wanted)[:3])
    Widths.of(model, graph).narrow(model, entry, calibration=looked_at)
    np.testing.assert_array_equal(model.stem.weight.detach(), weights["stem.weight"][kept].float())
    np.testing.assert_array_equal(model.first.weight.detach(), weights["first.weight"][kept][:, kept].float())
    assert model.down.weight.shape == (16, 3, 3, 3)
    np.testing.assert_array_equal(model.norm.running_var.shape, (3,))


def test_a_group_names_every_slice_of_its_members():
    model = trained(Residual)
    stream, branch = coupled_slices(model, captured(lambda: model, (3, 8, 8)))[:2]
    assert {each.tensor for each in stream.slices} >= {"norm.running_mean", "norm.running_var", "norm.weight"}
    assert stream.name == "stem"
    assert branch.name == "down"
    ones = {name: torch.ones_like(each) for name, each in model.named_parameters()}
    # Rows and columns: of stem 27 and a bias, of first and second 144 each, norm 2, of second a bias, of down 144.
    assert stream.summed(ones).tolist() == [28 + 288 + 3 + 144] * 8


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_the_optimizer_goes_on_with_what_stays(optimizer):
    model = trained(Residual)
    graph = captured(lambda: model, (3, 8, 8))
    momentum = {"momentum": 0.9} if optimizer is torch.optim.SGD else {}
    holder = optimizer(model.parameters(), lr=1e-2, **momentum)
    looked_at = batches_of(model, (3, 8, 8))
    loss_of(model, *looked_at.batches[0]).backward()
    holder.step()
    before = {name: holder.state[each] for name, each in model.named_parameters()}
    entry = Keep(kind="keep", channels={"stem": 0.5}, chosen_by="first")
    carry(holder, Widths.of(model, graph).narrow(model, entry, calibration=looked_at))
    held = {id(each) for group in holder.param_groups for each in group["params"]}
    assert held == {id(each) for each in model.parameters()}
    for name, each in model.named_parameters():
        for key, value in holder.state[each].items():
            cut = before[name][key]
            if isinstance(cut, torch.Tensor) and cut.dim():
                for axis, size in enumerate(each.shape):
                    cut = cut.narrow(axis, 0, size)
            assert value is cut if cut is None else torch.equal(torch.as_tensor(value), torch.as_tensor(cut))
    loss_of(model, *looked_at.batches[0]).backward()
    holder.step()


def test_survivors_of_several_steps_are_those_of_the_first_network():
    model = trained(Residual)
    whole = model.stem.weight.detach().clone()
    widths, looked_at = Widths.of(model, captured(lambda: model, (3, 8, 8))), batches_of(model, (3, 8, 8))
    for ratio in (0.75, 0.5):
        entry = Keep(kind="keep", channels={"stem": ratio}, chosen_by="random")
        widths.narrow(model, entry, calibration=looked_at, seed=int(8 * ratio))
    left = widths.places["stem.weight"][0]
    assert len(left) == 4
    assert torch.equal(model.stem.weight, whole[left])
    with pytest.raises(ConfigError, match="channels: got 6 of stem, need at most the 4 that are left"):
        widths.narrow(model, Keep(kind="keep", channels={"stem": 0.75}, chosen_by="first"), calibration=looked_at)


def test_ranked_in_one_list_every_layer_has_a_ratio_of_its_own():
    """Scores over the mean of their layer; of what a layer would lose whole one member stays."""
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 3))
    with torch.no_grad():
        for each in model.parameters():
            each.zero_()
        model[0].bias.copy_(torch.tensor([9.0, 1, 1, 1, 1, 1, 1, 1]))
        model[2].bias.copy_(torch.tensor([300.0, 300, 200, 200]))
    graph = captured(lambda: model, (5,))
    # Over their means, 2 and 250: 4.5 and seven of 0.5; 1.2, 1.2, 0.8, 0.8.
    assert ranked_ratios(model, graph, "neurons", 0.25, "magnitude") == {"0": 1 / 8, "2": 0.5}
    assert ranked_ratios(model, graph, "neurons", 0.42, "magnitude") == {"0": 1 / 8, "2": 1.0}
    assert ranked_ratios(model, graph, "neurons", 0.05, "magnitude") == {"0": 1 / 8, "2": 0.25}
    entry = Keep(kind="keep", neurons=ranked_ratios(model, graph, "neurons", 0.25, "magnitude"), chosen_by="magnitude")
    Widths.of(model, graph).narrow(model, entry)
    assert [model[0].bias.tolist(), model[2].bias.tolist()] == [[9.0], [300.0, 300.0]]


@pytest.mark.parametrize(
    ("score", "message"),
    [("taylor", "need batches to look at"), ("scale", "got scale of down, need a batch normalisation")],
)
def test_a_choice_that_cannot_be_made_is_refused(score, message):
    model = trained(Residual)
    widths = Widths.of(model, captured(lambda: model, (3, 8, 8)))
    with pytest.raises(ConfigError, match=message):
        widths.narrow(model, Keep(kind="keep", channels={"down": 0.5}, chosen_by=score))
