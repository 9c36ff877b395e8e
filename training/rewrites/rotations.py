"""A product by an orthogonal matrix on every shortcut of a residual stream (SliceGPT): what slicing a stream costs.

Between two additions a network without nonlinearity on its residual stream computes the same in any orthogonal basis
of it: bases are merged into the weights that write it and read it, offline. Where each stretch of the stream has a
basis of its own, in which the channels of the least variance are last, these can be sliced off (``keep`` behind this
entry). What is left is a product [d, d] on every shortcut, from the basis before an addition into that behind it. Layer
normalisations become those by the root of the mean square, whose cost is taken to be the same. Of a forward pass alone:
bases are found in calibration, after training.
Source: Ashkboos et al., ICLR 2024 (arXiv 2401.15024), sections 3.1 to 3.4.
"""

from __future__ import annotations

from typing import Literal

from ...configs.errors import ConfigError
from ..graph import Operator, Stage, Tensor, TrainingGraph
from .fragment import Fragment, Value, elements, renamed
from .rewrite import Outcome, Rewrite
from .splice import with_operators


class Rotations(Rewrite):
    """A dense square product on every shortcut of the residual stream."""

    kind: Literal["rotations"]

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        return "a square product on every shortcut"

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph.

        Raises:
            ConfigError: a training step follows, or the network has no residual stream.
        """
        if not (deployed or graph.inference):
            raise ConfigError("got a training step, need a forward pass: bases are found after training", field="")
        places = {add.name: shortcut for add in graph.operators if (shortcut := _shortcut(graph, add)) is not None}
        if not places:
            raise ConfigError(
                f"got {graph.name}, need a network that adds what enters a block to what it makes", field=""
            )
        taken = {*graph.tensors, *(operator.name for operator in graph.operators)}
        tensors, operators, named = dict(graph.tensors), list[Operator](), list[str]()
        for operator in graph.operators:
            if operator.name in places:
                shortcut = places[operator.name]
                number = 1 + sum(each.rpartition(".")[0] == operator.module for each in named)
                fragment, turned = self._turned(shortcut, operator, number, taken)
                tensors |= fragment.tensors
                operators += [*fragment.forward, renamed(operator, {shortcut.name: turned.name})]
                named += [each.module for each in fragment.forward]
            else:
                operators.append(operator)
        return Outcome(graph=with_operators(graph, operators, tensors=tensors), layers=tuple(named))

    def _turned(self, shortcut: Tensor, add: Operator, number: int, taken: set[str]) -> tuple[Fragment, Value]:
        fragment = Fragment(add.module, taken)
        width = shortcut.shape[-1]
        weight = fragment.weight(f"rotation_{number}.weight", (width, width), learns=False)
        value = Value(name=shortcut.name, shape=shortcut.shape)
        turned = fragment.linear(
            value,
            weight,
            module=weight.name.removesuffix(".weight"),
            rows=elements(shortcut.shape[:-1]),
            inputs=width.fixed,
            outputs=width.fixed,
        )
        return fragment, turned


def _shortcut(graph: TrainingGraph, add: Operator) -> Tensor | None:
    """What an addition takes past a block: of two values of one size the one that a block reads, too."""
    if add.kind != "add" or add.stage is not Stage.FORWARD or len(add.inputs) != 2:
        return None
    both = [graph.tensors[name] for name in add.inputs]
    if any(each.role != "activation" for each in both) or len({each.elements(1) for each in both}) > 1:
        return None
    past = [each for each in both if any(_enters(reader) for reader in graph.consumers[each.name] if reader != add)]
    return past[0] if len(past) == 1 and past[0].shape[-1].fixed else None


def _enters(reader: Operator) -> bool:
    """Whether an operator begins a block of a transformer: it normalises the stream, or multiplies it by a weight."""
    return reader.stage is Stage.FORWARD and reader.kind in ("layer_norm", "linear")
