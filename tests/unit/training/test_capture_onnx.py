"""A network and its ONNX file are one training step: the same products, in the same stages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx")

from bisparse.configs.errors import CaptureError  # noqa: E402
from bisparse.training.capture import find_source  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from .onnx_networks import captured, export  # noqa: E402

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
