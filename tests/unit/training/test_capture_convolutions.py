"""Convolutions: one operator a stage, the forward's geometry throughout."""

from __future__ import annotations

import pytest
from bisparse.training.graph import Convolution, Size, Stage
from torch import nn

AFTER = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@pytest.mark.parametrize(
    ("layer", "sample", "output"),
    [
        pytest.param(nn.Conv2d(4, 6, 3, stride=2, padding=1), (4, 11, 9), (6, 5), id="strided"),
        pytest.param(nn.Conv2d(4, 6, 3, dilation=2), (4, 11, 9), (7, 5), id="dilated"),
        pytest.param(nn.Conv2d(4, 6, 3, groups=2), (4, 11, 9), (9, 7), id="grouped"),
        pytest.param(nn.Conv2d(4, 8, 3, groups=4), (4, 11, 9), (9, 7), id="depthwise"),
        pytest.param(nn.Conv2d(4, 6, (1, 3), stride=(2, 1)), (4, 11, 9), (6, 7), id="unequal axes"),
        pytest.param(nn.Conv2d(4, 6, 3, padding="same"), (4, 11, 9), (11, 9), id="same padding"),
        pytest.param(nn.Conv1d(4, 6, 5, stride=3), (4, 20), (6,), id="one axis"),
        pytest.param(nn.Conv3d(4, 6, 3, padding=1), (4, 5, 6, 7), (5, 6, 7), id="three axes"),
        pytest.param(nn.ConvTranspose1d(4, 6, 3, stride=2), (4, 9), (19,), id="transposed, one axis"),
        pytest.param(
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
            (4, 5, 6),
            (10, 12),
            id="transposed, grouped",
        ),
    ],
)
def test_every_stage_carries_the_geometry_of_the_forward_pass(graph_of, layer, sample, output):
    axes = len(sample) - 1
    first = AFTER[axes](4, 4, 1, bias=False)
    graph = graph_of(nn.Sequential(first, layer), sample)
    stages = {operator.stage: operator for operator in graph.products if operator.module == "1"}
    assert set(stages) == {Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT}
    geometry = stages[Stage.FORWARD].geometry
    assert all(operator.geometry == geometry for operator in stages.values())
    assert isinstance(geometry, Convolution)
    assert geometry == Convolution(
        batch=Size(per_sample=1),
        groups=layer.groups,
        in_channels=4,
        out_channels=layer.out_channels,
        input_size=sample[1:],
        output_size=output,
        kernel=layer.kernel_size,
        stride=layer.stride,
        padding=geometry.padding if layer.padding == "same" else layer.padding,
        dilation=layer.dilation,
        transposed=layer.transposed,
    )


def test_operands_of_the_three_products(graph_of):
    graph = graph_of(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 3)), (3, 8, 8))
    stages = {operator.stage: operator for operator in graph.products if operator.module == "1"}
    gradient = stages[Stage.BACKWARD].inputs[0]
    assert stages[Stage.FORWARD].inputs == ("0:bias_add", "1.weight")
    assert stages[Stage.BACKWARD].inputs == (gradient, "1.weight")
    assert stages[Stage.WEIGHT_GRADIENT].inputs == ("0:bias_add", gradient)
    assert graph.tensors[gradient].role == "gradient"
    assert {operator.parameter for operator in stages.values()} == {"1.weight"}
    (weight_gradient,) = stages[Stage.WEIGHT_GRADIENT].outputs
    assert graph.tensors[weight_gradient].role == "parameter_gradient"


def test_no_input_gradient_where_the_input_needs_none(graph_of):
    graph = graph_of(nn.Conv2d(3, 4, 3), (3, 8, 8))
    assert {operator.stage for operator in graph.products} == {Stage.FORWARD, Stage.WEIGHT_GRADIENT}


def test_the_bias_is_an_operator_of_its_own(graph_of):
    graph = graph_of(nn.Conv2d(3, 4, 3), (3, 8, 8))
    (add,) = [operator for operator in graph.operators if operator.kind == "bias_add"]
    (gradient,) = [operator for operator in graph.operators if operator.kind == "bias_gradient"]
    assert graph.producer[add.inputs[0]].kind == "convolution"
    assert add.inputs[1] == add.parameter == "bias"
    assert add.elements == gradient.elements == Size(per_sample=4 * 6 * 6)
    assert gradient.stage is Stage.WEIGHT_GRADIENT
    assert graph.tensors[gradient.outputs[0]].role == "parameter_gradient"
