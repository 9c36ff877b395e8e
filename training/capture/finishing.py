"""From the record of one step to a graph: stages, orientation of the products, names, and the parameter updates.

Which gradient a product computes is told by its operands, not by the order of execution. A backward product multiplies
a gradient by one operand of the forward product of the same autograd node; it is the gradient of the *other* operand.
When that one is a parameter the stage is WU, else BP. Where no forward product is known (a custom ``autograd.Function``
that computes its forward pass otherwise) the operands decide: gradient by parameter is BP, and gradient by activation
is WU when its result leads nowhere but to parameter gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..graph import (
    Convolution,
    Geometry,
    MatrixProduct,
    Operator,
    Size,
    Stage,
    Tensor,
    TensorRole,
    TrainingGraph,
    UnknownOperator,
)
from ..recurrent_weights import own_place
from .drafts import Category, Draft, Value
from .products import as_input_gradient_of, swapped

_WEIGHT_SIDE = frozenset(
    {"bias_gradient", "embedding_backward", "reduce", "copy", "gradient_add", "add", "multiply", "elementwise"}
)
"""Vector work that may stand between a weight gradient and its parameter, whatever else it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """One step at one batch size.

    Attributes:
        graph: every extent fixed.
        operand_elements: of each vector operator, the elements of every operand and result.
        samples: where data are shared out, extents are whole at multiples of so many.
    """

    graph: TrainingGraph
    operand_elements: dict[str, tuple[int, ...]]
    samples: int = 1


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where an operator belongs and how it is written down."""

    stage: Stage
    geometry: Geometry | None
    inputs: tuple[Value, ...]
    parameter: str | None


@dataclass(slots=True)
class GraphBuilder:
    """Turns drafts into a graph at one batch size.

    Attributes:
        drafts: operators in execution order.
        parameters: every parameter by name, frozen ones too.
        gradients: of the trainable parameters; None for one that the loss does not depend on.
    """

    drafts: Sequence[Draft]
    parameters: dict[str, Value]
    gradients: dict[str, Value | None]
    _tensors: dict[str, Tensor] = field(default_factory=dict)
    _operators: list[Operator] = field(default_factory=list)
    _unknown: list[UnknownOperator] = field(default_factory=list)
    _operand_elements: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)
    _uses: dict[Value, list[Draft]] = field(default_factory=dict)
    _only_weights: dict[Value, bool] = field(default_factory=dict)

    def build(self, *, name: str, source: str, default_batch: int, counted_macs: dict[str, int]) -> RecordedStep:
        """The graph, every extent fixed at the batch size of the recorded step."""
        for draft in self.drafts:
            for value in draft.inputs:
                self._uses.setdefault(value, []).append(draft)
        self._find_weight_gradient_values()
        for draft in self.drafts:
            self._add(draft)
        self._add_updates()
        graph = TrainingGraph(
            name=name,
            source=source,
            default_batch=default_batch,
            tensors=self._tensors,
            operators=tuple(self._operators),
            unknown=tuple(self._unknown),
            counted_macs={key: Size(fixed=macs) for key, macs in counted_macs.items()},
        )
        return RecordedStep(graph=graph, operand_elements=self._operand_elements)

    def _find_weight_gradient_values(self) -> None:
        """Mark the values of the backward pass that lead nowhere but to parameter gradients."""
        final = {value for value in self.gradients.values() if value is not None}
        for draft in reversed(self.drafts):
            if not draft.in_backward:
                continue
            for value in draft.outputs:
                uses = self._uses.get(value, [])
                through_vectors = all(
                    _is_weight_side(use) and all(self._only_weights.get(out, False) for out in use.outputs)
                    for use in uses
                )
                self._only_weights[value] = (value in final or bool(uses)) and through_vectors

    def _add(self, draft: Draft) -> None:
        if draft.geometry is not None:
            placement = self._place(draft)
            kind = draft.kind if draft.kind == "convolution" else "matmul"
            if kind == "matmul" and placement.parameter is not None:
                kind = "linear"
            draft.module = own_place(draft.module, placement.parameter)
            self._emit(f"{draft.module or 'model'}:{placement.stage}", draft, kind, placement)
            return
        stage = Stage.FORWARD
        if draft.in_backward:
            to_weights = _is_weight_side(draft) and all(self._only_weights[value] for value in draft.outputs)
            stage = Stage.WEIGHT_GRADIENT if to_weights else Stage.BACKWARD
        kind = "bias_gradient" if self._is_bias_gradient(draft) else draft.kind
        parameter = next((value.name for value in draft.inputs if value.role == "parameter"), None)
        placement = _Placement(stage, None, tuple(draft.inputs), parameter)
        self._emit(f"{draft.module or 'model'}:{kind}", draft, kind, placement)
        if kind == "unknown":
            self._unknown.append(UnknownOperator(name=draft.aten, module=draft.module, shapes=draft.shapes))

    def _emit(self, wanted: str, draft: Draft, kind: str, placement: _Placement) -> None:
        name = self._unique(wanted)
        inputs = tuple(self._tensor(value) for value in placement.inputs)
        for position, value in enumerate(draft.outputs):
            value.name = value.name or (name if position == 0 else f"{name}.{position}")
        outputs = tuple(self._tensor(value) for value in draft.outputs)
        self._operand_elements[name] = draft.elements
        self._operators.append(
            Operator(
                name=name,
                kind=kind,
                stage=placement.stage,
                module=draft.module,
                inputs=inputs,
                outputs=outputs,
                geometry=placement.geometry,
                parameter=placement.parameter,
                elements=Size(fixed=max(draft.elements, default=0)),
            )
        )

    def _tensor(self, value: Value) -> str:
        if value.name not in self._tensors:
            self._tensors[value.name] = Tensor(
                name=value.name,
                shape=tuple(Size(fixed=extent) for extent in value.shape),
                role=self._role(value),
                integer=value.integer,
            )
        return value.name

    def _role(self, value: Value) -> TensorRole:
        if value.role is not None:
            return value.role
        if any(value is gradient for gradient in self.gradients.values()):
            return "parameter_gradient"
        return "gradient" if value.category is Category.GRADIENT else "activation"

    def _unique(self, wanted: str) -> str:
        self._names[wanted] = self._names.get(wanted, 0) + 1
        number = self._names[wanted]
        return wanted if number == 1 else f"{wanted}#{number}"

    def _is_bias_gradient(self, draft: Draft) -> bool:
        """A sum that makes the gradient of a parameter which the forward pass adds as a bias."""
        if draft.kind != "reduce" or not any(self._only_weights.get(value, False) for value in draft.outputs[:1]):
            return False
        parameter = self._reached(draft)
        uses = self._uses.get(self.parameters[parameter], ()) if parameter is not None else ()
        return any(use.kind == "bias_add" for use in uses)

    def _place(self, draft: Draft) -> _Placement:
        left, right = draft.inputs
        assert draft.geometry is not None
        if isinstance(draft.geometry, Convolution):
            return self._place_convolution(draft, draft.geometry, left, right)
        if not draft.in_backward:
            flip = left.category is Category.PARAMETER and right.category is not Category.PARAMETER
            weight = left if flip else right
            return _oriented(Stage.FORWARD, draft.geometry, left, right, flip, self._root(weight))
        of_gradient = [value.category is Category.GRADIENT for value in (left, right)]
        if of_gradient == [True, True] or of_gradient == [False, False]:
            to_weights = self._only_weights.get(draft.outputs[0], False)
            stage = Stage.WEIGHT_GRADIENT if to_weights else Stage.BACKWARD
            return _oriented(stage, draft.geometry, left, right, False, None)
        operand = right if of_gradient[0] else left
        differentiated = _differentiated(draft, operand)
        if self._is_weight_gradient(draft, operand, differentiated):
            parameter = self._root(differentiated) if differentiated is not None else self._reached(draft)
            return _oriented(Stage.WEIGHT_GRADIENT, draft.geometry, left, right, operand is right, parameter)
        flip = operand is left and operand.category is Category.PARAMETER
        return _oriented(Stage.BACKWARD, draft.geometry, left, right, flip, self._root(operand))

    def _place_convolution(self, draft: Draft, geometry: Convolution, left: Value, right: Value) -> _Placement:
        inputs = (left, right)
        if draft.computes == "weight":
            parameter = self._root(_differentiated(draft, left)) or self._reached(draft)
            return _Placement(Stage.WEIGHT_GRADIENT, geometry, inputs, parameter)
        if draft.computes == "input":
            return _Placement(Stage.BACKWARD, geometry, inputs, self._root(right))
        if not draft.in_backward:
            return _Placement(Stage.FORWARD, geometry, inputs, self._root(right))
        if left.category is Category.GRADIENT and right.category is not Category.GRADIENT:
            # A custom function computes its input gradient by a convolution of its own.
            return _Placement(Stage.BACKWARD, as_input_gradient_of(geometry), inputs, self._root(right))
        forward = next((p.geometry for p in draft.partners if isinstance(p.geometry, Convolution)), geometry)
        return _Placement(Stage.WEIGHT_GRADIENT, forward, inputs, self._reached(draft))

    def _is_weight_gradient(self, draft: Draft, operand: Value, differentiated: Value | None) -> bool:
        if differentiated is not None:
            return differentiated.category is Category.PARAMETER
        if operand.category is Category.PARAMETER:
            return False
        return self._only_weights.get(draft.outputs[0], False)

    def _root(self, value: Value | None) -> str | None:
        """The parameter that a weight is, or derives from (the largest, when several are combined)."""
        if value is None or value.category is not Category.PARAMETER:
            return None
        return max(sorted(value.roots), key=lambda name: math.prod(self.parameters[name].shape), default=None)

    def _reached(self, draft: Draft) -> str | None:
        """The parameter whose gradient a value ends in."""
        pending = list(draft.outputs)
        while pending:
            value = pending.pop()
            for name, gradient in self.gradients.items():
                if gradient is value:
                    return name
            pending.extend(out for use in self._uses.get(value, ()) for out in use.outputs)
        return None

    def _add_updates(self) -> None:
        for parameter, gradient in self.gradients.items():
            if gradient is None:
                continue
            value = self.parameters[parameter]
            self._operators.append(
                Operator(
                    name=f"{parameter}:update",
                    kind="parameter_update",
                    stage=Stage.UPDATE,
                    module=parameter.rpartition(".")[0],
                    inputs=(self._tensor(value), self._tensor(gradient)),
                    outputs=(),
                    parameter=parameter,
                    elements=Size(fixed=math.prod(value.shape)),
                )
            )


def _oriented(
    stage: Stage, product: MatrixProduct, left: Value, right: Value, flip: bool, parameter: str | None
) -> _Placement:
    if flip:
        return _Placement(stage, swapped(product), (right, left), parameter)
    return _Placement(stage, product, (left, right), parameter)


def _differentiated(draft: Draft, operand: Value) -> Value | None:
    """The operand of the forward product that is not ``operand``: the one whose gradient this product computes."""
    pairs = [tuple(partner.inputs[:2]) for partner in draft.partners]
    for left, right in pairs:
        if operand is left or operand is right:
            return right if operand is left else left
    for left, right in pairs:
        if left.category is not right.category and operand.category in (left.category, right.category):
            return right if operand.category is left.category else left
    return None


def _is_weight_side(draft: Draft) -> bool:
    """Whether a vector operation can be part of a weight gradient.

    The backward passes of activations and normalisations are BP, even where only an embedding lies behind them; but not
    those of a reparametrised weight, which read no activation.
    """
    if draft.geometry is not None:
        return False
    of_data = (value.category is Category.ACTIVATION or value.is_dropout_mask for value in draft.inputs)
    return draft.kind in _WEIGHT_SIDE or not any(of_data)
