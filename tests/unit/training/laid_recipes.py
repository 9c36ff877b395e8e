"""A small network by hand, and recipes laid over it."""

from __future__ import annotations

from bisparse.configs.pattern import Pattern
from bisparse.training.graph import Convolution, MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from bisparse.training.recipes.annotation import annotate
from bisparse.training.recipes.declaration import Recipe, load_recipe

FF, BP, WU = Stage.FORWARD, Stage.BACKWARD, Stage.WEIGHT_GRADIENT
EACH = Size(per_sample=1)


def convolution(module: str, in_channels: int, out_channels: int, *stages: Stage, groups: int = 1) -> list[Operator]:
    geometry = Convolution(
        batch=EACH,
        groups=groups,
        in_channels=in_channels,
        out_channels=out_channels,
        input_size=(8, 8),
        output_size=(8, 8),
        kernel=(3, 3),
        stride=(1, 1),
        padding=(1, 1),
        dilation=(1, 1),
    )
    return [operator(f"{module}:{stage}", "convolution", stage, module, geometry) for stage in stages]


def linear(module: str, inputs: int, outputs: int, *stages: Stage, parameter: str | None = None) -> list[Operator]:
    depth = {FF: Size(fixed=inputs), BP: Size(fixed=outputs), WU: EACH}
    return [
        operator(
            f"{module}:{stage}",
            "linear",
            stage,
            module,
            MatrixProduct(m=EACH, n=Size(fixed=1), k=depth[stage]),
            parameter=parameter,
        )
        for stage in stages
    ]


def operator(
    name: str,
    kind: str,
    stage: Stage,
    module: str,
    geometry: Convolution | MatrixProduct,
    *,
    parameter: str | None = None,
) -> Operator:
    weight = parameter or f"{module}.weight"
    return Operator(
        name=name,
        kind=kind,
        stage=stage,
        module=module,
        inputs=("x", weight),
        outputs=(f"{name}.out",),
        geometry=geometry,
        parameter=weight,
    )


def attention() -> Operator:
    return Operator(
        name="scores:FF",
        kind="matmul",
        stage=FF,
        module="attention",
        inputs=("q", "k"),
        outputs=("scores",),
        geometry=MatrixProduct(m=Size(fixed=16), n=Size(fixed=16), k=Size(fixed=64), count=EACH),
    )


def embedding(weight: str) -> Operator:
    return Operator(
        name="tokens:FF", kind="embedding", stage=FF, module="tokens", inputs=(weight, "ids"), outputs=("embedded",)
    )


def graph(*operators: Operator) -> TrainingGraph:
    # Weights and their gradients are of one size each.
    alike = {name for each in operators if each.stage is WU for name in (each.parameter, *each.outputs)}
    tensors = {name: Tensor(name=name, shape=(Size(fixed=1),), role="parameter") for name in alike}
    return TrainingGraph(name="small", source="by hand", default_batch=1, tensors=tensors, operators=operators)


NETWORK = graph(
    *convolution("stem", 16, 16, FF, WU),
    *convolution("body", 16, 32, FF, BP, WU),
    *convolution("odd", 32, 20, FF, BP, WU),
    attention(),
    *linear("head", 20, 16, FF, BP, WU),
)
"""The first convolution has no BP. ``odd`` has 20 output channels, which 8 does not divide; so ``head`` 20 inputs."""


def laid(recipe: str | Recipe, pattern: str = "2:8", over: TrainingGraph = NETWORK, *, pre_generation: bool = True):
    declared = load_recipe(recipe).model if isinstance(recipe, str) else recipe
    return annotate(over, declared, Pattern.parse(pattern), pre_generation=pre_generation)


def with_rules(base: str = "bdwp", **fields) -> Recipe:
    return load_recipe(base).model.model_copy(update=fields)


PRUNED = {
    **{name: set() for name in ("dense", "random-graph-rnn", "sparse-rnn")},
    "sr-ste": {"body:FF", "odd:FF"},
    "sdwp": {"body:BP", "head:BP"},
    "sdgp": {"body:BP", "head:BP"},
    "sdgp-maxnorm": {"body:BP", "head:BP"},
    "bdwp": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    "bi-mask": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    "transposable": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    "static-masks": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    "gradual-magnitude": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    **{
        name: {"body:FF", "odd:FF", "body:BP", "head:BP"}
        for name in ("dsnot", "essential-sparsity", "iss-p", "journey-matters", "pdp")
    },
    "spdf": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    **{
        name: {"stem:FF", "body:FF", "odd:FF", "body:BP", "head:BP"}
        for name in (
            "cl-dst",
            "granet",
            "lottery-ticket",
            "random-erk",
            "random-uniform",
            "rigl",
            "snip",
            "sparse-model-soups",
        )
    },
    "mdgf-exponential": {"body:FF", "odd:FF"},
    "mdgf-linear": {"body:FF", "odd:FF"},
    "sdgf-geometric": {"body:FF", "odd:FF"},
    "sdgf-stepwise": {"body:FF", "odd:FF"},
    "step": {"body:FF", "odd:FF"},
    "fully-sparse": {"body:FF", "odd:FF", "body:BP", "head:BP", "body:WU", "odd:WU", "head:WU"},
    "tasd": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    "slope": {"body:FF", "odd:FF", "body:BP", "head:BP"},
    "s-ste": {"body:FF", "odd:FF", "body:WU", "odd:WU", "head:WU"},
    "sparse-activations": {"body:FF", "odd:FF", "head:WU"},
}

STREAMING = {"sdgp", "sdgp-maxnorm", "fully-sparse", "s-ste", "sparse-activations"}
"""Those that prune what streams past a weight."""

GIVEN = {name for name in PRUNED if load_recipe(name).model.mask_search.method == "given"}
"""Those whose masks are given, or move by a rule of their own: what they keep is packed in the update."""

RECURRENT = {"random-graph-rnn", "sparse-rnn"}
"""Those that prune recurrent layers alone, of which there is none here."""
