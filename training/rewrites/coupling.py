"""Which extents of a graph are coupled: found from its operators and sizes, for networks of any kind. Free of torch.

Every extent is a product of factors (``factors``). Rules of the operators say what must be equal: an addition its two
sides, a normalisation its channels, a depthwise convolution its input and output, a product its operands and its
result, an update a parameter and its gradient. A concatenation makes a sum, the groups of a convolution or of a
normalisation a constant that stays. What enters the network, what leaves it, and the space of images do not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ..graph import Convolution, MatrixProduct, Operator, Size, Stage, TrainingGraph
from ..passes.inference import LOSS_MODULE
from .factors import Factor, atoms, pin, product, split
from .matching import Trust, relate

Rule = Callable[[Trust], bool]
"""Concludes what may be concluded, and says whether nothing is left for a later round."""

ENDS = ("the loss is computed of it", "the network hands it out")
"""How it is said of a factor that it is an extent of what leaves the network."""

_PER_CHANNEL = ("batch_norm", "group_norm")


@dataclass(frozen=True, slots=True)
class Extent:
    """An extent: a unit, which holds the batch, times factors."""

    unit: Size
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The extents of a product by the name that its geometry has for them."""

    of: dict[str, Extent]

    def __getitem__(self, name: str) -> tuple[Factor, ...]:
        return self.of[name].factors


@dataclass(frozen=True, kw_only=True)
class Coupling:
    """A graph whose extents are factors.

    Attributes:
        graph: that was looked at.
        extents: of every tensor, an extent an axis.
        sides: of every product, by the operator's name.
    """

    graph: TrainingGraph
    extents: dict[str, tuple[Extent, ...]]
    sides: dict[str, Sides]

    def factors(self, tensor: str) -> list[Factor]:
        """All of a tensor, outermost first."""
        return [factor for extent in self.extents[tensor] for factor in extent.factors]


def coupling(graph: TrainingGraph) -> Coupling:
    """Find what is coupled."""
    solver = _Solver(graph=graph)
    solver.solve()
    return Coupling(graph=graph, extents=solver.extents, sides=solver.sides)


def extent_of(size: Size) -> Extent:
    """An extent of a factor of its own."""
    if size.per_sample and size.fixed:
        return Extent(size, ())
    count = size.per_sample or size.fixed
    unit = Size(per_sample=1, samples=size.samples) if size.per_sample else Size(fixed=1)
    return Extent(unit, (Factor(count),) if count > 1 else ())


