"""A training step small enough to follow by hand: linear, ReLU, linear, with an input that needs no gradient."""

from bisparse.training.graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import Recipe

INPUTS, HIDDEN, OUTPUTS = 32, 16, 8


def sized(columns):
    return (Size(per_sample=1), Size(fixed=columns))


def weight(rows, columns):
    return (Size(fixed=rows), Size(fixed=columns))


def product(name, stage, m, n, k, inputs, output, parameter):
    return Operator(
        name=name,
        kind="linear",
        stage=stage,
        module=name.split(":")[0],
        inputs=inputs,
        outputs=(output,),
        geometry=MatrixProduct(m=m, n=n, k=k),
        parameter=parameter,
    )


def vector(name, kind, stage, inputs, output, elements):
    return Operator(name=name, kind=kind, stage=stage, module="", inputs=inputs, outputs=(output,), elements=elements)


def update(parameter, gradient, elements):
    return Operator(
        name=f"{parameter}:update",
        kind="parameter_update",
        stage=Stage.UPDATE,
        module="",
        inputs=(parameter, gradient),
        outputs=(),
        parameter=parameter,
        elements=Size(fixed=elements),
    )


B = Size(per_sample=1)
F = [Size(fixed=extent) for extent in (INPUTS, HIDDEN, OUTPUTS)]

MLP = TrainingGraph(
    name="two linear layers",
    source="by hand",
    default_batch=4,
    tensors={
        each.name: each
        for each in (
            Tensor(name="x", shape=sized(INPUTS), role="input"),
            Tensor(name="w1", shape=weight(INPUTS, HIDDEN), role="parameter"),
            Tensor(name="w2", shape=weight(HIDDEN, OUTPUTS), role="parameter"),
            Tensor(name="h", shape=sized(HIDDEN), role="activation"),
            Tensor(name="r", shape=sized(HIDDEN), role="activation"),
            Tensor(name="y", shape=sized(OUTPUTS), role="activation"),
            Tensor(name="dy", shape=sized(OUTPUTS), role="gradient"),
            Tensor(name="dr", shape=sized(HIDDEN), role="gradient"),
            Tensor(name="dh", shape=sized(HIDDEN), role="gradient"),
            Tensor(name="dw1", shape=weight(INPUTS, HIDDEN), role="parameter_gradient"),
            Tensor(name="dw2", shape=weight(HIDDEN, OUTPUTS), role="parameter_gradient"),
        )
    },
    operators=(
        product("l1:FF", Stage.FORWARD, B, F[1], F[0], ("x", "w1"), "h", "w1"),
        vector("relu", "relu", Stage.FORWARD, ("h",), "r", B * HIDDEN),
        product("l2:FF", Stage.FORWARD, B, F[2], F[1], ("r", "w2"), "y", "w2"),
        vector("loss", "softmax_backward", Stage.BACKWARD, ("y",), "dy", B * OUTPUTS),
        product("l2:WU", Stage.WEIGHT_GRADIENT, F[1], F[2], B, ("r", "dy"), "dw2", "w2"),
        product("l2:BP", Stage.BACKWARD, B, F[1], F[2], ("dy", "w2"), "dr", "w2"),
        vector("relu_backward", "relu_backward", Stage.BACKWARD, ("dr", "r"), "dh", B * HIDDEN),
        product("l1:WU", Stage.WEIGHT_GRADIENT, F[0], F[1], B, ("x", "dh"), "dw1", "w1"),
        update("w1", "dw1", INPUTS * HIDDEN),
        update("w2", "dw2", HIDDEN * OUTPUTS),
    ),
)
"""Works, with ReLU and its gradient riding: l1:FF, l2:FF, loss, l2:WU, l2:BP, l1:WU."""


def annotated(recipe=None, pattern=None, pre_generation=True):
    from bisparse.configs.pattern import Pattern

    dense = Recipe(name="dense", title="Dense training", source="by hand")
    return annotate(MLP, recipe or dense, pattern or Pattern(1, 1), pre_generation=pre_generation)
