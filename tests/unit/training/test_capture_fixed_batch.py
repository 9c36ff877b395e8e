"""Captures at one batch alone, inputs without a batch, dictionaries and example tensors."""

import numpy as np
import pytest
import torch
from bisparse.configs.errors import CaptureError, ConfigError
from bisparse.training.capture import capture
from bisparse.training.graph import Stage
from bisparse.training.graph_file import graph_text, load_graph
from bisparse.training.input_shape import InputShape, input_shapes, parse_input_shape
from torch import nn
from torch.nn import functional


def captured(module, *inputs, batch=4, **asked):
    return capture(module, list(inputs), name="net", default_batch=batch, source="test", **asked)


class Contrastive(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(32, 16)

    def forward(self, a, b):
        return functional.normalize(self.body(a), dim=-1) @ functional.normalize(self.body(b), dim=-1).T


def test_where_samples_meet_samples_a_batch_is_fixed():
    with pytest.raises(CaptureError, match="try --fixed-batch where samples meet samples"):
        captured(Contrastive(), (32,), (32,))
    graph = captured(Contrastive(), (32,), (32,), batch=6, fixed_batch=True)
    assert graph.fixed_batch
    assert graph.macs(6, Stage.FORWARD) == 2 * 6 * 32 * 16 + 6 * 6 * 16


def test_a_graph_of_one_batch_says_so_in_its_file_and_takes_no_other(tmp_path):
    graph = captured(Contrastive(), (32,), (32,), fixed_batch=True)
    graph.save(tmp_path / "graph.json")
    assert load_graph(tmp_path / "graph.json") == graph
    graph.check_batch(None)
    graph.check_batch(4)
    with pytest.raises(ConfigError, match="batch: got 8, need 4: net was captured at that batch alone"):
        graph.check_batch(8)
    assert "fixed_batch" not in graph_text(captured(nn.Linear(32, 8), (32,)))


class OfNodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(16, 32), nn.Linear(32, 4)

    def forward(self, nodes, edges):
        h = self.a(nodes).relu()
        return self.b(torch.zeros_like(h).index_add(0, edges[1], h[edges[0]]))


def test_inputs_without_a_batch_are_all_that_there_is():
    graph = captured(OfNodes(), "100x16:whole", "2x300:int:whole", batch=1)
    assert (graph.default_batch, graph.fixed_batch) == (1, True)
    assert graph.macs(1, Stage.FORWARD) == 100 * (16 * 32 + 32 * 4)
    with pytest.raises(CaptureError, match="got 8 for inputs that have none, need 1"):
        captured(OfNodes(), "100x16:whole", "2x300:int:whole", batch=8)


def test_at_a_batch_of_one_that_does_not_run_they_are_taken_as_they_are():
    graph = captured(OfNodes(), (100, 16), "2x300:int", batch=1)
    assert graph.notes == ("Its inputs are taken as they are: with a batch beside them it does not run.",)
    assert [each.geometry for each in graph.products] == [
        each.geometry for each in captured(OfNodes(), "100x16:whole", "2x300:int:whole", batch=1).products
    ]
    # One that runs neither way is refused for what is wrong with it.
    with pytest.raises(CaptureError, match=r"got \[1, 7\] X|got RuntimeError"):
        captured(nn.Linear(16, 4), (7,), batch=1)


def test_a_batch_beside_what_has_none():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(16, 4)

        def forward(self, x, adjacency):
            return adjacency @ self.layer(x)

    graph = captured(Mixed(), (10, 16), "10x10:whole", loss="mean")
    assert not graph.fixed_batch
    assert graph.macs(8, Stage.FORWARD) == 8 * (10 * 16 * 4 + 10 * 10 * 4)


class OfDictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(16, 8), nn.Linear(8, 4)

    def forward(self, batch, scale):
        return self.head(self.layer(batch["image"]) * scale["by"]["factor"])


def test_dictionaries_in_a_place_and_by_a_keyword():
    def products(*inputs, given=None):
        graph = capture(OfDictionary(), given or list(inputs), name="net", default_batch=4, source="test")
        return [each.geometry for each in graph.products]

    by_text = products("0.image=16", "scale.by.factor=8")
    assert by_text == products(given=[{"image": (16,)}, {"by": {"factor": (8,)}}])
    assert by_text == products(given={"batch": {"image": (16,)}, "scale": {"by": {"factor": "8"}}})
    assert len(by_text) == 5


def test_a_place_that_is_left_out_is_told():
    with pytest.raises(CaptureError, match=r"got inputs in places \[1\], need them in every place from 0 on"):
        captured(OfDictionary(), "1.image=16")


@pytest.mark.parametrize(
    ("given", "means"),
    [
        (torch.zeros(4, 3, 8, 8), InputShape((3, 8, 8), precision="fp32")),
        (torch.zeros(4, 8, dtype=torch.bfloat16), InputShape((8,), precision="bf16")),
        (torch.zeros(4, 8, dtype=torch.int64), InputShape((8,), integer=True)),
        (torch.zeros(4, 8, dtype=torch.bool), InputShape((8,), integer=True)),
        (np.zeros((4, 8), dtype=np.float16), InputShape((8,), precision="fp16")),
        (torch.zeros(4, dtype=torch.int64), InputShape((), integer=True)),
    ],
)
def test_an_example_tensor_says_its_shape_and_type(given, means):
    assert input_shapes(given) == input_shapes([given]) == (means,)
    assert input_shapes({"x": given}) == (InputShape(**{**_fields(means), "name": "x"}),)


def _fields(shape):
    return {name: getattr(shape, name) for name in ("extents", "integer", "precision", "name", "batch_axis")}


def test_a_tensor_of_one_number_has_no_samples():
    with pytest.raises(CaptureError, match="got a tensor of one number, need samples along its first axis"):
        input_shapes(torch.zeros(()))


@pytest.mark.parametrize("text", ["2x5000:int:whole", "1000x64:whole", "0.image=3x8x8", "batch.image=3x8x8:fp16"])
def test_a_shape_is_read_as_it_is_written(text):
    assert str(parse_input_shape(text)) == text


@pytest.mark.parametrize("text", ["8:whole:whole", "8:int:fp16", ".image=8", "0=8", "a..b=8", "BxB:whole", "4xB:whole"])
def test_a_shape_of_the_wrong_form(text):
    with pytest.raises(CaptureError, match="or whole where it has no batch"):
        parse_input_shape(text)
