"""A forward pass as it is written down, operator by operator, and the backward pass that follows from it.

``write`` notes one operator and the gradients of what it read; ``backward`` goes over them from the last to the first,
as autograd does: a gradient of every value that leads to something that learns, added up (``gradient_add``) where a
value is read more than once. ``fragment`` has the operators that layers are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..graph import Geometry, Operator, Size, Stage, Tensor, TensorRole

Shape = tuple[Size, ...]

_NONE = Size()


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A tensor of a fragment.

    Attributes:
        name: of the tensor.
        shape: of it.
        learns: whether a gradient of it is wanted: it is a weight that learns, or depends on one.
        parameter: whether it is a weight.
        of_weights: whether it is one, or was computed of nothing but weights.
    """

    name: str
    shape: Shape
    learns: bool = False
    parameter: bool = False
    of_weights: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Gradients of values that an operator read, made by one operator.

    Attributes:
        of: the values.
        kind: of the operator that makes them; empty where the gradient of the output is that of the value.
        inputs: names that it reads; None in the place of the gradient of the output, a number in that of the operator's
            own output of that number.
        geometry: of a product.
        elements: of vector work.
        shape: of the first gradient, where it is not the value's own.
        then: a second operator, which makes the one gradient of what the first made: its kind, and names that it reads
            beside that, as ``inputs`` has them. None where there is none.
    """

    of: tuple[Value, ...]
    kind: str
    inputs: tuple[str | int | None, ...]
    geometry: Geometry | None = None
    elements: Size = _NONE
    shape: Shape | None = None
    then: tuple[str, tuple[str | int | None, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """An operator of the forward pass and what its backward pass makes."""

    operator: Operator
    output: Value
    parts: tuple[Part, ...]
    joint: str


class Tape:
    """Operators that stand in the place of a layer.

    Attributes:
        module: path of the layer; what the fragment makes is named under it.
        forward: operators of the forward pass, so far.
        tensors: that the fragment made, by name.
        parameters: its weights, in the order in which they were made.
    """

    def __init__(self, module: str, taken: set[str]) -> None:
        """A fragment without operators.

        Args:
            module: path of the layer.
            taken: names of operators and tensors that are in the graph; the fragment adds its own.
        """
        self.module = module
        self.forward: list[Operator] = []
        self.tensors: dict[str, Tensor] = {}
        self.parameters: list[Value] = []
        self._taken = taken
        self._steps: list[_Step] = []
        self._forgotten: set[str] = set()
        self._roots: dict[str, str] = {}

    # What it is made of ----------------------------------------------------------------------------------------------

    def under(self, name: str) -> str:
        """The path of a module inside the layer."""
        return f"{self.module}.{name}" if self.module else name

    def weight(self, name: str, shape: Shape, *, learns: bool) -> Value:
        """A weight of its own, named under the layer's path."""
        return self._weight(self._free(self.under(name)), shape, learns=learns)

    def _weight(self, name: str, shape: Shape, *, learns: bool) -> Value:
        self.tensors[name] = Tensor(name=name, shape=shape, role="parameter")
        value = Value(name=name, shape=shape, learns=learns, parameter=True, of_weights=True)
        self.parameters.append(value)
        return value

    def constant(self, name: str, shape: Shape, *, integer: bool = False) -> Value:
        """What never learns and no recipe prunes, such as places or running means; named under the layer's path."""
        own = self._free(self.under(name))
        self.tensors[own] = Tensor(name=own, shape=shape, role="buffer", integer=integer)
        return Value(name=own, shape=shape, of_weights=True)

    def kept(self, tensor: Tensor, *, learns: bool) -> Value:
        """A weight that the layer had before, under its name."""
        return self._weight(tensor.name, tensor.shape, learns=learns)

    def root(self, weight: Value) -> str:
        """The name of a weight, or of the first that it was computed from."""
        return self._roots.get(weight.name, weight.name)

    # Operators -------------------------------------------------------------------------------------------------------

    def write(
        self,
        *,
        kind: str,
        module: str,
        inputs: tuple[Value, ...],
        shape: Shape,
        parts: tuple[Part, ...],
        geometry: Geometry | None = None,
        elements: Size = _NONE,
        parameter: str | None = None,
        extra: tuple[Shape, ...] = (),
    ) -> Value:
        """One operator of the forward pass: what the other methods are made of.

        Args:
            kind: of it.
            module: that it belongs to.
            inputs: that it reads.
            shape: of its output.
            parts: gradients of its inputs. Those of inputs without a learner below them are not made.
            geometry: of a product.
            elements: of vector work.
            parameter: the weight that it multiplies by, if any.
            extra: shapes of further outputs that its backward pass reads: statistics of a normalisation.

        Returns:
            Its output.
        """
        name = self._free(f"{module or 'model'}:{'FF' if geometry is not None else kind}")
        outputs = (name, *(self._free(f"{name}.{number}") for number in range(1, len(extra) + 1)))
        for each, extents in zip(outputs, (shape, *extra), strict=True):
            self.tensors[each] = Tensor(name=each, shape=extents, role="activation")
        value = Value(
            name=name,
            shape=shape,
            learns=any(each.learns for part in parts for each in part.of),
            of_weights=all(each.of_weights for each in inputs),
        )
        operator = Operator(
            name=name,
            kind=kind,
            stage=Stage.FORWARD,
            module=module,
            inputs=tuple(each.name for each in inputs),
            outputs=outputs,
            geometry=geometry,
            parameter=parameter,
            elements=elements,
        )
        self.forward.append(operator)
        self._roots[name] = self.root(inputs[0])
        self._steps.append(_Step(operator=operator, output=value, parts=parts, joint=module))
        return value

    # The backward pass -----------------------------------------------------------------------------------------------

    def backward(self, output: Value, gradient: str) -> tuple[list[Operator], dict[str, str]]:
        """Operators of the backward pass, and the gradient of every value that has one.

        Args:
            output: of the fragment.
            gradient: of it.
        """
        found = {output.name: gradient}
        operators: list[Operator] = []
        for step in reversed(self._steps):
            above = found.get(step.output.name)
            if above is None:
                continue
            for part in step.parts:
                if not any(each.learns for each in part.of):
                    continue
                for value, made in zip(part.of, self._gradients(step, part, above, operators), strict=True):
                    if value.learns:
                        found[value.name] = self._sum(step, value, found.get(value.name), made, operators)
        return operators, found

    def _gradients(self, step: _Step, part: Part, above: str, operators: list[Operator]) -> tuple[str, ...]:
        """Gradients of what one operator read."""
        if not part.kind:
            return (above,)
        of, first = step.operator, part.of[0]
        stage = Stage.WEIGHT_GRADIENT if first.of_weights else Stage.BACKWARD
        name = self._free(f"{of.module or 'model'}:{stage.value if part.geometry is not None else part.kind}")
        outputs = (name, *(self._free(f"{name}.{number}") for number in range(1, len(part.of))))
        for own, value in zip(outputs, part.of, strict=True):
            shape = part.shape if part.shape is not None and value is first else value.shape
            role: TensorRole = "parameter_gradient" if value.parameter and part.then is None else "gradient"
            self.tensors[own] = Tensor(name=own, shape=shape, role=role)

        def read(each: str | int | None) -> str:
            if each is None:
                return above
            return of.outputs[each] if isinstance(each, int) else self._remembered(each, operators)

        operators.append(
            Operator(
                name=name,
                kind=part.kind,
                stage=stage,
                module=of.module,
                inputs=tuple(map(read, part.inputs)),
                outputs=outputs,
                geometry=part.geometry,
                parameter=of.parameter if part.geometry is not None or len(part.of) > 1 else None,
                elements=part.elements,
            )
        )
        if part.then is None:
            return outputs
        kind, beside = part.then
        return (self._further(operators[-1], first, kind, tuple(map(read, beside)), operators),)

    def _further(
        self, made: Operator, value: Value, kind: str, beside: tuple[str, ...], operators: list[Operator]
    ) -> str:
        """A value's gradient, made of what another operator made."""
        name = self._free(f"{self.module or 'model'}:{kind}")
        shape = self.tensors[made.outputs[0]].shape
        self.tensors[name] = Tensor(
            name=name, shape=value.shape, role="gradient" if not value.parameter else "parameter_gradient"
        )
        further = replace(made, name=name, kind=kind, module=self.module, inputs=(*made.outputs, *beside))
        whole = max(elements(shape), elements(value.shape), key=lambda size: size.at(1024))
        operators.append(replace(further, outputs=(name,), geometry=None, parameter=None, elements=whole))
        return name

    def forget(self, value: Value) -> None:
        """Keep no value that was computed of weights alone for the backward pass, which computes it again."""
        assert value.of_weights, "what depends on activations is not computed again"
        self._forgotten.add(value.name)

    def _remembered(self, name: str, operators: list[Operator]) -> str:
        """The name under which the backward pass reads a tensor: its own, unless it had to be computed again."""
        if name not in self._forgotten:
            return name
        again: dict[str, str] = {}
        for operator in self._leading_to(name):
            product = operator.geometry is not None
            own = self._free(f"{operator.module or 'model'}:{'BP' if product else operator.kind}")
            again[operator.outputs[0]] = own
            self.tensors[own] = replace(self.tensors[operator.outputs[0]], name=own)
            operators.append(
                replace(
                    operator,
                    name=own,
                    # As a capture has it of a product of two weights in the backward pass.
                    kind="matmul" if product else operator.kind,
                    parameter=None if product else operator.parameter,
                    stage=Stage.BACKWARD,
                    inputs=tuple(again.get(each, each) for each in operator.inputs),
                    outputs=(own,),
                )
            )
        return again[name]

    def _leading_to(self, name: str) -> list[Operator]:
        """Operators of the forward pass that make a tensor, in their order."""
        wanted, found = {name}, []
        for operator in reversed(self.forward):
            if not wanted.isdisjoint(operator.outputs):
                found.append(operator)
                wanted.update(operator.inputs)
        return found[::-1]

    def _sum(self, step: _Step, of: Value, known: str | None, made: str, operators: list[Operator]) -> str:
        """What gradients of a value come to."""
        if known is None:
            return made
        role: TensorRole = "parameter_gradient" if of.parameter else "gradient"
        name = self._free(f"{step.joint or 'model'}:gradient_add")
        self.tensors[name] = Tensor(name=name, shape=of.shape, role=role)
        operators.append(
            Operator(
                name=name,
                kind="gradient_add",
                stage=Stage.WEIGHT_GRADIENT if of.parameter else Stage.BACKWARD,
                module=step.joint,
                inputs=(known, made),
                outputs=(name,),
                elements=elements(of.shape),
            )
        )
        return name

    def updates(self, gradients: dict[str, str]) -> Iterator[Operator]:
        """Updates of the weights that learn.

        Args:
            gradients: of them, by name, as ``backward`` gives them.
        """
        for weight in self.parameters:
            if weight.learns:
                yield Operator(
                    name=f"{weight.name}:update",
                    kind="parameter_update",
                    stage=Stage.UPDATE,
                    module=weight.name.rpartition(".")[0],
                    inputs=(weight.name, gradients[weight.name]),
                    outputs=(),
                    parameter=weight.name,
                    elements=elements(weight.shape),
                )

    def _free(self, name: str) -> str:
        """A name that nothing has yet, from now on taken."""
        number, own = 1, name
        while own in self._taken:
            number += 1
            own = f"{name}#{number}"
        self._taken.add(own)
        return own


def elements(shape: Shape) -> Size:
    """How many elements a tensor has: extents of which at most one depends on the batch.

    >>> elements((Size(per_sample=1), Size(fixed=6), Size(fixed=16)))
    Size(fixed=0, per_sample=96, samples=1)
    """
    whole = Size(fixed=1)
    for size in shape:
        if not size.per_sample:
            whole = whole * size.fixed
        else:
            assert not whole.per_sample, "at most one extent depends on the batch"
            whole = size * whole.fixed
    return whole


def largest(*inputs: Value, shape: Shape) -> Size:
    """Elements of the largest operand of vector work, its output among them."""
    return max((elements(each) for each in (shape, *(value.shape for value in inputs))), key=lambda size: size.at(1024))


def renamed(operator: Operator, stands_for: dict[str, str]) -> Operator:
    """An operator that reads others in the place of some tensors."""
    if not any(name in stands_for for name in operator.inputs):
        return operator
    return replace(operator, inputs=tuple(stands_for.get(name, name) for name in operator.inputs))
