"""A decoding step without the neurons that no token of the batch needs: smaller products, whatever array runs them.

Of a feed-forward layer those neurons stay whose activation some token of the batch needs. Each token is taken to need a
share d of them as if drawn by itself, so that B tokens need 1 - (1 - d)^B. Known ``behind``: the product that makes the
activation is whole, what it is multiplied by and what reads it are smaller; what is kept is gathered (``copy``). Known
``ahead``: all products are smaller, foretold by two products of low rank for each token or fixed beforehand. Rows and
columns of kept weights are read as if they lay together (assumed); of what is kept each token has d over the kept share
non-zero, which an array may skip besides. Memory counts the weights that are read. Free of torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..graph import MadeZeros, MatrixProduct, Operator, Size, Tensor, TrainingGraph
from .activation_terms import DecodedNeurons, needed_share
from .activation_units import CUT, SELECTION, ActivationUnit, carried
from .fragment import Fragment, Value
from .splice import with_operators
from .tape import renamed

_ALONG = ("bias_add", "multiply", "elementwise", "relu", "gelu", "silu", "copy")
"""Vector work that neurons pass one by one."""


def with_fewer_neurons(
    graph: TrainingGraph, units: Mapping[ActivationUnit, float], how: DecodedNeurons, *, batch: int
) -> TrainingGraph:
    """The graph of a decoding step in which neurons are left out.

    Args:
        graph: of the step.
        units: activations of feed-forward layers, and the share of the neurons of each that a token needs.
        how: they are known.
        batch: tokens of the step.
    """
    counted: dict[tuple[int, int], int] = {}
    for unit, density in units.items():
        narrowing = _Narrowing.of(graph, unit, how, needed_share(density, batch))
        if narrowing is None:
            continue
        graph = narrowing.made(density)
        counted[narrowing.whole, narrowing.kept] = counted.get((narrowing.whole, narrowing.kept), 0) + 1
    if not counted:
        return graph
    sizes = ", ".join(
        f"{kept} of {whole} neurons of {times} layer{'s' if times > 1 else ''}"
        for (whole, kept), times in counted.items()
    )
    tokens = "one token" if batch == 1 else f"one of {batch} tokens"
    zeros = dict.fromkeys(f"{100 * (1 - find(units.values())):.4g}%" for find in (max, min))
    note = (
        f"It decodes with {sizes}: those that {tokens} needs at {' to '.join(zeros)} zeros each, taken as independent."
    )
    return replace(graph, notes=(*graph.notes, note))


@dataclass(frozen=True, kw_only=True)
class _Narrowing:
    """One feed-forward layer that gets narrower.

    Attributes:
        graph: that it is of.
        unit: its activation.
        how: its neurons are known.
        readers: products that read them.
        whole: neurons that there are.
        kept: those that stay.
        narrow: tensors whose last axis has as many, and weights and biases by the axis that has.
    """

    graph: TrainingGraph
    unit: ActivationUnit
    how: DecodedNeurons
    readers: tuple[Operator, ...]
    whole: int
    kept: int
    narrow: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: TrainingGraph, unit: ActivationUnit, how: DecodedNeurons, needed: float) -> _Narrowing | None:
        """None where products of no weight read the activation, or all neurons are needed."""
        values = carried(graph, [unit.leaving])
        readers = tuple(
            each
            for each in graph.products
            if each.inputs[0] in values and each.parameter is not None and isinstance(each.geometry, MatrixProduct)
        )
        if not readers:
            return None
        geometry = readers[0].geometry
        assert isinstance(geometry, MatrixProduct), "others were left out"
        whole = geometry.k.fixed
        kept = max(1, math.ceil(round(whole * needed, 6)))
        if kept >= whole or graph.tensors[unit.leaving].shape[-1] != Size(fixed=whole):
            return None
        made = cls(graph=graph, unit=unit, how=how, readers=readers, whole=whole, kept=kept)
        made._follow(values)
        return made

    def _follow(self, values: set[str]) -> None:
        """Find what gets narrower: values that carry the neurons, and what they are multiplied by, up to products."""
        ahead = self.how.known == "ahead"
        start = [*(values - {self.unit.leaving}), *([self.unit.leaving] if ahead else [])]
        stays = set() if ahead else {self.unit.leaving}
        waiting = list(start)
        for product in self.readers:
            assert product.parameter is not None, "products of weights"
            self.narrow[product.parameter] = -1
        while waiting:
            name = waiting.pop()
            tensor = self.graph.tensors[name]
            if name in self.narrow or name in stays or tensor.shape[-1:] != (Size(fixed=self.whole),):
                continue
            self.narrow[name] = -1
            made = self.graph.producer.get(name)
            if made is None:
                continue
            if made.is_product and made.parameter is not None:
                self.narrow[made.parameter] = 0
            elif made.kind in _ALONG:
                waiting += made.inputs

    def made(self, density: float) -> TrainingGraph:
        taken = {*self.graph.tensors, *(operator.name for operator in self.graph.operators)}
        fragment = Fragment(self.unit.module, taken)
        operators = list(self._operators(fragment))
        tensors = {
            name: self._tensor(tensor) if name in self.narrow else tensor for name, tensor in self.graph.tensors.items()
        }
        made = with_operators(self.graph, operators, tensors={**tensors, **fragment.tensors})
        present = self.kept / self.whole
        zeros = MadeZeros(input=max(0.0, 1 - density / present), present=present)
        return replace(made, made_zeros=made.made_zeros | {each.module: zeros for each in self.readers})

    def _operators(self, fragment: Fragment) -> Iterator[Operator]:
        unit, ahead = self.unit, self.how.known == "ahead"
        fixed = ahead and self.how.predictor_rank is None
        stands_for: dict[str, str] = {}
        own = {f"{unit.module}.{SELECTION}", *((f"{unit.module}.{CUT}",) if fixed else ())}
        first = self._first_product() if ahead else None
        for operator in self.graph.operators:
            if fixed and operator.module in own:
                # What a sentence needs was found before it.
                stands_for.update(dict.fromkeys(operator.outputs, operator.inputs[0]))
                continue
            if operator is first and self.how.predictor_rank is not None:
                yield from self._predictor(fragment, operator, self.how.predictor_rank)
            yield self._narrowed(renamed(operator, stands_for))
            if not ahead and operator.outputs[:1] == (unit.leaving,):
                yield from self._gathered(fragment, stands_for)

    def _first_product(self) -> Operator | None:
        """Of those that make the neurons."""
        return next((each for each in self.graph.products if self.narrow.get(each.parameter or "") == 0), None)

    def _gathered(self, fragment: Fragment, stands_for: dict[str, str]) -> Iterator[Operator]:
        """What is kept of the activation, one after another."""
        tensor = self.graph.tensors[self.unit.leaving]
        value = Value(name=tensor.name, shape=tensor.shape)
        shape = (*tensor.shape[:-1], Size(fixed=self.kept))
        kept = fragment.vector("copy", (value,), module=fragment.under("kept"), shape=shape, parts=())
        stands_for[tensor.name] = kept.name
        yield fragment.forward[-1]

    def _predictor(self, fragment: Fragment, product: Operator, rank: int) -> Iterator[Operator]:
        """Two products for every token, and a comparison for every neuron."""
        entering, geometry = self.graph.tensors[product.inputs[0]], product.geometry
        assert isinstance(geometry, MatrixProduct), "it makes neurons of a token"
        x, rows, inputs = Value(name=entering.name, shape=entering.shape), geometry.m, geometry.k.fixed
        for name, wide, narrow in (("reduce", inputs, rank), ("expand", rank, self.whole)):
            module = fragment.under(f"predictor.{name}")
            weight = fragment.weight(f"predictor.{name}.weight", (Size(fixed=narrow), Size(fixed=wide)), learns=False)
            x = fragment.linear(x, weight, module=module, rows=rows, inputs=wide, outputs=narrow)
        fragment.vector("elementwise", (x,), module=fragment.under("predictor"), shape=x.shape, parts=())
        yield from fragment.forward

    def _narrowed(self, operator: Operator) -> Operator:
        axis = self.narrow.get(operator.parameter or "")
        geometry = operator.geometry
        if isinstance(geometry, MatrixProduct) and axis is not None:
            extent = Size(fixed=self.kept)
            return replace(operator, geometry=replace(geometry, k=extent) if axis else replace(geometry, n=extent))
        if operator.is_product or not any(name in self.narrow for name in operator.outputs):
            return operator
        size = operator.elements
        return replace(
            operator, elements=replace(size, fixed=self._part(size.fixed), per_sample=self._part(size.per_sample))
        )

    def _part(self, count: int) -> int:
        return count // self.whole * self.kept

    def _tensor(self, tensor: Tensor) -> Tensor:
        shape = list(tensor.shape)
        shape[self.narrow[tensor.name]] = Size(fixed=self.kept)
        return replace(tensor, shape=tuple(shape))
