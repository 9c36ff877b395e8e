"""Networks exported as ONNX files, and what is captured of them."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx")

from bisparse.training.capture import capture_path, find_source  # noqa: E402
from bisparse.training.capture_request import CaptureRequest  # noqa: E402
from bisparse.training.graph import Stage  # noqa: E402


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(144, 30), nn.Tanh(), nn.Linear(30, 10),
    )  # fmt: skip


class Residual(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU()
        self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip


def mobilenet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8),
        nn.Hardswish(), nn.Conv2d(8, 24, 1), nn.BatchNorm2d(24), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(24, 10),
    )  # fmt: skip


def vgg():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 32), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(32, 10),
    )  # fmt: skip


def perceptron():
    return nn.Sequential(
        nn.Linear(20, 32), nn.LayerNorm(32), nn.LeakyReLU(), nn.Linear(32, 16), nn.ELU(), nn.Linear(16, 1)
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU())
        self.deep = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.refine = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(16, 8, 3, 2, 1))
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        shallow = self.down(x)
        return self.head(self.refine(torch.cat([shallow, self.up(self.deep(shallow))], 1)))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(50, 16), nn.Embedding(12, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.1)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(16, 50)
        for each in self.parameters():
            # Exporters keep equal weights once, as no trained network has them.
            nn.init.normal_(each, std=0.2)

    def forward(self, x):
        places = torch.arange(x.shape[1], device=x.device)
        return self.head(self.layers(self.tokens(x) + self.places(places)))


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 17, 16))
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.mlp = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        batch, tokens, width = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, tokens, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        attended = ((q * (width // 2) ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
        x = x + self.out(attended.transpose(1, 2).reshape(batch, tokens, width))
        return self.head((x + self.mlp(x))[:, 0])


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(12, 16, batch_first=True), nn.Linear(16, 5)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.head(output[:, -1])


def generator():
    return nn.Sequential(
        nn.Linear(16, 8 * 16), nn.BatchNorm1d(128), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)),
        nn.ConvTranspose2d(8, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 3, 2, 1, output_padding=1), nn.Tanh(),
    )  # fmt: skip


TOKENS = torch.arange(24).reshape(2, 12) % 50


NETWORKS = {
    "lenet": (lenet, (1, 20, 20)),
    "resnet": (resnet, (3, 16, 16)),
    "mobilenet": (mobilenet, (3, 16, 16)),
    "vgg": (vgg, (3, 16, 16)),
    "perceptron": (perceptron, (20,)),
    "unet": (UNet, (3, 16, 16)),
    "encoder": (Encoder, "12:int"),
    "vit": (ViT, (3, 16, 16)),
    "lstm": (Recurrent, (4, 12)),
    "gan generator": (generator, (16,)),
}


def sample_of(shape):
    return TOKENS if isinstance(shape, str) else torch.randn(2, *shape)


def export(module, shape, file: Path, *, training: bool = False, fixed: bool = False) -> Path:
    module.train(training)
    mode = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (sample_of(shape),),
            str(file),
            dynamo=False,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes=None if fixed else {"x": {0: "batch"}, "y": {0: "batch"}},
            training=mode.TRAINING if training else mode.EVAL,
            do_constant_folding=not training,
        )
    return file


@functools.cache
def network(name: str) -> tuple[nn.Module, object]:
    torch.manual_seed(0)
    build, shape = NETWORKS[name]
    return build(), shape


def captured(file: Path, *, batch: int = 8, cache=None, **asked):
    found = find_source(str(file))
    return capture_path(
        str(file),
        found.inputs,
        name=found.name,
        default_batch=batch,
        source="a test",
        request=CaptureRequest(**asked),
        found=found,
        cache=cache,
    )


def products(graph):
    return Counter((each.stage, each.geometry) for each in graph.operators if each.geometry is not None)


def macs(graph):
    return {stage: graph.macs(8, stage) for stage in Stage}
