"""Networks and layers that ONNX ships with what they compute: by its own exporters, from opset 3 on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")

from bisparse.training.capture import capture_path, find_source  # noqa: E402
from bisparse.training.capture_request import CaptureRequest  # noqa: E402
from onnx import numpy_helper, shape_inference  # noqa: E402

SHIPPED = Path(onnx.__file__).parent / "backend" / "test" / "data"

LAYERS = sorted(
    file.parent for kind in ("operator", "converted") for file in SHIPPED.glob(f"pytorch-{kind}/*/model.onnx")
)

NETWORKS = ("inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19")


def array_of(file: Path) -> np.ndarray:
    return numpy_helper.to_array(onnx.load_tensor(str(file))).copy()


def outputs_of(file: Path, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        found = find_source(str(file)).make().eval()(*inputs)
    return list(found.values()) if isinstance(found, dict) else [found]


@pytest.mark.skipif(not LAYERS, reason="this onnx ships none")
def test_every_layer_computes_what_is_shipped_with_it():
    wrong = []
    for folder in LAYERS:
        for data in sorted(folder.glob("test_data_set_*")):
            inputs = [torch.from_numpy(array_of(file)) for file in sorted(data.glob("input_*.pb"))]
            wanted = [array_of(file) for file in sorted(data.glob("output_*.pb"))]
            found = outputs_of(folder / "model.onnx", inputs)
            close = (
                np.allclose(a.numpy(), b, rtol=1e-3, atol=1e-4, equal_nan=True)
                for a, b in zip(found, wanted, strict=True)
            )
            if not all(close):
                wrong.append(folder.name)
    assert wrong == []


def macs_by_shape_inference(file: Path) -> int:
    """Of a file's convolutions and fully connected layers, by the extents that ONNX itself infers."""
    graph = shape_inference.infer_shapes(onnx.load(file), data_prop=True).graph
    known = (*graph.value_info, *graph.input, *graph.output)
    extents = {each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim] for each in known}
    extents.update({each.name: list(each.dims) for each in graph.initializer})
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += math.prod(extents[node.output[0]]) * math.prod(extents[node.input[1]][1:])
        elif node.op_type == "Gemm":
            total += math.prod(extents[node.output[0]]) * extents[node.input[0]][1]
    return total


@pytest.mark.parametrize("name", NETWORKS)
def test_a_shipped_network_has_the_work_that_its_extents_say(name):
    file = SHIPPED / "light" / f"light_{name}.onnx"
    if not file.is_file():
        pytest.skip("this onnx ships none")
    found = find_source(str(file))
    assert (found.batch, [str(each) for each in found.inputs]) == (1, ["3x224x224:fp32"])
    request = CaptureRequest(inference=True, fixed_batch=True)
    graph = capture_path(
        str(file), found.inputs, name=name, default_batch=1, source="a test", request=request, found=found
    )
    assert graph.macs(1) == macs_by_shape_inference(file) > 10**8
    assert graph.unknown == ()
