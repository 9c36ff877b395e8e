"""Activations that leave zeros: another function in the place of one, a cut behind it, a term of the loss.

What is named are modules that compute an activation function (``relu``, ``gelu``, ``silu``). ``function`` stands in its
place; ``cut`` sets values behind it to zero, in one pass over them that compares and keeps (``elementwise``), and one
over their gradient; ``penalty`` reads them once for the loss (``reduce``), and adds to their gradient. Thresholds are
constants by then. The largest of each token are found in 16 passes that count (a bit of a 16-bit magnitude each,
assumed). A value below a given threshold costs no pass: the function itself compares. Zeros that ``zeros_percent`` says
are those of the products that read the activation, and of the gradients that pass it; measured ones go before.

A decoding step leaves neurons out where ``decoding`` says so: see ``fewer_neurons``. Free of torch; sources in
``activation_terms``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from ...configs.errors import ConfigError
from ..densities import LayerDensities
from ..graph import Operator, Size, Stage, Tensor, TrainingGraph
from ..passes.naming import named
from .activation_terms import ActivationPenalty, Cut, DecodedNeurons
from .activation_units import CUT, PENALTY, SELECTION, ActivationUnit, made_zeros, surroundings, units_of
from .fewer_neurons import with_fewer_neurons
from .fragment import Fragment, Part, Shape, Value, elements
from .layers import refuse_unnamed
from .rewrite import Outcome, Rewrite
from .splice import with_operators
from .tape import renamed

SELECTION_PASSES = 16
"""Over a token's values, to find the least of its largest (assumed)."""


