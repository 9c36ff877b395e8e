"""Fully connected layers are lowered to a product a stage; what is no product is not lowered."""

import pytest
from bisparse.configs.pattern import Pattern
from bisparse.dataflow.lowering import lower
from bisparse.training.graph import MatrixProduct, Operator, Size, Stage
from bisparse.training.recipes.annotation import Pruning


def linear(stage):
    sizes = {
        Stage.FORWARD: (Size(per_sample=7), Size(fixed=12), Size(fixed=16)),
        Stage.BACKWARD: (Size(per_sample=7), Size(fixed=16), Size(fixed=12)),
        Stage.WEIGHT_GRADIENT: (Size(fixed=16), Size(fixed=12), Size(per_sample=7)),
    }
    m, n, k = sizes[stage]
    return Operator(
        name=f"head:{stage}",
        kind="linear",
        stage=stage,
        module="head",
        inputs=("x", "w"),
        outputs=("y",),
        geometry=MatrixProduct(m=m, n=n, k=k),
        parameter="w",
    )


def test_a_fully_connected_layer_is_one_product_a_stage():
    shapes = {stage: lower(linear(stage), 3).gemms[0] for stage in (Stage.FORWARD, Stage.BACKWARD)}
    shapes[Stage.WEIGHT_GRADIENT] = lower(linear(Stage.WEIGHT_GRADIENT), 3).gemms[0]
    assert [(g.m, g.n, g.k) for g in shapes.values()] == [(21, 12, 16), (21, 16, 12), (16, 12, 21)]
    assert [g.b_contiguous for g in shapes.values()] == ["n", "k", "n"]
    assert [g.result for g in shapes.values()] == ["value", "value", "sum"]
    assert [g.window for g in shapes.values()] == [None, None, None]


def test_slots_of_an_operand_pruned_along_positions_are_grouped_along_k():
    gemm = lower(
        linear(Stage.WEIGHT_GRADIENT), 3, Pruning(operand="weight", pattern=Pattern(2, 8), reduced_on_load=False)
    )
    assert gemm.gemms[0].slots == Pattern(2, 8).kept_of(21) == 6


def test_a_vector_operation_is_not_lowered():
    relu = Operator(name="relu", kind="relu", stage=Stage.FORWARD, module="relu", inputs=("x",), outputs=("y",))
    with pytest.raises(ValueError, match="relu is not a matrix product"):
        lower(relu, 1)
