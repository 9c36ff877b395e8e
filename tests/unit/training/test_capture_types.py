"""A network in 16 bits takes inputs in 16 bits and costs what it costs in 32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from bisparse.training.input_shape import InputShape, parse_input_shape
from torch import nn
from torch.nn import functional


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 4))


def captured(module, *inputs):
    return capture(module, inputs, name="net", default_batch=4, source="a test")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_a_network_changes_nothing_of_its_step(dtype):
    assert captured(network().to(dtype), "3x8x8") == captured(network(), "3x8x8")


def test_an_input_of_another_type_is_cast_for_nothing():
    class Mixed(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.layer = nn.Linear(8, 8)
            self.norm = nn.LayerNorm(8)
            self.inner = inner

        def forward(self, x):
            y = self.layer(x.to(self.layer.weight.dtype))
            return self.layer(self.norm(y.to(self.inner)).to(y.dtype))

    plain = captured(Mixed(torch.float32), "8")
    mixed = Mixed(torch.float32)
    mixed.layer.to(torch.bfloat16)
    assert captured(mixed, "8:fp32") == captured(mixed, "8") == plain


def test_a_change_from_integers_is_a_pass():
    class FromIntegers(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x):
            return self.layer(x.float())

    assert captured(FromIntegers(), "8:int").operators[0].kind == "copy"


def test_what_is_written_over_a_cast_does_not_change_its_source():
    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            wide = self.layer(x)
            narrow = wide.detach().to(torch.bfloat16)
            narrow.add_(1)
            return wide + narrow.float()

    graph = captured(Written(), "8")
    first, second = (operator for operator in graph.operators if operator.kind == "add")
    assert second.inputs[0] == first.inputs[0]
    assert second.inputs[1] == first.outputs[0]


def test_one_number_a_sample():
    class Conditioned(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(8, 4)

        def forward(self, x, label):
            return functional.cross_entropy(self.head(x), label)

    graph = captured(Conditioned(), "8", ":int")
    assert len(graph.tensors["input.1"].shape) == 1
    assert graph.tensors["input.1"].integer


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("3x8:bf16", InputShape((3, 8), precision="bf16")),
        (":int", InputShape((), integer=True)),
        (":fp16", InputShape((), precision="fp16")),
    ],
)
def test_a_type_is_read_and_written_alike(text, shape):
    assert parse_input_shape(text) == shape
    assert str(shape) == text


@pytest.mark.parametrize("text", ["", "x", "3x", "3:fp8", "0", "3:", ":"])
def test_what_is_no_input_is_refused(text):
    with pytest.raises(CaptureError, match=r"need positive extents .* its type \(int, fp32, fp16, bf16\)"):
        parse_input_shape(text)


def test_integers_have_no_floating_type():
    given = InputShape((4,), precision="bf16")
    graph = capture(
        nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2)),
        given,
        name="n",
        default_batch=1,
        source="",
        integer_inputs=True,
    )
    assert graph == capture(
        nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2)),
        replace(given, integer=True, precision=None),
        name="n",
        default_batch=1,
        source="",
    )
