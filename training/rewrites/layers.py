"""Layers of a graph: the products of one weight in all stages, found by name; what may not be rewritten, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ...configs.errors import ConfigError
from ..graph import Convolution, MatrixProduct, Operator, Stage, Tensor, TrainingGraph
from ..passes.naming import named, refuse_unknown


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One weight, and the products by it.

    Attributes:
        name: path of the weight without ``.weight``.
        parameter: the weight's name.
        weight: itself.
        forward: the product.
        backward: of the input gradient; None where nothing below learns.
        weight_gradient: None where the weight is frozen.
        update: None where it is.
    """

    name: str
    parameter: str
    weight: Tensor
    forward: Operator
    backward: Operator | None = None
    weight_gradient: Operator | None = None
    update: Operator | None = None

    @property
    def learns(self) -> bool:
        """Whether its weight does."""
        return self.update is not None

    @property
    def convolution(self) -> Convolution | None:
        """Its geometry, of a convolution."""
        geometry = self.forward.geometry
        return geometry if isinstance(geometry, Convolution) else None

    @property
    def linear(self) -> MatrixProduct:
        """Its geometry, of a linear layer: m rows, k inputs, n outputs."""
        geometry = self.forward.geometry
        assert isinstance(geometry, MatrixProduct), "a convolution has no matrix product"
        return geometry

    @property
    def inputs(self) -> int:
        """Inputs of an output: K of a linear layer; channels times kernel positions of a convolution."""
        shape = self.convolution
        if shape is None:
            return self.linear.k.fixed
        taps = 1
        for extent in shape.kernel:
            taps *= extent
        return shape.in_channels // shape.groups * taps

    @property
    def outputs(self) -> int:
        """N of a linear layer, output channels of a convolution."""
        shape = self.convolution
        return self.linear.n.fixed if shape is None else shape.out_channels


def layers_of(graph: TrainingGraph) -> tuple[dict[str, Layer], dict[str, str]]:
    """Layers by name in the order of the forward pass; and weights whose products no rewrite can take, with why."""
    products: dict[str, list[Operator]] = {}
    for operator in graph.products:
        if operator.parameter is not None:
            products.setdefault(operator.parameter, []).append(operator)
    updates = {each.parameter: each for each in graph.operators if each.stage is Stage.UPDATE}
    found: dict[str, Layer] = {}
    left: dict[str, str] = {}
    for parameter, operators in products.items():
        name = parameter.removesuffix(".weight")
        update = updates.get(parameter)
        if why := _fault(graph, parameter, operators, update):
            left[name] = why
            continue
        by_stage = {each.stage: each for each in operators}
        found[name] = Layer(
            name=name,
            parameter=parameter,
            weight=graph.tensors[parameter],
            forward=by_stage[Stage.FORWARD],
            backward=by_stage.get(Stage.BACKWARD),
            weight_gradient=by_stage.get(Stage.WEIGHT_GRADIENT),
            update=update,
        )
    return found, left


def _fault(graph: TrainingGraph, parameter: str, operators: Sequence[Operator], update: Operator | None) -> str:
    stages = [each.stage for each in operators]
    if Stage.FORWARD not in stages:
        return "no product of the forward pass multiplies by it as it is"
    if len(set(stages)) < len(stages):
        return "its weight is used more than once"
    readers = {each.name for each in graph.consumers.get(parameter, ())}
    own = {each.name for each in operators} | ({update.name} if update is not None else set())
    if readers - own:
        return "its weight is also read by " + ", ".join(sorted(readers - own))
    gradients = {name for each in operators if each.stage is Stage.WEIGHT_GRADIENT for name in each.outputs}
    if update is not None and not gradients & set(update.inputs):
        return "its update reads another gradient than that of its product"
    if any(isinstance(each.geometry, MatrixProduct) and each.geometry.grouped is not None for each in operators):
        return "it is one of several experts"
    if any(isinstance(each.geometry, MatrixProduct) and each.geometry.count.at(1) != 1 for each in operators):
        return "its weight is multiplied by in several products"
    return ""


def chosen(
    graph: TrainingGraph, patterns: Sequence[str], *, but: Sequence[str] = (), unfit: Callable[[Layer], str]
) -> tuple[dict[str, Layer], dict[str, str]]:
    """Layers that an entry names in its field ``layers``, and those of them that are left, with why.

    Args:
        graph: that is rewritten.
        patterns: of layers, or of modules that hold them; ``*`` and ``?`` as in a shell.
        but: of layers among them that are not meant.
        unfit: why the rewrite cannot take a layer; empty where it can.

    Raises:
        ConfigError: a pattern names no layer, or all of them are left; ``field`` says so.
    """
    known, left = layers_of(graph)
    names = [*known, *left]
    for number, pattern in enumerate(patterns):
        refuse_unnamed("layers", number, pattern, names, what="the path of a layer with a weight", of=graph.name)
    for number, pattern in enumerate(but):
        refuse_unnamed("except_layers", number, pattern, names, what="the path of a layer with a weight", of=graph.name)
    wanted = [
        name
        for name in names
        if any(named(pattern, name) for pattern in patterns) and not any(named(pattern, name) for pattern in but)
    ]
    reasons = {name: left[name] for name in wanted if name in left}
    fitting: dict[str, Layer] = {}
    for name in wanted:
        if name in known:
            if why := unfit(known[name]):
                reasons[name] = why
            else:
                fitting[name] = known[name]
    if not fitting:
        if not reasons:
            raise ConfigError(
                f"except_layers: got {', '.join(but)}, need a layer of {graph.name} that is left of "
                f"{', '.join(patterns)}",
                field="except_layers",
            )
        name, why = next(iter(reasons.items()))
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise ConfigError(
            f"layers: got {', '.join(patterns)}, need a layer of {graph.name} that can be rewritten: of {name} "
            f"{why}{more}",
            field="layers",
        )
    return fitting, reasons


def frozen_but(graph: TrainingGraph, learning: Sequence[str]) -> set[str]:
    """Parameters that learn in a graph and are not named in an entry's field ``learning``.

    Raises:
        ConfigError: a pattern names nothing that learns; ``field`` says which.
    """
    learners = {each.parameter for each in graph.operators if each.stage is Stage.UPDATE and each.parameter}
    for number, pattern in enumerate(learning):
        refuse_unnamed("learning", number, pattern, learners, what="a parameter that learns", of=graph.name)
    return {name for name in learners if not any(named(pattern, name) for pattern in learning)}


def refuse_unnamed(field: str, number: int, pattern: str, names: Collection[str], *, what: str, of: str) -> None:
    """Refuse a pattern that names nothing: a misspelt path would look like one that was followed.

    Args:
        field: of the entry, a list of patterns.
        number: of the pattern in it.
        pattern: with ``*`` and ``?``.
        names: that it may name, or what stands in them.
        what: they are.
        of: the network's name.

    Raises:
        ConfigError: it names none of them.
    """
    place = f"{field}.{number}"
    refuse_unknown(place, pattern, names, what=what, of=of, field=place)
