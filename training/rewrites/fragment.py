"""What stands in the place of a layer: a tape with the operators that layers are made of.

Each method writes one operator of the forward pass, with the gradients that a capture of it has. ``splice`` puts
fragments in the places of layers.
"""

from __future__ import annotations

from ..graph import Convolution, MatrixProduct, Size, Tensor
from .tape import Part, Shape, Tape, Value, elements, largest, renamed

__all__ = ["Fragment", "Part", "Shape", "Value", "elements", "renamed"]


class Fragment(Tape):
    """Operators that stand in the place of a layer."""

    def linear(self, x: Value, weight: Value, *, module: str, rows: Size, inputs: int, outputs: int) -> Value:
        """A value [rows, inputs] times a weight [outputs, inputs] transposed: [rows, outputs]."""
        k, n = Size(fixed=inputs), Size(fixed=outputs)
        return self.write(
            kind="linear",
            module=module,
            inputs=(x, weight),
            shape=(rows, n),
            geometry=MatrixProduct(m=rows, n=n, k=k),
            parameter=self.root(weight),
            parts=(
                Part(
                    of=(x,),
                    kind="linear",
                    inputs=(None, weight.name),
                    geometry=MatrixProduct(m=rows, n=k, k=n),
                    shape=(rows, k),
                ),
                Part(of=(weight,), kind="linear", inputs=(x.name, None), geometry=MatrixProduct(m=k, n=n, k=rows)),
            ),
        )

    def partly_linear(
        self,
        x: Value,
        weight: Value,
        *,
        module: str,
        rows: Size,
        inputs: int,
        outputs: int,
        selected: Value,
        met: Value,
    ) -> Value:
        """``linear`` by a weight of which a part learns.

        Args:
            x: [rows, inputs].
            weight: [outputs, inputs], which does not learn.
            module: that it belongs to.
            rows: of x.
            inputs: of the layer.
            outputs: of the layer.
            selected: the part that does: some rows of the weight, or some columns.
            met: what its gradient is made of: x, or the columns of x that those of the weight meet.
        """
        k, n = Size(fixed=inputs), Size(fixed=outputs)
        made, read = selected.shape
        return self.write(
            kind="linear",
            module=module,
            inputs=(x, weight),
            shape=(rows, n),
            geometry=MatrixProduct(m=rows, n=n, k=k),
            parameter=weight.name,
            parts=(
                Part(
                    of=(x,),
                    kind="linear",
                    inputs=(None, weight.name),
                    geometry=MatrixProduct(m=rows, n=k, k=n),
                    shape=(rows, k),
                ),
                Part(
                    of=(selected,),
                    kind="linear",
                    inputs=(met.name, None),
                    geometry=MatrixProduct(m=read, n=made, k=rows),
                ),
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
            parameter=self.root(weight),
            parts=(
                Part(of=(x,), kind="convolution", inputs=(None, weight.name), geometry=geometry),
                Part(of=(weight,), kind="convolution", inputs=(x.name, None), geometry=geometry),
            ),
        )

    def add(self, first: Value, second: Value, *, module: str) -> Value:
        """The sum of two values of one shape; each has the sum's gradient as its own."""
        parts = tuple(Part(of=(each,), kind="", inputs=(None,)) for each in (first, second))
        return self.vector("add", (first, second), module=module, shape=first.shape, parts=parts)

    def scaled(self, value: Value, *, module: str) -> Value:
        """A value times a constant; so is its gradient."""
        part = Part(of=(value,), kind="multiply", inputs=(None,), elements=elements(value.shape))
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

    def batched(
        self,
        x: Value,
        weight: Value,
        *,
        module: str,
        groups: int,
        rows: Size,
        inputs: int,
        outputs: int,
        copied_back: bool = False,
    ) -> Value:
        """Blocks of x [groups, rows, inputs], each by its own of a weight [groups, outputs, inputs] transposed.

        The gradient of x is copied into x's own order where ``copied_back``.
        """
        count, k, n = Size(fixed=groups), Size(fixed=inputs), Size(fixed=outputs)
        return self.write(
            kind="linear",
            module=module,
            inputs=(x, weight),
            shape=(count, rows, n),
            geometry=MatrixProduct(m=rows, n=n, k=k, count=count),
            parameter=weight.name,
            parts=(
                Part(
                    of=(x,),
                    kind="linear",
                    inputs=(None, weight.name),
                    geometry=MatrixProduct(m=rows, n=k, k=n, count=count),
                    shape=(count, rows, k),
                    then=("copy", ()) if copied_back else None,
                ),
                Part(
                    of=(weight,),
                    kind="linear",
                    inputs=(x.name, None),
                    geometry=MatrixProduct(m=k, n=n, k=rows, count=count),
                ),
            ),
        )

    def weights_product(self, left: Value, right: Value, *, module: str) -> Value:
        """Two weights, [n, r] times [r, k]: a weight [n, k]."""
        (n, r), (_, k) = left.shape, right.shape
        return self.write(
            kind="linear",
            module=module,
            inputs=(left, right),
            shape=(n, k),
            geometry=MatrixProduct(m=n, n=k, k=r),
            parameter=right.name,
            parts=(
                Part(of=(right,), kind="linear", inputs=(left.name, None), geometry=MatrixProduct(m=r, n=k, k=n)),
                Part(of=(left,), kind="linear", inputs=(right.name, None), geometry=MatrixProduct(m=r, n=n, k=k)),
            ),
        )

    def scattered(self, value: Value, kept: Value, places: Value, *, module: str) -> Value:
        """Values added to a matrix at given places; their gradient is gathered from there."""
        return self.write(
            kind="copy",
            module=module,
            inputs=(value, places, kept),
            shape=value.shape,
            elements=elements(value.shape),
            parameter=kept.name,
            parts=(
                Part(of=(kept,), kind="copy", inputs=(None, places.name), elements=elements(kept.shape)),
                Part(of=(value,), kind="", inputs=(None,)),
            ),
        )

    def gated(self, value: Value, gate: Value, *, module: str) -> Value:
        """A value times numbers along its last axis, which learn: their gradient is summed over the other axes."""
        whole = elements(value.shape)
        parts = (
            Part(of=(value,), kind="multiply", inputs=(None, gate.name), elements=whole),
            Part(
                of=(gate,),
                kind="multiply",
                inputs=(None, value.name),
                elements=whole,
                shape=value.shape,
                then=("reduce", ()),
            ),
        )
        return self.vector("multiply", (value, gate), module=module, shape=value.shape, parts=parts)

    def magnitude(self, value: Value, *, module: str) -> Value:
        """What a value is without its sign, which nothing is propagated through."""
        return self.vector("elementwise", (value,), module=module, shape=value.shape, parts=())

    def shifted(self, value: Value, by: Value, *, module: str) -> Value:
        """A value with a number added along one axis, whose gradient is summed over the others."""
        parts = (
            Part(of=(value,), kind="", inputs=(None,)),
            Part(of=(by,), kind="bias_gradient", inputs=(None,), elements=elements(value.shape)),
        )
        return self.vector("bias_add", (value, by), module=module, shape=value.shape, parts=parts)

    def masked(self, value: Value, scores: Value, *, module: str) -> Value:
        """A value times a mask made of scores; its gradient goes to it there, and times the value to the scores."""
        whole, straight = elements(value.shape), Part(of=(scores,), kind="", inputs=(None,))
        mask = self.vector("elementwise", (scores,), module=module, shape=value.shape, parts=(straight,))
        parts = (
            Part(of=(value,), kind="multiply", inputs=(None, mask.name), elements=whole),
            Part(of=(mask,), kind="multiply", inputs=(None, value.name), elements=whole),
        )
        return self.vector("multiply", (value, mask), module=module, shape=value.shape, parts=parts)

    def first_columns(self, value: Value, shape: Shape, *, module: str) -> Value:
        """The first columns of a value, copied for the backward pass alone."""
        return self.write(kind="copy", module=module, inputs=(value,), shape=shape, elements=elements(shape), parts=())

    def gathered(self, value: Value, places: Value, shape: Shape, *, module: str) -> Value:
        """Some columns of a value; their gradient is added up in zeros of its size."""
        whole = elements(value.shape)
        part = Part(of=(value,), kind="zero_fill", inputs=(None,), elements=whole, then=("copy", (places.name, None)))
        return self.write(
            kind="copy", module=module, inputs=(value, places), shape=shape, elements=elements(shape), parts=(part,)
        )

    def added_at(self, value: Value, few: Value, places: Value, *, module: str) -> Value:
        """A value with columns added to some of its own; their gradient is gathered from there."""
        part = Part(of=(few,), kind="copy", inputs=(None, places.name), elements=elements(few.shape))
        same = Part(of=(value,), kind="", inputs=(None,))
        return self.vector("copy", (value, places, few), module=module, shape=value.shape, parts=(part, same))

    def moved(self, value: Value, shape: Shape, *, module: str, back: bool) -> Value:
        """A value copied into another order; so is its gradient where ``back``, or else it is read as it lies."""
        part = Part(of=(value,), kind="copy" if back else "", inputs=(None,), elements=elements(value.shape))
        return self.vector("copy", (value,), module=module, shape=shape, parts=(part,))

    def gradient(self, name: str, of: Value) -> str:
        """A tensor of the backward pass as large as a value, for an operator that its maker writes; the name it has."""
        own = self._free(name)
        self.tensors[own] = Tensor(name=own, shape=of.shape, role="gradient")
        return own

    def relu(self, value: Value, *, module: str) -> Value:
        """What is above zero."""
        part = Part(of=(value,), kind="relu_backward", inputs=(None, 0), elements=elements(value.shape))
        return self.vector("relu", (value,), module=module, shape=value.shape, parts=(part,))

    def batch_norm(self, value: Value, *, name: str, learns: bool) -> Value:
        """A batch normalisation over the channels, the second axis, with a scale and a shift of its own.

        Args:
            value: [batch, channels, ...].
            name: of the module, under the layer.
            learns: whether scale and shift do.
        """
        channels = (value.shape[1],)
        scale, shift = (self.weight(f"{name}.{each}", channels, learns=learns) for each in ("weight", "bias"))
        mean, variance = (self.constant(f"{name}.running_{each}", channels) for each in ("mean", "var"))
        part = Part(
            of=(value, scale, shift),
            kind="batch_norm_backward",
            inputs=(None, value.name, scale.name, mean.name, variance.name, 1, 2),
            elements=elements(value.shape),
        )
        return self.write(
            kind="batch_norm",
            module=self.under(name),
            inputs=(value, scale, shift, mean, variance),
            shape=value.shape,
            elements=elements(value.shape),
            parameter=scale.name,
            extra=(channels, channels),
            parts=(part,),
        )