@dataclass(kw_only=True)
class _Solver:
    graph: TrainingGraph
    extents: dict[str, tuple[Extent, ...]] = field(default_factory=dict)
    sides: dict[str, Sides] = field(default_factory=dict)
    _weights: dict[str, bool] = field(default_factory=dict)

    def solve(self) -> None:
        self.extents = {name: tuple(map(extent_of, each.shape)) for name, each in self.graph.tensors.items()}
        self._pin_ends()
        left = [rule for operator in self.graph.operators for rule in self._rules(operator)]
        for trust in Trust:
            before = len(left) + 1
            while len(left) < before:
                before = len(left)
                left = [rule for rule in left if not rule(trust)]

    def _pin_ends(self) -> None:
        read = {name for operator in self.graph.operators for name in operator.inputs}
        for name, tensor in self.graph.tensors.items():
            if tensor.role == "input":
                pin(self._of(name), f"it is an extent of what enters the network ({name})")
        for operator in self.graph.operators:
            touched = (*operator.inputs, *operator.outputs)
            why = ""
            if operator.module == LOSS_MODULE or operator.kind.startswith("nll_loss"):
                why = f"{ENDS[0]} ({operator.name})"
            elif operator.kind == "unknown":
                why = f"{operator.name} is of an unknown kind"
            elif operator.stage is Stage.FORWARD and read.isdisjoint(operator.outputs):
                touched, why = operator.outputs[:1], f"{ENDS[1]} ({operator.name})"
            if why:
                for name in touched:
                    pin(self._of(name), why)

    def _of(self, tensor: str) -> list[Factor]:
        return [factor for extent in self.extents[tensor] for factor in extent.factors]

    def _axis(self, tensor: str, axis: int) -> tuple[Factor, ...]:
        return self.extents[tensor][axis].factors

    # Rules, an operator at a time.

    def _rules(self, operator: Operator) -> Iterator[Rule]:
        match operator.geometry:
            case Convolution() as geometry:
                yield from self._convolution(operator, geometry)
            case MatrixProduct() as geometry:
                yield from self._product(operator, geometry)
            case None:
                yield from self._vector(operator)

    def _convolution(self, operator: Operator, shape: Convolution) -> Iterator[Rule]:
        incoming, outgoing, groups = self._channels(operator, shape)
        self.sides[operator.name] = Sides(
            of={
                "batch": Extent(shape.batch, ()),
                "in_channels": Extent(Size(1), incoming),
                "out_channels": Extent(Size(1), outgoing),
                "groups": Extent(Size(1), groups),
            }
        )
        first, second, made = *operator.inputs[:2], operator.outputs[0]
        source, weight, result = {
            Stage.FORWARD: (first, second, made),
            Stage.BACKWARD: (made, second, first),
        }.get(operator.stage, (first, made, second))
        why = f"{operator.name} sees it in a shape from which its channels cannot be told"
        yield self._image(source, incoming, (shape.in_channels, *shape.input_size), why)
        yield self._image(result, outgoing, (shape.out_channels, *shape.output_size), why)
        whole, part = (incoming, outgoing) if shape.transposed else (outgoing, incoming)
        if len(self.extents[weight]) != 2 + len(shape.kernel):
            pin((*self._of(weight), *incoming, *outgoing), f"the weight of {operator.name} is computed")
            return
        pin([factor for axis in self.extents[weight][2:] for factor in axis.factors], "it is the extent of a kernel")
        per_group = part[1:] if shape.groups > 1 and part[0] is groups[0] else part
        per_group = () if part == groups else per_group
        yield _rule(self._axis(weight, 0), whole, why)
        yield _rule(self._axis(weight, 1), per_group, why)

    def _channels(
        self, operator: Operator, shape: Convolution
    ) -> tuple[tuple[Factor, ...], tuple[Factor, ...], tuple[Factor, ...]]:
        """Factors of the channels that enter, that leave, and of the groups: groups stay, unless each is a channel."""
        depthwise = shape.groups in (shape.in_channels, shape.out_channels)
        why = "" if depthwise else f"it counts the groups of {operator.name}"
        groups = (Factor(shape.groups, pinned=why),) if shape.groups > 1 else ()
        both = [shape.in_channels // shape.groups, shape.out_channels // shape.groups]
        incoming, outgoing = ((*groups, *((Factor(size),) if size > 1 else ())) for size in both)
        if depthwise:
            pin((*incoming[len(groups) :], *outgoing[len(groups) :]) if groups else (), _MULTIPLIER.format(operator))
        return incoming, outgoing, groups

    def _image(self, tensor: str, channels: tuple[Factor, ...], extents: tuple[int, ...], why: str) -> Rule:
        """A tensor that holds images [B, C, *space], or is seen as them."""
        shape = self.extents[tensor]
        plain = len(shape) == 1 + len(extents) and [product(axis.factors) for axis in shape[1:]] == list(extents)
        if plain:
            pin([factor for axis in shape[2:] for factor in axis.factors], "it is an extent of images")
            return _rule(shape[1].factors, channels, why)
        space = [Factor(size, pinned="it is an extent of images") for size in extents[1:] if size > 1]
        return _rule(self._of(tensor), (*channels, *space), why, ordered=False)

    def _product(self, operator: Operator, geometry: MatrixProduct) -> Iterator[Rule]:
        sides = Sides(of={side: extent_of(getattr(geometry, side)) for side in ("m", "n", "k", "count")})
        self.sides[operator.name] = sides
        m, n, k, count = (sides[side] for side in ("m", "n", "k", "count"))
        first, second, made = *operator.inputs[:2], operator.outputs[0]
        why = f"{operator.name} sees it in a shape from which it cannot be told"
        weight_stage = operator.stage is Stage.WEIGHT_GRADIENT
        if operator.parameter is None or operator.kind != "linear":
            yield _rule(self._of(first), (*count, *m, *k), why, ordered=False)
            yield _rule(self._of(second), (*count, *k, *n), why, ordered=False)
            yield _rule(self._of(made), (*count, *m, *n), why)
            return
        if weight_stage:
            yield _rule(self._of(first), (*count, *k, *m), why)
            yield _rule(self._of(second), (*count, *k, *n), why)
            yield from self._weight(operator.parameter, made, outputs=sides.of["n"], inputs=sides.of["m"], why=why)
            return
        yield _rule(self._of(first), (*count, *m, *k), why)
        yield _rule(self._of(made), (*count, *m, *n), why)
        inputs, outputs = ("k", "n") if operator.stage is Stage.FORWARD else ("n", "k")
        yield from self._weight(operator.parameter, second, outputs=sides.of[outputs], inputs=sides.of[inputs], why=why)

    def _weight(self, parameter: str, tensor: str, *, outputs: Extent, inputs: Extent, why: str) -> Iterator[Rule]:
        """A weight, or its gradient: [outputs, inputs] as torch's linear layer has it, or the other way round."""
        shape = self.extents[tensor]
        sizes = product(outputs.factors), product(inputs.factors)
        if len(shape) != 2:
            yield _rule(self._of(tensor), (*outputs.factors, *inputs.factors), why, ordered=False)
            return
        axes = [product(axis.factors) for axis in shape]
        straight = [axis % size for axis, size in zip(axes, sizes, strict=True)] == [0, 0]
        turned = [axis % size for axis, size in zip(axes, sizes[::-1], strict=True)] == [0, 0]
        if straight and turned and axes[0] == axes[1] == sizes[0] == sizes[1]:
            straight = self._weights.setdefault(parameter, True)
        if not straight and not turned:
            yield _rule(self._of(tensor), (*outputs.factors, *inputs.factors), why, ordered=False)
            return
        first, second = (outputs, inputs) if straight else (inputs, outputs)
        yield _rule(shape[0].factors, first.factors, why)
        yield _rule(shape[1].factors, second.factors, why)

    def _vector(self, operator: Operator) -> Iterator[Rule]:
        why = f"{operator.name} sees it in a shape from which it cannot be told"
        if operator.kind == "parameter_update":
            parameter, *states = operator.inputs
            yield from (_rule(self._of(parameter), self._of(state), why) for state in states)
        elif operator.kind == "embedding":
            table, index, *_ = operator.inputs
            yield _rule((*self._of(index), *self._axis(table, -1)), self._of(operator.outputs[0]), why)
        elif operator.kind == "embedding_backward":
            # Its rows are those of the table, by the update.
            yield _rule(self._axis(operator.outputs[0], -1), self._axis(operator.inputs[0], -1), why)
        elif operator.kind == "bias_gradient" or operator.module == LOSS_MODULE or not operator.outputs:
            # By the update, and pinned already.
            return
        else:
            yield from self._alike(operator, why)

    def _alike(self, operator: Operator, why: str) -> Iterator[Rule]:
        """Vector work whose operands and results are laid over one another."""
        made = operator.outputs[0]
        if operator.kind in _PER_CHANNEL and len(self.extents[made]) > 1:
            yield from self._normalised(operator, made, why)
            return
        summed = self._concatenated(operator, made)
        if summed:
            return
        for name in (*operator.inputs, *operator.outputs[1:]):
            same_rank = len(self.extents[name]) == len(self.extents[made])
            whole = same_rank or product(self._of(name)) == product(self._of(made))
            if operator.kind.endswith("_norm_backward") and not whole:
                # Statistics and parameters, known from the forward pass and the update.
                continue
            channel = operator.kind == "bias_add" and len(self.extents[name]) == 1
            if channel and self._by_convolution(operator.inputs[0]):
                yield _rule(self._axis(name, 0), self._axis(made, 1), why)
            elif channel:
                yield _rule(self._axis(name, 0), self._axis(made, -1), why)
            else:
                yield from self._laid_over(operator, name, made, why)

    def _by_convolution(self, tensor: str) -> bool:
        made = self.graph.producer.get(tensor)
        return made is not None and isinstance(made.geometry, Convolution)

    def _normalised(self, operator: Operator, made: str, why: str) -> Iterator[Rule]:
        channels = self._axis(made, 1)
        yield from self._laid_over(operator, operator.inputs[0], made, why)
        for name in (*operator.inputs[1:], *operator.outputs[1:]):
            if len(self.extents[name]) == 1 and product(self._of(name)) == product(channels):
                yield _rule(self._of(name), channels, why)
        if operator.kind == "group_norm" and len(operator.outputs) > 1:
            statistics = self.extents[operator.outputs[1]]
            groups = product(statistics[-1].factors)
            pin(statistics[-1].factors, f"it counts the groups of {operator.name}")
            yield lambda trust: _keep_multiple(channels, groups, f"it counts the groups of {operator.name}")

    def _concatenated(self, operator: Operator, made: str) -> bool:
        """Whether it is a concatenation of whole tensors along one axis; the sum is noted."""
        if operator.kind != "copy" or len(operator.inputs) < 2:
            return False
        whole = self.extents[made]
        parts = [self.extents[name] for name in operator.inputs]
        if any(len(part) != len(whole) for part in parts):
            return False
        sizes = [[product(axis.factors) for axis in each] for each in (whole, *parts)]
        differing = [axis for axis in range(len(whole)) if len({each[axis] for each in sizes}) > 1]
        if len(differing) != 1:
            return False
        (axis,) = differing
        if sum(each[axis] for each in sizes[1:]) != sizes[0][axis]:
            return False
        why = f"{operator.name} concatenates it"
        for other, extents in enumerate(whole):
            for part in parts if other != axis else ():
                relate(extents.factors, part[other].factors, Trust.SURE, why)
        (total,) = atoms(whole[axis].factors) if len(atoms(whole[axis].factors)) == 1 else (None,)
        if total is None:
            pin((*whole[axis].factors, *(factor for part in parts for factor in part[axis].factors)), why)
        else:
            total.sums.append(tuple(part[axis].factors for part in parts))
        return True

    def _laid_over(self, operator: Operator, name: str, made: str, why: str) -> Iterator[Rule]:
        one, other = self.extents[name], self.extents[made]
        sizes = [[product(axis.factors) for axis in each] for each in (one, other)]
        moves = operator.kind == "copy"
        aligned = len(one) == len(other) and all(
            here == there or 1 in (here, there) for here, there in zip(*sizes, strict=True)
        )
        repeated = len(set(sizes[0]) - {1}) < len([size for size in sizes[0] if size > 1])
        # The same axes in the same places, some of them in part: a slice or a pool.
        apart = [pair for pair in zip(*sizes, strict=False) if pair[0] != pair[1]]
        in_place = len(one) == len(other) and not {pair[0] for pair in apart} & {pair[1] for pair in apart}
        if (aligned or (in_place and not moves)) and not (moves and repeated):
            for here, there in zip(one, other, strict=True):
                if here.factors and there.factors:
                    yield _rule(here.factors, there.factors, why)
            return
        yield _rule(self._of(name), self._of(made), why, ordered=not moves)


_MULTIPLIER = "it counts the channels that {0.name} makes of one, or the other way round"


def _rule(left: Iterable[Factor], right: Iterable[Factor], why: str, *, ordered: bool = True) -> Rule:
    one, other = tuple(left), tuple(right)
    return lambda trust: relate(one, other, trust, why, ordered=ordered)


def _keep_multiple(channels: Iterable[Factor], groups: int, why: str) -> bool:
    """Let channels stay a multiple of a number of groups; never anything left to do."""
    found = atoms(channels)
    missing = groups // math.gcd(groups, product(atom for atom in found if atom.pinned))
    if missing > 1:
        fitting = [atom for atom in found if not atom.pinned and atom.size % missing == 0]
        if fitting:
            rest = fitting[0].size // missing
            split(fitting[0], (Factor(missing, pinned=why), *((Factor(rest),) if rest > 1 else ())))
        else:
            pin(found, why)
    return True
