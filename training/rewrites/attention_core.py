"""What stands in the place of an attention's core: of the products of its scores, and all work between them.

A core takes queries, keys and values as the products of attention read them, and makes what the mixing product made;
backward it takes the gradient of that and makes theirs. What was tied to the scores goes, its masks and its dropout
among it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...configs.errors import ConfigError
from ..attention import Attention
from ..graph import MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from .fragment import Fragment, Shape, Value, elements, renamed
from .splice import with_operators
from .tape import Part


@dataclass(frozen=True, kw_only=True)
class Core:
    """What a core takes: queries [count, Q, width], keys [count, K, width], values [count, K, depth].

    Attributes:
        queries: of them.
        keys: of them.
        values: of them.
        square: Q and K.
        count: heads, and samples.
        width: of a query.
        depth: of a value.
    """

    queries: Value
    keys: Value
    values: Value
    square: tuple[int, int]
    count: Size
    width: int
    depth: int


class CoreTape(Fragment):
    """A fragment of products of activations, with views between its operators."""

    def __init__(self, module: str, taken: set[str]) -> None:
        """A fragment without operators; arguments as for ``Fragment``."""
        super().__init__(module, taken)
        self._views: dict[str, str] = {}
        self._beforehand: list[Operator] = []

    def vector_work(self, kind: str, value: Value, shape: Shape, part: Part | None = None) -> Value:
        """Vector work on one value, and its gradient."""
        parts = () if part is None else (part,)
        return self.vector(kind, (value,), module=self.module, shape=shape, parts=parts)

    def viewed(self, value: Value, shape: Shape, *, kind: str, of: Shape) -> Value:
        """A view of a value, which takes no work; its gradient may, on so many elements."""
        part = Part(of=(value,), kind=kind, inputs=(None,), elements=elements(of))
        view = self.write(kind="view", module=self.module, inputs=(value,), shape=shape, parts=(part,))
        # It is read by what it is a view of.
        self.forward.pop()
        del self.tensors[view.name]
        self._views[view.name] = self._views.get(value.name, value.name)
        return view

    def product(self, left: Value, right: Value, extents: tuple[int, int, int], count: Size) -> Value:
        """[count, m, k] by [count, k, n]."""
        m, n, k = (Size(fixed=extent) for extent in extents)
        return self.write(
            kind="matmul",
            module=self.module,
            inputs=(left, right),
            shape=(count, m, n),
            geometry=MatrixProduct(m=m, n=n, k=k, count=count),
            parts=(
                Part(
                    of=(left,),
                    kind="matmul",
                    inputs=(None, right.name),
                    geometry=MatrixProduct(m=m, n=k, k=n, count=count),
                    shape=(count, m, k),
                ),
                Part(
                    of=(right,),
                    kind="matmul",
                    inputs=(left.name, None),
                    geometry=MatrixProduct(m=k, n=n, k=m, count=count),
                    shape=(count, k, n),
                ),
            ),
        )

    def by_matrix(self, value: Value, matrix: Value, rows: Size, extents: tuple[int, int]) -> Value:
        """[rows, k] by a matrix [k, n] that never learns."""
        k, n = (Size(fixed=extent) for extent in extents)
        return self.write(
            kind="matmul",
            module=self.module,
            inputs=(value, matrix),
            shape=(rows, n),
            geometry=MatrixProduct(m=rows, n=n, k=k),
            parts=(
                Part(
                    of=(value,),
                    kind="matmul",
                    inputs=(None, matrix.name),
                    geometry=MatrixProduct(m=rows, n=k, k=n),
                    shape=(rows, k),
                ),
            ),
        )

    def exponential(self, value: Value) -> Value:
        """The exponential function of a value."""
        part = Part(of=(value,), kind="multiply", inputs=(None, 0), elements=elements(value.shape))
        return self.vector_work("transcendental", value, value.shape, part)

    def summed(self, value: Value, shape: Shape) -> Value:
        """A value summed along an axis; its gradient is spread by who reads it."""
        return self.vector_work("reduce", value, shape, Part(of=(value,), kind="", inputs=(None,)))

    def difference(self, first: Value, second: Value) -> Value:
        """One value less another one of the same shape."""
        parts = (
            Part(of=(first,), kind="", inputs=(None,)),
            Part(of=(second,), kind="elementwise", inputs=(None,), elements=elements(first.shape)),
        )
        return self.vector("add", (first, second), module=self.module, shape=first.shape, parts=parts)

    def divided(self, value: Value, divisor: Value) -> Value:
        """A value times the inverse of another one, which has one number a row."""
        squared = self._free_square(divisor)
        part = Part(of=(divisor,), kind="multiply", inputs=(None, squared), elements=elements(divisor.shape))
        inverse = self.vector_work("transcendental", divisor, divisor.shape, part)
        if inverse.learns:
            self._square(squared, inverse)
        negated = self.viewed(inverse, divisor.shape, kind="elementwise", of=divisor.shape)
        spread = self.viewed(negated, value.shape, kind="reduce", of=value.shape)
        whole = elements(value.shape)
        parts = (
            Part(of=(spread,), kind="multiply", inputs=(None, value.name), elements=whole),
            Part(of=(value,), kind="multiply", inputs=(None, spread.name), elements=whole),
        )
        return self.vector("multiply", (value, spread), module=self.module, shape=value.shape, parts=parts)

    def _free_square(self, divisor: Value) -> str:
        name = self._free(f"{self.module or 'model'}:multiply")
        self.tensors[name] = Tensor(name=name, shape=divisor.shape, role="gradient")
        return name

    def _square(self, name: str, inverse: Value) -> None:
        """The square of an inverse, which its gradient is multiplied by."""
        self._beforehand.append(
            Operator(
                name=name,
                kind="multiply",
                stage=Stage.BACKWARD,
                module=self.module,
                inputs=(inverse.name,),
                outputs=(name,),
                elements=elements(inverse.shape),
            )
        )

    def both_ways(self, output: Value, gradient: str | None) -> tuple[list[Operator], list[Operator], dict[str, str]]:
        """Operators forward and backward, and the gradient of every value that has one.

        Args:
            output: of the core.
            gradient: of it; None of a forward pass alone.
        """
        forward = [renamed(each, self._views) for each in self.forward]
        if gradient is None:
            return forward, [], {}
        backward, gradients = self.backward(output, gradient)
        return forward, [renamed(each, self._views) for each in (*self._beforehand, *backward)], gradients


Build = Callable[[CoreTape, Core], Value]
"""Writes the forward pass of a core, and gives its output."""


def with_cores(graph: TrainingGraph, attention: Sequence[Attention], build: Build) -> TrainingGraph:
    """The graph with another core in the place of each attention's.

    Args:
        graph: of a training step or a forward pass.
        attention: of it.
        build: what stands in their place.

    Raises:
        ConfigError: scores of one are read by something else.
    """
    taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
    instead: dict[str, list[Operator]] = {}
    stands_for: dict[str, str] = {}
    tensors: dict[str, Tensor] = dict(graph.tensors)
    for each in attention:
        place = _Place(graph, each)
        tape = CoreTape(each.module, taken)
        output = build(tape, place.core)
        forward, backward, gradients = tape.both_ways(output, place.gradient)
        instead |= {name: [] for name in place.removed}
        instead[each.mixing.name] = forward
        stands_for[each.mixing.outputs[0]] = output.name
        if place.first_backward is not None:
            instead[place.first_backward.name] = backward
            stands_for |= {old: gradients[value] for old, value in place.gradients.items()}
        tensors |= tape.tensors
    operators = [
        renamed(each, stands_for) for operator in graph.operators for each in instead.get(operator.name, [operator])
    ]
    return with_operators(graph, operators, tensors=tensors)


class _Place:
    """What of a graph a core stands in the place of.

    Attributes:
        core: what it takes.
        gradient: of what it makes; None of a forward pass.
        gradients: that it makes: the tensor that held each, and the value that it is of.
        removed: operators that go.
        first_backward: the first of them in the backward pass.
    """

    def __init__(self, graph: TrainingGraph, attention: Attention) -> None:
        self._graph = graph
        self._attention = attention
        products = [each for each in graph.products if each.name in attention.axes]
        self._backward = [each for each in products if each.stage is not Stage.FORWARD]
        self.removed = {each.name for each in products} | {
            each.name for name in attention.whole if (each := graph.producer.get(name)) is not None
        }
        self._remove_masks()
        self._check_readers()
        self.core = self._core()
        self.gradients = dict(self._gradients())
        self.gradient = next(
            (
                name
                for each in self._backward
                if self._is_of_values(each)
                for name in each.inputs[:2]
                if self._enters(name)
            ),
            None,
        )
        self.first_backward = next((each for each in graph.operators if self._goes_backward(each)), None)

    def _goes_backward(self, operator: Operator) -> bool:
        return operator.name in self.removed and operator.stage is not Stage.FORWARD

    def _enters(self, name: str) -> bool:
        return name not in self._attention.whole

    def _remove_masks(self) -> None:
        """Masks that nobody reads any more go, from the last on."""
        for operator in reversed(self._graph.operators):
            made = operator.outputs
            if made and self._attention.masks.issuperset(made):
                readers = {each.name for name in made for each in self._graph.consumers.get(name, ())}
                if readers <= self.removed:
                    self.removed.add(operator.name)

    def _check_readers(self) -> None:
        for name in self._attention.whole:
            for reader in self._graph.consumers.get(name, ()):
                if reader.name not in self.removed:
                    raise ConfigError(
                        f"layers: got {self._attention.module} of {self._graph.name}, need attention whose scores "
                        f"nobody else reads, as {reader.name} does",
                        field="layers",
                    )

    def _core(self) -> Core:
        attention = self._attention
        scores, mixing = attention.scores.geometry, attention.mixing.geometry
        assert isinstance(scores, MatrixProduct), "attention is made of products of matrices"
        assert isinstance(mixing, MatrixProduct), "attention is made of products of matrices"
        queries, keys = attention.square
        of_values = next(name for name in attention.mixing.inputs[:2] if self._enters(name))
        depth = mixing.n.fixed if attention.axes[attention.mixing.name][0] == "m" else mixing.m.fixed
        learning = {name for _, name in self._gradients()}

        def value(name: str, rows: int, width: int) -> Value:
            return Value(name=name, shape=(scores.count, Size(fixed=rows), Size(fixed=width)), learns=name in learning)

        of_queries, of_keys = attention.scores.inputs[:2]
        return Core(
            queries=value(of_queries, queries, scores.k.fixed),
            keys=value(of_keys, keys, scores.k.fixed),
            values=value(of_values, keys, depth),
            square=attention.square,
            count=scores.count,
            width=scores.k.fixed,
            depth=depth,
        )

    def _is_of_values(self, product: Operator) -> bool:
        """Whether a product makes the gradient of values: weights are what it sums over queries."""
        held = next((name for name in product.inputs[:2] if name in self._attention.whole), None)
        return held is not None and self._graph.tensors[held].role != "gradient"

    def _gradients(self) -> Iterator[tuple[str, str]]:
        """Tensors that hold gradients of what enters, and what they are of."""
        attention = self._attention
        for product in self._backward:
            if product.outputs[0] in attention.whole:
                continue
            of_queries, of_keys = attention.scores.inputs[:2]
            if self._is_of_values(product):
                yield product.outputs[0], next(name for name in attention.mixing.inputs[:2] if self._enters(name))
            else:
                yield product.outputs[0], of_queries if attention.axes[product.name][1] == "k" else of_keys
