"""A graph with some of its coupled extents changed: every tensor, product and vector operation follows.

What an operator's extents were before, they must be after: a tensor that was exactly as large as a side of its product,
or as the result of its operation, still is. Where that does not hold something is coupled that was not found, and the
rewrite is refused with the operator's name. Free of torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ...configs.errors import ConfigError
from ..graph import Convolution, Geometry, MatrixProduct, Operator, Size, Stage, TrainingGraph
from .coupling import Coupling, Extent, extent_of
from .factors import Factor, atoms, cancelled, product, without_constants

_Quantity = tuple[tuple[Size, ...], int]
"""Elements: the units that are not one, and the number of them."""


def resized(coupled: Coupling, sizes: Mapping[Factor, int]) -> TrainingGraph:
    """The graph in which some factors have other sizes.

    Args:
        coupled: the graph and its factors.
        sizes: new ones, of factors that are neither pinned nor a concatenation of others.

    Raises:
        ConfigError: an operator no longer fits its operands.
    """
    return _Resizing(coupled=coupled, sizes=dict(sizes)).made()


@dataclass(kw_only=True)
class _Resizing:
    coupled: Coupling
    sizes: dict[Factor, int]

    def made(self) -> TrainingGraph:
        graph = self.coupled.graph
        self._follow_sums()
        for operator in graph.operators:
            self._check(operator)
        return replace(
            graph,
            tensors={
                name: replace(tensor, shape=self._shape(name, tensor.shape)) for name, tensor in graph.tensors.items()
            },
            operators=tuple(self._operator(operator) for operator in graph.operators),
            # Torch's counter counted another network.
            counted_macs={},
        )

    def _follow_sums(self) -> None:
        """Sizes of concatenations, from those of their parts."""
        extents = (extent for each in self.coupled.extents.values() for extent in each)
        summed = {atom for extent in extents for atom in atoms(extent.factors) if atom.sums}
        for atom in summed:
            self._sum(atom)

    def _sum(self, atom: Factor) -> int:
        if atom in self.sizes:
            return self.sizes[atom]
        found = set()
        for parts in atom.sums:
            for part in parts:
                for inner in atoms(part):
                    if inner.sums:
                        self._sum(inner)
            found.add(sum(self._count(part) for part in parts))
        if len(found) > 1 or (atom.pinned and found != {atom.size}):
            why = atom.pinned or f"concatenations of {sorted(found)} channels would have to be equal"
            raise _refused(f"a concatenation of {atom.size} that can follow its parts", why)
        (self.sizes[atom],) = found
        return self.sizes[atom]

    def _runs(self, parts: Sequence[tuple[Factor, ...]], before: int, after: int) -> bool:
        """Whether neighbouring parts were so many together, and are so many now."""
        old = [math.prod(atom.size for atom in atoms(part)) for part in parts]
        new = [self._count(part) for part in parts]
        spans = ((first, last) for first in range(len(old)) for last in range(first + 1, len(old) + 1))
        return any(sum(old[a:b]) == before and sum(new[a:b]) == after for a, b in spans)

    def _count(self, factors: Iterable[Factor]) -> int:
        return math.prod(self.sizes.get(atom, atom.size) for atom in atoms(factors))

    def _size(self, extent: Extent, before: Size) -> Size:
        return extent.unit * self._count(extent.factors) if extent.factors else before

    def _shape(self, name: str, before: Sequence[Size]) -> tuple[Size, ...]:
        return tuple(map(self._size, self.coupled.extents[name], before))

    def _operator(self, operator: Operator) -> Operator:
        if operator.geometry is not None:
            return replace(operator, geometry=self._geometry(operator, operator.geometry))
        return replace(operator, elements=self._elements(operator))

    def _geometry(self, operator: Operator, geometry: Geometry) -> Geometry:
        sides = self.coupled.sides[operator.name]
        match geometry:
            case Convolution():
                return replace(
                    geometry,
                    in_channels=self._count(sides["in_channels"]),
                    out_channels=self._count(sides["out_channels"]),
                    groups=self._count(sides["groups"]),
                )
            case MatrixProduct():
                return replace(
                    geometry,
                    m=self._size(sides.of["m"], geometry.m),
                    n=self._size(sides.of["n"], geometry.n),
                    k=self._size(sides.of["k"], geometry.k),
                    count=self._size(sides.of["count"], geometry.count),
                )

    def _elements(self, operator: Operator) -> Size:
        """Elements of vector work: those of the operand or result that had as many, else in proportion."""
        before = operator.elements
        if before == Size():
            return before
        touched = (*operator.inputs, *operator.outputs)
        wanted = _quantity((extent_of(before),), None)
        ratios = {self._ratio(name) for name in touched if self._old(name) == wanted}
        if ratios:
            return _times(before, max(ratios), operator)
        if all(self._ratio(name) == 1 for name in touched):
            return before
        if not self._in_part(operator):
            raise _refused(
                f"that {operator.name} touches as many elements as one of its operands", "it reads parts of several"
            )
        return _times(before, self._ratio(operator.outputs[0]), operator)

    def _in_part(self, operator: Operator) -> bool:
        """Whether its operands are its result times constants, but for concatenations that it reads a part of."""
        for name in operator.inputs:
            ours, theirs = cancelled(self.coupled.factors(name), self.coupled.factors(operator.outputs[0]))
            changed = [atom for atom in ours if self.sizes.get(atom, atom.size) != atom.size]
            if any(not atom.sums or not theirs for atom in changed):
                return False
        return bool(operator.outputs)

    def _old(self, tensor: str) -> _Quantity:
        return _quantity(self.coupled.extents[tensor], None)

    def _new(self, tensor: str) -> _Quantity:
        return _quantity(self.coupled.extents[tensor], self)

    def _ratio(self, tensor: str) -> Fraction:
        return Fraction(self._new(tensor)[1], self._old(tensor)[1])

    def _check(self, operator: Operator) -> None:
        for name, extents in self._exact(operator):
            if self._old(name) == _quantity(extents, None):
                fits = self._new(name) == _quantity(extents, self)
            else:
                fits = self._whole_parts(name, extents)
            if not fits:
                raise _refused(
                    f"that {name} is as large as {operator.name} needs it",
                    "what is coupled there cannot be told from the captured sizes",
                )

    def _whole_parts(self, name: str, extents: Iterable[Extent]) -> bool:
        """Whether what is read of a concatenation is still some of its parts."""
        needed = [factor for extent in extents for factor in extent.factors]
        ours, theirs = without_constants(*cancelled(self.coupled.factors(name), needed))
        large, small = (ours, theirs) if product(ours) >= product(theirs) else (theirs, ours)
        sums = [parts for atom in large for parts in atom.sums]
        same = all(self._count(each) == product(each) for each in (large, small))
        if not sums or not small or same:
            return True
        constant = all(self.sizes.get(atom, atom.size) == atom.size for atom in large if not atom.sums)
        return constant and any(self._runs(parts, product(small), self._count(small)) for parts in sums)

    def _exact(self, operator: Operator) -> list[tuple[str, tuple[Extent, ...]]]:
        """Tensors, and the extents that they may be exactly as large as."""
        geometry, made = operator.geometry, operator.outputs[:1]
        if geometry is None:
            if operator.stage is Stage.UPDATE:
                return [(name, self.coupled.extents[operator.inputs[0]]) for name in operator.inputs[1:]]
            return [(name, self.coupled.extents[made[0]]) for name in (*operator.inputs, *operator.outputs[1:]) if made]
        sides = self.coupled.sides[operator.name].of
        first, second = operator.inputs[:2]
        if isinstance(geometry, MatrixProduct):
            m, n, k, count = (sides[side] for side in ("m", "n", "k", "count"))
            return [(first, (count, m, k)), (second, (count, k, n)), (made[0], (count, m, n))]
        source, result = {
            Stage.FORWARD: (first, made[0]),
            Stage.BACKWARD: (made[0], first),
        }.get(operator.stage, (first, second))
        batch = extent_of(geometry.batch)
        return [
            (source, (batch, sides["in_channels"], *map(_space, geometry.input_size))),
            (result, (batch, sides["out_channels"], *map(_space, geometry.output_size))),
        ]


def _space(size: int) -> Extent:
    return Extent(Size(1), (Factor(size, pinned="it is an extent of images"),) if size > 1 else ())


def _quantity(extents: Iterable[Extent], resizing: _Resizing | None) -> _Quantity:
    units: list[Size] = []
    count = 1
    for extent in extents:
        if extent.unit.per_sample:
            units.append(extent.unit)
        else:
            count *= extent.unit.fixed
        factors = extent.factors
        count *= math.prod(a.size for a in atoms(factors)) if resizing is None else resizing._count(factors)
    return tuple(sorted(units, key=repr)), count


def _times(size: Size, ratio: Fraction, operator: Operator) -> Size:
    fixed, per_sample = size.fixed * ratio, size.per_sample * ratio
    if fixed.denominator > 1 or per_sample.denominator > 1:
        raise _refused(f"a whole number of elements of {operator.name}", f"{ratio} of them would be left")
    return replace(size, fixed=int(fixed), per_sample=int(per_sample))


def _refused(need: str, why: str) -> ConfigError:
    return ConfigError(
        f"got a network that cannot be resized so, need {need}: {why}; try other layers, or another size of input"
    )
