"""What stands in the place of a layer: its forward pass as it is written down, and the backward pass that follows.

A fragment is a tape. Each method writes one operator of the forward pass; ``backward`` goes over them from the last to
the first, as autograd does: a gradient of every value that leads to something that learns, added up (``gradient_add``)
where a value is read more than once. ``splice`` puts fragments in the places of layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..graph import Convolution, Geometry, MatrixProduct, Operator, Size, Stage, Tensor, TensorRole

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
    """

    name: str
    shape: Shape
    learns: bool = False
    parameter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The gradient of one value that an operator read.

    Attributes:
        of: the value.
        kind: of the operator that makes it.
        inputs: names that it reads, from the gradient of the operator's output; None in the place of that gradient.
        geometry: of a product.
        elements: of vector work.
        shape: of the gradient, where it is not the value's own.
    """

    of: Value
    kind: str
    inputs: tuple[str | None, ...]
    geometry: Geometry | None = None
    elements: Size = _NONE
    shape: Shape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """An operator of the forward pass and what its backward pass makes."""

    operator: Operator
    output: Value
    parts: tuple[Part, ...]
    joint: str


class Fragment:
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

    # What it is made of ----------------------------------------------------------------------------------------------

    def under(self, name: str) -> str:
        """The path of a module inside the layer."""
        return f"{self.module}.{name}" if self.module else name

    def weight(self, name: str, shape: Shape, *, learns: bool) -> Value:
        """A weight of its own, named under the layer's path."""
        return self._weight(self._free(self.under(name)), shape, learns=learns)

    def _weight(self, name: str, shape: Shape, *, learns: bool) -> Value:
        self.tensors[name] = Tensor(name=name, shape=shape, role="parameter")
        value = Value(name=name, shape=shape, learns=learns, parameter=True)
        self.parameters.append(value)
        return value

    def kept(self, tensor: Tensor, *, learns: bool) -> Value:
        """A weight that the layer had before, under its name."""
        return self._weight(tensor.name, tensor.shape, learns=learns)

    # Products --------------------------------------------------------------------------------------------------------

    def linear(self, x: Value, weight: Value, *, module: str, rows: Size, inputs: int, outputs: int) -> Value:
        """A value [rows, inputs] times a weight [outputs, inputs] transposed: [rows, outputs]."""
        k, n = Size(fixed=inputs), Size(fixed=outputs)
        return self.write(
            kind="linear",
            module=module,
            inputs=(x, weight),
            shape=(rows, n),
            geometry=MatrixProduct(m=rows, n=n, k=k),
            parameter=weight.name,
            parts=(
                Part(
                    of=x,
                    kind="linear",
                    inputs=(None, weight.name),
                    geometry=MatrixProduct(m=rows, n=k, k=n),
                    shape=(rows, k),
                ),
                Part(of=weight, kind="linear", inputs=(x.name, None), geometry=MatrixProduct(m=k, n=n, k=rows)),
            ),
        )

    def convolution(self, x: Value, weight: Value, *, module: str, geometry: Convolution) -> Value:
        """A convolution of x by a weight."""
        return self.write(
            kind="convolution",
            module=module,
            inputs=(x, weight),
            shape=(geometry.batch, *(Size(fixed=each) for each in (geometry.out_channels, *geometry.output_size))),
            geometry=geometry,
            parameter=weight.name,
            parts=(
                Part(of=x, kind="convolution", inputs=(None, weight.name), geometry=geometry),
                Part(of=weight, kind="convolution", inputs=(x.name, None), geometry=geometry),
            ),
        )

    def add(self, first: Value, second: Value, *, module: str) -> Value:
        """The sum of two values of one shape; each has the sum's gradient as its own."""
        parts = tuple(Part(of=each, kind="", inputs=(None,)) for each in (first, second))
        return self.vector("add", (first, second), module=module, shape=first.shape, parts=parts)

    def scaled(self, value: Value, *, module: str) -> Value:
        """A value times a constant; so is its gradient."""
        part = Part(of=value, kind="multiply", inputs=(None,), elements=elements(value.shape))
        return self.vector("multiply", (value,), module=module, shape=value.shape, parts=(part,))

    def vector(
        self, kind: str, inputs: tuple[Value, ...], *, module: str, shape: Shape, parts: tuple[Part, ...]
    ) -> Value:
        """Vector work of one kind over as many elements as its largest operand has.

        Args:
            kind: a word of ``configs.vector_kinds``.
            inputs: that it reads.
            module: that it belongs to.
            shape: of its output.
            parts: gradients of what it reads; one without a kind is the output's gradient itself.
        """
        return self.write(
            kind=kind, module=module, inputs=inputs, shape=shape, elements=largest(*inputs, shape=shape), parts=parts
        )

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
        value = Value(name=name, shape=shape, learns=any(part.of.learns for part in parts))
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
                if not part.of.learns:
                    continue
                made = self._gradient(step, part, above, operators)
                found[part.of.name] = self._sum(step, part.of, found.get(part.of.name), made, operators)
        return operators, found

    def _gradient(self, step: _Step, part: Part, above: str, operators: list[Operator]) -> str:
        """The gradient of a value that one operator read."""
        if not part.kind:
            return above
        of = step.operator
        stage = Stage.WEIGHT_GRADIENT if part.of.parameter else Stage.BACKWARD
        name = self._gradient_tensor(
            f"{of.module or 'model'}:{stage.value if part.geometry is not None else part.kind}",
            part.shape or part.of.shape,
            "parameter_gradient" if part.of.parameter else "gradient",
        )
        operators.append(
            Operator(
                name=name,
                kind=part.kind,
                stage=stage,
                module=of.module,
                inputs=tuple(above if each is None else each for each in part.inputs),
                outputs=(name,),
                geometry=part.geometry,
                parameter=of.parameter if part.geometry is not None else None,
                elements=part.elements,
            )
        )
        return name

    def _sum(self, step: _Step, of: Value, known: str | None, made: str, operators: list[Operator]) -> str:
        """What gradients of a value come to."""
        if known is None:
            return made
        role: TensorRole = "parameter_gradient" if of.parameter else "gradient"
        name = self._gradient_tensor(f"{step.joint or 'model'}:gradient_add", of.shape, role)
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

    def _gradient_tensor(self, name: str, shape: Shape, role: TensorRole) -> str:
        own = self._free(name)
        self.tensors[own] = Tensor(name=own, shape=shape, role=role)
        return own

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
