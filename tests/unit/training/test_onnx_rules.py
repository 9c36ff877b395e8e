"""Each ONNX operator computes what ONNX's own reference evaluator says, on data and where extents alone decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")

from bisparse.configs.errors import CaptureError  # noqa: E402
from bisparse.training.capture import find_source  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

GENERATOR = np.random.default_rng(0)


def normal(*extents: int) -> np.ndarray:
    return GENERATOR.standard_normal(extents).astype(np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def model_of(node, inputs, constants=(), *, opset=18, outputs=1):
    """A model of one node whose first operands are inputs and whose others are initialisers."""
    names = [f"in{number}" for number in range(len(inputs) + len(constants))]
    given = [None if each is None else np.asarray(each) for each in (*inputs, *constants)]
    names = ["" if each is None else name for name, each in zip(names, given, strict=True)]
    kind, attributes = node
    made = helper.make_node(kind, names, [f"out{number}" for number in range(outputs)], **attributes)
    graph = helper.make_graph(
        [made],
        "one",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape)
            for name, each in zip(names[: len(inputs)], given, strict=False)
        ],
        [helper.make_tensor_value_info(f"out{number}", TensorProto.UNDEFINED, None) for number in range(outputs)],
        [
            numpy_helper.from_array(each, name)
            for name, each in zip(names[len(inputs) :], given[len(inputs) :], strict=True)
            if each is not None
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), names


def computed(tmp_path, model, inputs):
    """What the module makes of the file, in evaluation mode."""
    file = tmp_path / "one.onnx"
    onnx.save(model, file)
    made = find_source(str(file)).make().eval()
    with torch.no_grad():
        found = made(*(torch.from_numpy(np.asarray(each)) for each in inputs))
    return list(found.values()) if isinstance(found, dict) else [found]


X = normal(2, 4, 7, 6)
LINE = normal(2, 4, 9)
MATRIX, OTHER = normal(3, 5), normal(5, 4)
POSITIVE = np.abs(X) + 0.1

CASES = {
    "conv with pads on one side": (
        ("Conv", {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
        [X],
        [normal(3, 4, 3, 2), normal(3)],
    ),
    "conv in groups and dilated": (
        ("Conv", {"group": 2, "dilations": [2, 1], "pads": [1, 1, 1, 1]}),
        [X],
        [normal(6, 2, 3, 3)],
    ),
    "conv same upper": (("Conv", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}), [X], [normal(3, 4, 3, 3)]),
    "conv same lower": (("Conv", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}), [X], [normal(3, 4, 3, 2)]),
    "conv valid": (("Conv", {"auto_pad": "VALID"}), [X], [normal(3, 4, 3, 2)]),
    "conv along a line": (("Conv", {"pads": [2, 1]}), [LINE], [normal(3, 4, 3)]),
    "transposed conv": (
        ("ConvTranspose", {"strides": [2, 3], "pads": [1, 0, 1, 0], "output_padding": [1, 2]}),
        [X],
        [normal(4, 3, 3, 3), normal(3)],
    ),
    "transposed conv, uneven": (
        ("ConvTranspose", {"strides": [2, 2], "pads": [0, 1, 2, 0]}),
        [X],
        [normal(4, 3, 3, 3)],
    ),
    "transposed conv to extents": (
        ("ConvTranspose", {"strides": [2, 2], "output_shape": [14, 12], "auto_pad": "SAME_UPPER"}),
        [X],
        [normal(4, 3, 3, 3)],
    ),
    "gemm": (("Gemm", {}), [MATRIX], [OTHER, normal(4)]),
    "gemm turned and scaled": (
        ("Gemm", {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}),
        [MATRIX.T.copy()],
        [OTHER.T.copy(), normal(3, 4)],
    ),
    "gemm without addend": (("Gemm", {"alpha": 0.5}), [MATRIX], [OTHER]),
    "matmul of stacks": (("MatMul", {}), [normal(2, 3, 4), normal(2, 4, 5)], []),
    "einsum": (("Einsum", {"equation": "bij,bjk->bik"}), [normal(2, 3, 4), normal(2, 4, 5)], []),
    "batch normalisation": (
        ("BatchNormalization", {"epsilon": 1e-3}),
        [X],
        [normal(4), normal(4), normal(4), np.abs(normal(4))],
    ),
    "instance normalisation": (("InstanceNormalization", {}), [X], [normal(4), normal(4)]),
    "layer normalisation": (("LayerNormalization", {"axis": -2}), [X], [normal(7, 6), normal(7, 6)]),
    "layer normalisation without shift": (("LayerNormalization", {}), [X], [normal(6)]),
    "group normalisation by channel": (("GroupNormalization", {"num_groups": 2}), [X], [normal(4), normal(4)], 21),
    "lp normalisation": (("LpNormalization", {"axis": 1}), [X], []),
    "lrn": (("LRN", {"size": 3, "alpha": 0.5}), [normal(4, 4, 3, 3)], []),
    "lrn of an even window": (("LRN", {"size": 2, "alpha": 0.5}), [normal(4, 4, 3, 3)], []),
    "max pool": (("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}), [X], []),
    "max pool, uneven": (("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [0, 0, 2, 1]}), [X], []),
    "max pool, ceil": (("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}), [X], []),
    "mean pool": (("AveragePool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}), [X], []),
    "mean pool counting pads": (
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
        [X],
        [],
    ),
    "mean pool, uneven": (("AveragePool", {"kernel_shape": [3, 3], "pads": [0, 1, 2, 0]}), [X], []),
    "mean pool, uneven, counting pads": (
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [0, 1, 2, 0], "count_include_pad": 1}),
        [X],
        [],
    ),
    "mean pool, same": (
        ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        [X],
        [],
    ),
    "mean pool, ceil": (("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}), [X], []),
    "global mean": (("GlobalAveragePool", {}), [X], []),
    "global max": (("GlobalMaxPool", {}), [X], []),
    "relu": (("Relu", {}), [X], []),
    "leaky relu": (("LeakyRelu", {"alpha": 0.2}), [X], []),
    "prelu by channel": (("PRelu", {}), [X], [np.abs(normal(4, 1, 1))]),
    "prelu of one": (("PRelu", {}), [X], [np.abs(normal(1))]),
    "prelu by place": (("PRelu", {}), [X], [np.abs(normal(7, 6))]),
    "elu": (("Elu", {"alpha": 0.7}), [X], []),
    "selu": (("Selu", {}), [X], []),
    "clip": (("Clip", {}), [X], [np.float32(-0.5), np.float32(0.8)]),
    "clip from below": (("Clip", {}), [X], [np.float32(-0.5)]),
    "hard sigmoid": (("HardSigmoid", {"alpha": 0.3, "beta": 0.4}), [X], []),
    "hard swish": (("HardSwish", {}), [X], []),
    "gelu": (("Gelu", {"approximate": "tanh"}), [X], [], 20),
    "erf": (("Erf", {}), [X], []),
    "softplus": (("Softplus", {}), [X], []),
    "softmax": (("Softmax", {"axis": 1}), [X], []),
    "log softmax": (("LogSoftmax", {}), [X], []),
    "pow": (("Pow", {}), [POSITIVE], [np.float32(2.5)]),
    "integer division": (("Div", {}), [integers(7, -7, 9)], [integers(2, 2, -4)]),
    "modulo": (("Mod", {}), [integers(7, -7, 9)], [integers(3, 3, -4)]),
    "modulo of C": (("Mod", {"fmod": 1}), [normal(5)], [normal(5)]),
    "min of three": (("Min", {}), [X, X[::-1].copy(), X * 0.5], []),
    "mean of two": (("Mean", {}), [X, X * 3], []),
    "reduce mean": (("ReduceMean", {"keepdims": 0}), [X], [integers(-1, 1)]),
    "reduce mean of opset 13": (("ReduceMean", {"axes": [2, 3]}), [X], [], 13),
    "reduce all": (("ReduceSum", {}), [X], []),
    "reduce nothing": (("ReduceSum", {"noop_with_empty_axes": 1}), [X], []),
    "reduce l2": (("ReduceL2", {}), [X], [integers(1)]),
    "reduce product": (("ReduceProd", {"keepdims": 0}), [X], [integers(0, 2)]),
    "reshape": (("Reshape", {}), [X], [integers(0, -1, 6)]),
    "flatten": (("Flatten", {"axis": 2}), [X], []),
    "transpose": (("Transpose", {}), [X], []),
    "squeeze": (("Squeeze", {}), [X[:, :1]], [integers(1)]),
    "unsqueeze": (("Unsqueeze", {}), [X], [integers(0, -1)]),
    "unsqueeze of opset 11": (("Unsqueeze", {"axes": [0, 3]}), [X], [], 11),
    "slice with steps": (
        ("Slice", {}),
        [X],
        [integers(1, -1), integers(2**62, -(2**62)), integers(2, 3), integers(2, -2)],
    ),
    "slice beyond": (("Slice", {}), [X], [integers(-100, 2), integers(100, -1), integers(1, 2)]),
    "slice of nothing": (("Slice", {}), [X], [integers(5), integers(2), integers(2)]),
    "gather": (("Gather", {"axis": 2}), [X], [np.array([[0, -1], [3, 2]])]),
    "gather one": (("Gather", {"axis": 1}), [X], [np.array(-1)]),
    "gather rows": (("Gather", {}), [normal(6, 3)], [integers(4, 0, 4)]),
    "gather elements": (("GatherElements", {"axis": 1}), [MATRIX], [np.array([[0, 1], [2, -1], [4, 3]])]),
    "gather nd": (("GatherND", {}), [X], [np.array([[0, 1], [1, -1]])]),
    "gather nd in batches": (("GatherND", {"batch_dims": 1}), [X], [np.array([[1], [3]])]),
    "scatter nd": (("ScatterND", {}), [MATRIX], [np.array([[0], [2]]), normal(2, 5)]),
    "expand": (("Expand", {}), [MATRIX], [integers(2, 1, 5)]),
    "tile": (("Tile", {}), [MATRIX], [integers(2, 3)]),
    "pad": (("Pad", {}), [X], [integers(0, 0, 1, 2, 0, 0, 3, 0), np.float32(0.5)]),
    "pad by reflection": (("Pad", {"mode": "reflect"}), [X], [integers(0, 0, 1, 2, 0, 0, 3, 0)]),
    "pad channels by reflection": (("Pad", {"mode": "reflect"}), [X], [integers(0, 2, 0, 0, 0, 1, 0, 1)]),
    "pad by the edge": (("Pad", {"mode": "edge"}), [X], [integers(1, 0, 1, 2, 0, 0, 3, 0)]),
    "pad around": (("Pad", {"mode": "wrap"}), [X], [integers(0, 0, 1, 2, 0, 0, 3, 0)], 19),
    "pad some axes": (("Pad", {}), [X], [integers(1, 2), np.float32(0), integers(3)]),
    "concatenate": (("Concat", {"axis": -1}), [X, X], []),
    "depth to space": (("DepthToSpace", {"blocksize": 2}), [X], []),
    "depth to space by columns": (("DepthToSpace", {"blocksize": 2, "mode": "CRD"}), [X], []),
    "space to depth": (("SpaceToDepth", {"blocksize": 2}), [X[:, :, :6]], []),
    "nearest": (
        ("Resize", {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        [X],
        [None, np.array([1, 1, 2, 1.5], np.float32)],
    ),
    "nearest by half pixels": (("Resize", {}), [X], [None, np.array([1, 1, 0.5, 1.7], np.float32)]),
    "nearest to extents": (("Resize", {"nearest_mode": "ceil"}), [X], [None, None, integers(2, 4, 5, 9)]),
    "linear": (("Resize", {"mode": "linear"}), [X], [None, np.array([1, 1, 2, 3], np.float32)]),
    "linear between corners": (
        ("Resize", {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
        [X],
        [None, None, integers(2, 4, 5, 9)],
    ),
    "linear, asymmetric": (
        ("Resize", {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}),
        [X],
        [None, np.array([1, 1, 2, 1.5], np.float32)],
    ),
    "cubic": (("Resize", {"mode": "cubic"}), [X], [None, np.array([1, 1, 2, 2], np.float32)]),
    "cast": (("Cast", {"to": TensorProto.INT64}), [X * 3], []),
    "where": (("Where", {}), [X > 0, X], [np.float32(2)]),
    "equal": (("Equal", {}), [integers(1, 2, 3)], [integers(1, 5, 3)]),
    "arg max": (("ArgMax", {"axis": 1, "keepdims": 0}), [X], []),
    "upper triangle": (("Trilu", {}), [X], [np.array(1)]),
    "lower triangle": (("Trilu", {"upper": 0}), [X], []),
    "running sum": (("CumSum", {"exclusive": 1, "reverse": 1}), [MATRIX], [np.array(1)]),
    "one hot": (("OneHot", {"axis": 1}), [np.array([[0, -1], [2, 1]])], [np.array(3), np.array([0.5, 2], np.float32)]),
    "is nan": (("IsNaN", {}), [np.array([1, np.nan], np.float32)], []),
    "round": (("Round", {}), [np.array([0.5, 1.5, -0.5, 2.4], np.float32)], []),
    "quantise": (("QuantizeLinear", {}), [X], [np.float32(0.05), np.uint8(128)]),
    "quantise by channel": (("QuantizeLinear", {"axis": 1}), [X], [np.abs(normal(4)) + 0.1, np.zeros(4, np.int8)]),
    "mod of extents": (("Shape", {"start": 1}), [X], []),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_what_the_reference_says(tmp_path, name):
    node, inputs, constants, *opset = CASES[name]
    model, names = model_of(node, inputs, constants, opset=opset[0] if opset else 18)
    feeds = {given: np.asarray(each) for given, each in zip(names, inputs, strict=False)}
    (wanted,) = ReferenceEvaluator(model).run(None, feeds)
    (found,) = computed(tmp_path, model, inputs)
    assert tuple(found.shape) == wanted.shape
    assert found.numpy() == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_a_softmax_before_opset_13_is_over_all_axes_from_its_own_on(tmp_path):
    model, _ = model_of(("Softmax", {"axis": 2}), [X], opset=11)
    (found,) = computed(tmp_path, model, [X])
    assert found.flatten(2).sum(-1).numpy() == pytest.approx(np.ones((2, 4)), rel=1e-5)


def test_a_pad_of_less_than_nothing_crops(tmp_path):
    model, _ = model_of(("Pad", {}), [X], [integers(0, 0, -1, 2, 0, 0, 0, -2)])
    (found,) = computed(tmp_path, model, [X])
    assert found.numpy() == pytest.approx(np.pad(X[:, :, 1:, :-2], ((0, 0), (0, 0), (0, 0), (2, 0))))


def test_groups_of_opset_18_have_a_scale_each(tmp_path):
    scale, shift = normal(2), normal(2)
    model, _ = model_of(("GroupNormalization", {"num_groups": 2}), [X], [scale, shift])
    (found,) = computed(tmp_path, model, [X])
    wanted = torch.nn.functional.group_norm(
        torch.from_numpy(X), 2, torch.from_numpy(scale.repeat(2)), torch.from_numpy(shift.repeat(2))
    )
    assert found.numpy() == pytest.approx(wanted.numpy(), abs=1e-5)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_recurrent_layer_computes_what_the_reference_says(tmp_path, kind, direction):
    ways, gates = 2 if direction == "bidirectional" else 1, {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    source = normal(5, 2, 3)
    weights = [normal(ways, gates * 4, 3), normal(ways, gates * 4, 4), normal(ways, 2 * gates * 4)]
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    node = (kind, {"hidden_size": 4, "direction": direction, **more})
    outputs = 3 if kind == "LSTM" else 2
    model, _ = model_of(node, [source], weights, outputs=outputs)
    found = computed(tmp_path, model, [source])
    wanted = [
        ReferenceEvaluator(each).run(None, {"in0": turned})
        for each, turned in _one_way_each(kind, direction, source, weights, more, outputs)
    ]
    for number, each in enumerate(found):
        parts = [part[number] for part in wanted]
        if number == 0 and direction != "forward":
            parts[-1] = parts[-1][::-1]
        assert each.numpy() == pytest.approx(np.concatenate(parts, axis=1 if number == 0 else 0), abs=1e-5)


def _one_way_each(kind, direction, source, weights, more, outputs):
    """The reference knows forward layers alone: a backward one is a forward one of the turned sequence."""
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    for way, backward in enumerate(ways):
        turned = source[::-1].copy() if backward else source
        node = (kind, {"hidden_size": 4, **more})
        model, _ = model_of(node, [turned], [each[way : way + 1] for each in weights], outputs=outputs)
        yield model, turned


@pytest.mark.parametrize(
    ("node", "constants", "told"),
    [
        (("GRU", {"hidden_size": 4}), [normal(1, 12, 6), normal(1, 12, 4)], "got linear_before_reset=0, need 1"),
        (("LSTM", {"hidden_size": 4, "clip": 2.0}), [normal(1, 16, 6), normal(1, 16, 4)], "got a clip"),
        (("AveragePool", {"kernel_shape": [2], "dilations": [2]}), [], r"got dilations \[2\], need 1"),
    ],
)
def test_what_torch_has_no_form_of_is_refused_by_node(tmp_path, node, constants, told):
    source = normal(5, 2, 6)
    model, _ = model_of(node, [source], constants, opset=19)
    with pytest.raises(CaptureError, match=rf"one\.onnx: node out0: {told}"):
        computed(tmp_path, model, [source])
