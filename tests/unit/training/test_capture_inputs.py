"""Inputs by name, inputs whose batch is not first, caches that a first pass fills."""

import pytest
import torch
from bisparse.configs.errors import CaptureError
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.input_shape import InputShape, parse_input_shape
from torch import nn


def captured(module, *shapes):
    return capture(module, list(shapes), name="net", default_batch=4, source="test")


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 8)

    def forward(self, tokens=None, extra=None):
        return self.head(self.table(tokens) + extra[:, None])


def test_inputs_are_passed_by_their_names_in_any_order():
    one = captured(Named(), "tokens=12:int", "extra=16")
    other = captured(Named(), "extra=16", "tokens=12:int")
    by_place = captured(Named(), "12:int", "16")
    macs = {graph.macs(4, Stage.FORWARD) for graph in (one, other, by_place)}
    assert macs == {4 * 12 * 16 * 8}
    with pytest.raises(CaptureError, match="unexpected keyword argument 'token'"):
        captured(Named(), "token=12:int", "extra=16")


def test_a_batch_along_another_axis_is_the_batch():
    """Sequence first: attention is within a sample, so its products grow with the batch and not with its square."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0)
    last = captured(layer, "16xBx64")
    first = captured(nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True), "16x64")
    assert last.macs(4) == first.macs(4)
    assert last.macs(8) == 2 * last.macs(4)


def test_a_cache_that_the_first_pass_fills_is_not_work_of_a_step():
    class Cached(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.mask = nn.Linear(8, 8), None

        def forward(self, x):
            if self.mask is None:
                self.mask = torch.triu(torch.full((x.shape[1], x.shape[1]), 1.0))
            return self.head(self.mask @ x)

    graph = captured(Cached(), "6x8")
    assert graph.macs(4, Stage.FORWARD) == 4 * (6 * 6 * 8 + 6 * 8 * 8)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("16xBx64", InputShape((16, 64), batch_axis=1)),
        ("16x64xB", InputShape((16, 64), batch_axis=2)),
        ("Bx64", InputShape((64,))),
        ("input_ids=512:int", InputShape((512,), integer=True, name="input_ids")),
        ("x=4xB:bf16", InputShape((4,), precision="bf16", name="x", batch_axis=1)),
        ("t=:int", InputShape((), integer=True, name="t")),
    ],
)
def test_texts_of_inputs(text, shape):
    assert parse_input_shape(text) == shape
    assert parse_input_shape(str(shape)) == shape


@pytest.mark.parametrize("text", ["1=64", "=64", "a b=64", "BxB", "16xb", "x==4", "x=", "B=4x0", "9" * 5000])
def test_texts_that_are_no_inputs(text):
    with pytest.raises(CaptureError, match="need positive extents"):
        parse_input_shape(text)
