"""A network and its ONNX file are one training step: the same products, in the same stages."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx")

from bisparse.configs.errors import CaptureError  # noqa: E402
from bisparse.training.capture import capture, capture_path, find_source  # noqa: E402
from bisparse.training.capture_request import CaptureRequest  # noqa: E402
from bisparse.training.graph import Stage  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402


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


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_of_a_file_has_the_products_of_the_network_it_was_exported_from(tmp_path, name):
    module, shape = network(name)
    found = captured(export(module, shape, tmp_path / "net.onnx", training=True))
    wanted = capture(module, shape, name=name, default_batch=8, source="a test")
    assert products(found) == products(wanted)
    assert macs(found) == macs(wanted)
    assert found.unknown == ()
    multiplied = {each.parameter for each in found.products} - {None}
    assert multiplied == {each.parameter for each in wanted.products} - {None}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_exported_for_inference_has_the_products_and_the_values_of_its_network(tmp_path, name):
    module, shape = network(name)
    file = export(module, shape, tmp_path / "net.onnx")
    wanted = capture(module, shape, name=name, default_batch=8, source="a test", inference=True)
    assert products(captured(file, inference=True)) == products(wanted)
    trained = capture(module.eval(), shape, name=name, default_batch=8, source="a test")
    assert macs(captured(file)) == macs(trained)
    made, sample = find_source(str(file)).make().eval(), sample_of(shape)
    with torch.no_grad():
        assert torch.allclose(made(sample), module.eval()(sample), atol=1e-5)


def test_operators_and_parameters_bear_the_names_of_the_exported_modules(tmp_path):
    module, shape = network("resnet")
    graph = captured(export(module, shape, tmp_path / "net.onnx", training=True))
    convolutions = {each.module: each.parameter for each in graph.products if each.stage is Stage.FORWARD}
    assert convolutions["4.0.conv1"] == "4.0.conv1.weight"
    assert convolutions["4.1.shortcut.0"] == "4.1.shortcut.0.weight"
    assert {each.module for each in graph.operators if each.kind == "batch_norm"} >= {"1", "4.0.bn1"}


def test_a_folded_weight_is_named_after_its_layer(tmp_path):
    module, shape = network("encoder")
    graph = captured(export(module, shape, tmp_path / "net.onnx"))
    assert "layers.layers.0.linear1.weight" in {each.parameter for each in graph.products}


def test_a_file_of_one_batch_says_so(tmp_path):
    module, shape = network("vgg")
    found = find_source(str(export(module, shape, tmp_path / "net.onnx", fixed=True)))
    assert found.batch == 2
    assert [str(each) for each in found.inputs] == ["3x16x16:fp32"]


def test_zeros_of_initialisers_are_read(tmp_path):
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        module[0].weight[:, ::2] = 0
    notes = captured(export(module, (8,), tmp_path / "net.onnx")).notes
    assert any(note.startswith("50% of 0.weight are zeros that the network brings along") for note in notes)


def test_a_changed_file_is_captured_again(tmp_path):
    from bisparse.training.capture import GraphCache

    cache = GraphCache(tmp_path / "graphs")
    file = export(nn.Linear(8, 4), (8,), tmp_path / "net.onnx")
    first = captured(file, cache=cache)
    assert captured(file, cache=cache) == first
    export(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), (8,), file)
    assert products(captured(file, cache=cache)) == products(first)
    assert captured(file, cache=cache) != first


# What a file can be made of by hand.


def written(tmp_path, nodes, inputs, weights=(), outputs=("y",), *, functions=(), opset=18, name="net.onnx", **proto):
    """A file of nodes; an input is a name and its extents, with its type behind where it is no FP32."""
    declared = [
        helper.make_tensor_value_info(each, kind[0] if kind else TensorProto.FLOAT, extents)
        for each, extents, *kind in inputs
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        declared,
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs],
        [numpy_helper.from_array(np.asarray(value), each) for each, value in dict(weights).items()],
        **proto,
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("own", 1)]
    file = tmp_path / name
    onnx.save(helper.make_model(graph, opset_imports=domains, functions=list(functions), ir_version=8), file)
    return file


def weight(*extents):
    return np.random.default_rng(0).standard_normal(extents).astype(np.float32)


def node(kind, inputs, output="y", **more):
    return helper.make_node(kind, inputs, [output], **more)


PRODUCT = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")


def test_the_batch_is_the_open_extent_wherever_it_lies(tmp_path):
    nodes = [PRODUCT, helper.make_node("ReduceMean", ["mask"], ["z"])]
    inputs = [("x", [5, "batch", 8]), ("mask", ["batch", 3]), ("table", [2, 2])]
    found = find_source(str(written(tmp_path, nodes, inputs, {"w": weight(8, 4)}, ["y", "z"])))
    assert [str(each) for each in found.inputs] == ["5xBx8:fp32", "3:fp32", "2x2:fp32:whole"]
    assert found.batch is None


def test_inputs_that_a_file_leaves_open_are_told(tmp_path):
    found = find_source(str(written(tmp_path, [PRODUCT], [("x", ["batch", "length", 8])], {"w": weight(8, 4)})))
    assert found.inputs is None
    assert found.unsaid == "'x' is batchxlengthx8"


def test_initialisers_among_the_inputs_are_none(tmp_path):
    file = written(tmp_path, [PRODUCT], [("x", ["batch", 8]), ("w", [8, 4])], {"w": weight(8, 4)})
    assert [str(each) for each in find_source(str(file)).inputs] == ["8:fp32"]


def test_in_few_bits_weights_learn_as_what_they_stand_for(tmp_path):
    nodes = [
        helper.make_node("DequantizeLinear", ["w8", "scale", "zero"], ["w"], axis=1),
        helper.make_node("QuantizeLinear", ["x", "step", "middle"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "step", "middle"], ["xq"]),
        helper.make_node("MatMul", ["xq", "w"], ["y"]),
    ]
    weights = {
        "w8": np.arange(-16, 16, dtype=np.int8).reshape(8, 4),
        "scale": np.full(4, 0.5, np.float32),
        "zero": np.zeros(4, np.int8),
        "step": np.float32(0.1),
        "middle": np.uint8(128),
    }
    file = written(tmp_path, nodes, [("x", ["batch", 8])], weights, opset=19)
    graph = captured(file)
    assert [each.parameter for each in graph.products] == ["w8", "w8"]
    assert any("in few bits" in note for note in graph.notes)
    source = torch.randn(2, 8)
    wanted = ReferenceEvaluator(str(file)).run(None, {"x": source.numpy()})[0]
    assert find_source(str(file)).make().eval()(source).detach().numpy() == pytest.approx(wanted, abs=1e-5)


def test_functions_of_a_file_are_inlined(tmp_path):
    body = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Relu", ["c"], ["d"])]
    function = helper.make_function("own", "Layer", ["a", "b"], ["d"], body, [helper.make_opsetid("", 18)])
    nodes = [helper.make_node("Layer", ["x", "w"], ["y"], domain="own")]
    file = written(tmp_path, nodes, [("x", ["batch", 8])], {"w": weight(8, 4)}, functions=[function])
    assert [each.kind for each in captured(file, inference=True).operators] == ["linear", "relu"]


def test_a_condition_that_extents_decide_is_decided(tmp_path):
    def branch(name, kind):
        value = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(kind, ["m"], [f"{name}_y"])], name, [], [value])

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Shape", ["x"], ["extents"]),
        helper.make_node("Size", ["extents"], ["rank"]),
        helper.make_node("Equal", ["rank", "two"], ["flat"]),
        helper.make_node("If", ["flat"], ["y"], then_branch=branch("a", "Relu"), else_branch=branch("b", "Tanh")),
    ]
    file = written(tmp_path, nodes, [("x", ["batch", 8])], {"w": weight(8, 4), "two": np.int64(2)})
    assert [each.kind for each in captured(file, inference=True).operators] == ["linear", "relu"]


def test_outputs_are_named_and_settings_do_not_learn(tmp_path):
    nodes = [
        PRODUCT,
        helper.make_node("Clip", ["y", "low", "high"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "half"], ["z"]),
    ]
    weights = {"w": weight(8, 1), "low": np.float32(-1), "high": np.float32(1), "half": np.full(1, 0.5, np.float32)}
    file = written(tmp_path, nodes, [("x", ["batch", 8])], weights, ["y", "z"])
    made = find_source(str(file)).make()
    assert [name for name, _ in made.named_parameters()] == ["w"]
    assert list(made(torch.randn(2, 8))) == ["y", "z"]


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("Loop", ["", "", "x"], name="again")], r"node again: got operator Loop \(ai.onnx, opset 18\)"),
        ([node("QLinearConv", ["x"] * 8)], r"node y: got operator QLinearConv .* before its quantisation"),
        ([node("Attention", ["x", "w"], domain="com.microsoft")], r"got operator Attention \(com.microsoft, opset 1\)"),
        ([node("MatMul", ["x", "nobody"])], "got an input 'nobody' that nobody makes"),
        ([node("Add", ["x", "y"], "a"), node("Relu", ["a"])], "node a: got an input 'y' made after it: .* or a cycle"),
        ([node("Relu", ["x"], "z")], "got an output 'y' that nobody makes"),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused_by_node(tmp_path, nodes, told):
    file = written(tmp_path, nodes, [("x", ["batch", 8])], {"w": weight(8, 4)})
    with pytest.raises(CaptureError, match=rf"net\.onnx: (node \w+: )?.*{told}") as refused:
        find_source(str(file))
    assert "\n" not in str(refused.value)


def test_values_that_depend_on_data_are_refused_where_extents_are_needed(tmp_path):
    nodes = [
        PRODUCT,
        helper.make_node("Cast", ["y"], ["n"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["y", "n"], ["z"], name="back"),
    ]
    file = written(tmp_path, nodes, [("x", ["batch", 8])], {"w": weight(8, 4)}, ["z"])
    with pytest.raises(CaptureError, match="node back: got one that depends on data in input 1"):
        captured(file)


def damaged(tmp_path):
    """Files that are none, by what is to be said of them."""
    good = export(nn.Linear(8, 4), (8,), tmp_path / "good.onnx").read_bytes()
    yield "damaged or none of ONNX", b"PK\x03\x04 a zip file"
    yield "damaged or none of ONNX", good[: len(good) // 2]
    yield "got no operators", b""
    cut = onnx.load_from_string(good)
    cut.graph.initializer[0].raw_data = cut.graph.initializer[0].raw_data[:-4]
    yield r"initialiser '\w+': got data of \d+ elements for extents", cut.SerializeToString()
    elsewhere = onnx.load_from_string(good)
    tensor = elsewhere.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    yield r"initialiser '\w+': got no file weights.bin beside it", elsewhere.SerializeToString()
    tensor.external_data[0].value = "../../weights.bin"
    yield r"got its data in '../../weights.bin', need a file beside", elsewhere.SerializeToString()
    unprintable = onnx.load_from_string(good)
    unprintable.graph.node[0].op_type = "Ge\nmm"
    yield "got a name that cannot be printed", unprintable.SerializeToString()
    no_type = onnx.load_from_string(good)
    no_type.graph.input[0].ClearField("type")
    yield "input 'x': got no type, need a tensor", no_type.SerializeToString()


def test_damaged_files_are_told_in_one_line(tmp_path):
    for told, content in damaged(tmp_path):
        file = tmp_path / "bad.onnx"
        file.write_bytes(content)
        with pytest.raises(CaptureError, match=rf"bad\.onnx: .*{told}") as refused:
            find_source(str(file))
        assert "\n" not in str(refused.value)
    with pytest.raises(CaptureError, match=r"none\.onnx: got no such file"):
        find_source(str(tmp_path / "none.onnx"))


def test_an_input_without_a_shape_needs_one_given(tmp_path):
    model = onnx.load(written(tmp_path, [PRODUCT], [("x", ["batch", 8])], {"w": weight(8, 4)}))
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, tmp_path / "open.onnx")
    assert find_source(str(tmp_path / "open.onnx")).unsaid == "'x' has no shape"


def test_weights_in_a_file_beside_are_read_where_they_are_looked_at(tmp_path):
    file = written(
        tmp_path, [PRODUCT], [("x", ["batch", 8])], {"w": np.where(weight(8, 64) > 0, 1, 0).astype(np.float32)}
    )
    model = onnx.load(file)
    onnx.save(model, file, save_as_external_data=True, location="net.data", size_threshold=0)
    assert any("of w are zeros" in note for note in captured(file).notes)
    (tmp_path / "net.data").unlink()
    with pytest.raises(CaptureError, match=r"got no file net\.data beside it"):
        find_source(str(file))


def test_without_its_package_a_file_is_refused_with_the_extra(tmp_path, monkeypatch):
    file = written(tmp_path, [PRODUCT], [("x", ["batch", 8])], {"w": weight(8, 4)})
    monkeypatch.setattr("bisparse.configs.needs.find_spec", lambda name: None)
    with pytest.raises(CaptureError, match=r"net\.onnx: got no package 'onnx', need it; try pip install"):
        find_source(str(file))