class Activation(Rewrite):
    """Activation functions by the paths of their modules, and what becomes of what they make."""

    kind: Literal["activation"]
    layers: tuple[str, ...] = Field(
        default=("*",), min_length=1, description="paths of activation functions, or of what holds them, with * and ?"
    )
    except_layers: tuple[str, ...] = Field(default=(), description="paths among them that stay, with * and ?")
    function: Literal["same", "relu", "squared-relu"] = Field(
        default="same", description="that stands in the place of the one that is there"
    )
    zeros_percent: float | None = Field(
        default=None,
        gt=0,
        lt=100,
        description="zeros that are left: what a cut is set to, or else what is declared; measured ones go before",
    )
    cut: Cut | None = Field(default=None, description="values behind the function that are set to zero")
    penalty: ActivationPenalty | None = Field(default=None, description="what they add to the loss of a training")
    decoding: DecodedNeurons | None = Field(default=None, description="neurons that a decoding step leaves out")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.function == "same" and self.cut is None and self.penalty is None and self.zeros_percent is None:
            raise ValueError("one of function, zeros_percent, cut and penalty")
        if self.zeros_percent is None and self.cut is not None and self.cut.by != "value":
            raise ValueError(f"zeros_percent: got none with cut.by {self.cut.by}, need the share that it is set to")
        if self.zeros_percent is None and self.decoding is not None:
            raise ValueError(
                "zeros_percent: got none with decoding, need the share of neurons that a token does without"
            )
        return self

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        share = "" if self.zeros_percent is None else f", {self.zeros_percent:g}% zero"
        names = {"same": "activations", "relu": "ReLU as activation", "squared-relu": "squared ReLU as activation"}
        by = "" if self.cut is None else f", cut by {self.cut.by}"
        added = "" if self.penalty is None else f", penalised ({self.penalty.norm})"
        return names[self.function] + by + added + share

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    @property
    def timed(self) -> bool:
        """Whether a cut waits or a penalty changes over a run."""
        return self.cut is not None or self.penalty is not None

    @property
    def adds_to_loss(self) -> bool:
        """Where it has a penalty."""
        return self.penalty is not None

    @property
    def zeros(self) -> float:
        """Share of zeros that is declared; 0 of none."""
        return 0.0 if self.zeros_percent is None else self.zeros_percent / 100

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph.

        Raises:
            ConfigError: no activation function is named.
        """
        units, left = self._fitting(graph)
        made, says = graph, []
        if self._replaces:
            made = _with_units(graph, units, self, deployed=deployed)
            kept = {each.module for each in units}
            units = [each for each in units_of(made) if each.module in kept]
        share = self.zeros
        if self.cut is not None and self.cut.by == "core":
            # The tokens that choose keep all of theirs.
            share = 0.0 if deployed else share * (1 - self.cut.prefill_share)
        if share:
            made = replace(made, made_zeros=made_zeros(made, units, share))
            of = (
                ""
                if share == self.zeros
                else f": {100 * self.zeros:g}% behind the tokens that choose, which keep all of theirs"
            )
            says.append(f"{100 * share:g}% of what the activations make is taken for zero{of}.")
        layers = tuple(dict.fromkeys(each.module for each in units))
        return Outcome(graph=made, layers=layers, left=left, says=tuple(says))

    def _fitting(self, graph: TrainingGraph) -> tuple[list[ActivationUnit], dict[str, str]]:
        """Activation functions that are named and can be changed, and why others are left."""
        units = self.named_units(graph)
        if self.cut is None or self.cut.by != "core":
            return units, {}
        fitting = [each for each in units if surroundings(graph, each).along == -1]
        if not fitting:
            raise ConfigError(
                f"layers: got {', '.join(self.layers)}, need an activation of {graph.name} that a linear layer reads: "
                "core is of sentences of tokens",
                field="layers",
            )
        kept = {each.module for each in fitting}
        return fitting, {each.module: "no linear layer reads it" for each in units if each.module not in kept}

    @property
    def _replaces(self) -> bool:
        """Whether operators change: a value that is compared with instead of zero costs no pass of its own."""
        cuts = self.cut is not None and self.cut.by != "value"
        return self.function != "same" or cuts or self.penalty is not None

    def decoded(self, graph: TrainingGraph, *, batch: int, densities: LayerDensities | None = None) -> TrainingGraph:
        """A decoding step without the neurons that it leaves out."""
        if self.decoding is None:
            return graph
        units = {unit: self._density(graph, unit, densities) for unit in self.named_units(graph)}
        return with_fewer_neurons(graph, units, self.decoding, batch=batch)

    def _density(self, graph: TrainingGraph, unit: ActivationUnit, densities: LayerDensities | None) -> float:
        """Neurons that a token needs of a layer: as measured, but of a sentence's, whose prompt is measured with it."""
        declared = 1 - self.zeros
        if densities is None or (self.cut is not None and self.cut.by == "core"):
            return declared
        layer = densities.at_last.get(surroundings(graph, unit).reader)
        return declared if layer is None or layer.input_density is None else layer.input_density

    def named_units(self, graph: TrainingGraph) -> list[ActivationUnit]:
        """Activation functions that the entry names.

        Raises:
            ConfigError: there are none.
        """
        units = units_of(graph)
        known = list(dict.fromkeys(each.module for each in units))
        if not known:
            raise ConfigError(
                f"layers: got {', '.join(self.layers)}, need a network with relu, gelu or silu, not {graph.name}",
                field="layers",
            )
        for field, patterns in (("layers", self.layers), ("except_layers", self.except_layers)):
            for number, pattern in enumerate(patterns):
                refuse_unnamed(field, number, pattern, known, what="the path of an activation function", of=graph.name)
        found = [
            each
            for each in units
            if any(named(pattern, each.module) for pattern in self.layers)
            and not any(named(pattern, each.module) for pattern in self.except_layers)
        ]
        if not found:
            raise ConfigError(
                f"except_layers: got {', '.join(self.except_layers)}, need an activation function of {graph.name} that "
                f"is left of {', '.join(self.layers)}",
                field="except_layers",
            )
        return found


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What stands where operators of a unit stood."""

    operators: dict[str, tuple[Operator, ...]]
    stands_for: dict[str, str]
    tensors: dict[str, Tensor]


def _with_units(
    graph: TrainingGraph, units: list[ActivationUnit], entry: Activation, *, deployed: bool
) -> TrainingGraph:
    taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
    places = [_place(graph, unit, entry, taken, deployed=deployed) for unit in units]
    instead = {name: operators for place in places for name, operators in place.operators.items()}
    stands_for = {old: new for place in places for old, new in place.stands_for.items()}
    tensors = {name: tensor for place in places for name, tensor in place.tensors.items()}
    operators = [
        renamed(each, stands_for) for operator in graph.operators for each in instead.get(operator.name, (operator,))
    ]
    return with_operators(graph, operators, tensors={**graph.tensors, **tensors})


def _place(graph: TrainingGraph, unit: ActivationUnit, entry: Activation, taken: set[str], *, deployed: bool) -> _Place:
    fragment = Fragment(unit.module, taken)
    x = Value(name=unit.entering, shape=graph.tensors[unit.entering].shape, learns=bool(unit.backward))
    kind = unit.kind if entry.function == "same" else "relu"
    squared = unit.squared if entry.function == "same" else entry.function == "squared-relu"
    out = _function(fragment, x, kind)
    if squared:
        # Both factors are the value itself: each has a gradient, and their sum is the value's.
        half = Part(of=(out,), kind="multiply", inputs=(None, out.name), elements=elements(out.shape))
        out = fragment.vector("multiply", (out,), module=unit.module, shape=out.shape, parts=(half, half))
    if entry.cut is not None and entry.cut.by != "value":
        out = _cut(fragment, out, entry.cut, along=surroundings(graph, unit).along)
    instead: dict[str, tuple[Operator, ...]] = {each.name: () for each in (*unit.forward, *unit.backward)}
    stands_for = {unit.leaving: out.name}
    before: list[Operator] = []
    if unit.backward:
        gradient = unit.gradient
        if entry.penalty is not None and not deployed:
            gradient, before = _penalised(fragment, out, entry.penalty, gradient)
        backward, gradients = fragment.backward(out, gradient)
        instead[unit.backward[0].name] = (*before, *backward)
        stands_for[unit.input_gradient] = gradients[x.name]
    instead[unit.forward[0].name] = tuple(fragment.forward)
    return _Place(operators=instead, stands_for=stands_for, tensors=fragment.tensors)


def _function(fragment: Fragment, x: Value, kind: str) -> Value:
    if kind == "relu":
        return fragment.relu(x, module=fragment.module)
    part = Part(of=(x,), kind=f"{kind}_backward", inputs=(None, x.name), elements=elements(x.shape))
    return fragment.vector(kind, (x,), module=fragment.module, shape=x.shape, parts=(part,))


def _cut(fragment: Fragment, value: Value, cut: Cut, *, along: int) -> Value:
    """Values of which some are set to zero, and their gradients with them."""
    read, channels = [value], value.shape[along]
    if cut.by in ("top-k", "core"):
        # What is the least that stays is found token by token; a sentence's neurons are counted in one pass more.
        passes = SELECTION_PASSES + (cut.by == "core")
        read.append(
            fragment.write(
                kind="reduce",
                module=fragment.under(SELECTION),
                inputs=(value,),
                shape=_tokens(value, along) if cut.by == "top-k" else (channels,),
                elements=elements(value.shape) * passes,
                parts=(),
            )
        )
    elif cut.by == "channel-threshold":
        read.append(fragment.constant("thresholds", (channels,)))
    part = Part(of=(value,), kind="elementwise", inputs=(None, 0), elements=elements(value.shape))
    return fragment.vector("elementwise", tuple(read), module=fragment.under(CUT), shape=value.shape, parts=(part,))


def _tokens(value: Value, along: int) -> Shape:
    return tuple(each for at, each in enumerate(value.shape) if at != along % len(value.shape))


def _penalised(fragment: Fragment, out: Value, penalty: ActivationPenalty, gradient: str) -> tuple[str, list[Operator]]:
    """The gradient of activations with that of the term of the loss, and what makes it; forwards it is summed up."""
    module, size = fragment.under(PENALTY), elements(out.shape)
    counted = out
    steps: list[tuple[str, tuple[str, ...]]] = [("elementwise", (gradient, out.name))]
    if penalty.norm != "l1":
        kind = "tanh" if penalty.norm == "tanh" else "add"
        counted = fragment.write(kind=kind, module=module, inputs=(out,), shape=out.shape, elements=size, parts=())
        own = "tanh_backward" if penalty.norm == "tanh" else "elementwise"
        steps = [(own, (counted.name,)), ("add", (gradient,))]
    fragment.write(kind="reduce", module=module, inputs=(counted,), shape=(Size(fixed=1),), elements=size, parts=())
    made = list(_gradient_steps(fragment, module, out, steps))
    return made[-1].outputs[0], made


def _gradient_steps(
    fragment: Fragment, module: str, out: Value, steps: Sequence[tuple[str, tuple[str, ...]]]
) -> Iterator[Operator]:
    """Signs added to the gradient in one pass; of what was counted first its derivative, and the sum."""
    last = ""
    for kind, read in steps:
        value = fragment.gradient(f"{module}:{kind}", out)
        yield Operator(
            name=value,
            kind=kind,
            stage=Stage.BACKWARD,
            module=module,
            inputs=(*read, *((last,) if last else ())),
            outputs=(value,),
            elements=elements(out.shape),
        )
        last = value
