"""What of a network can be made narrower or wider: its channels, attention heads and neurons. Free of torch.

Heads are what the products of attention are counted by, beside the samples: groups of heads where keys and values are
shared. Neurons are what a linear layer hands to linear layers alone; the ranks of adapters are none. Channels are all
else that a layer makes: those of convolutions, and the width of a residual stream. Coupled layers have one feature
between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..graph import Convolution, Operator, Stage, TrainingGraph
from .adapter_names import NAMES
from .coupling import ENDS, Coupling
from .factors import Factor, atoms, product

FeatureKind = Literal["channels", "heads", "neurons"]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A number that coupled layers share.

    Attributes:
        kind: what it counts.
        factor: that is changed.
        layers: that make it, in the order of the forward pass, by their weights' names without ``.weight``.
        each: channels that one of it stands for, where groups are kept: 4 where 128 channels lie in groups of 4.
        why_not: why it cannot be changed; empty where it can.
        end: whether that is because it leaves the network.
        inside: whether it lies in a branch beside a residual stream; only neurons may lie elsewhere.
    """

    kind: FeatureKind
    factor: Factor
    layers: tuple[str, ...]
    each: int = 1
    why_not: str = ""
    end: bool = False
    inside: bool = True


def features_of(coupled: Coupling) -> tuple[Feature, ...]:
    """All of a network, in the order of the forward pass."""
    return tuple(_Finder(coupled).features())


_SQUARE = "it has as many heads as a head is large, or as there are tokens, and sizes do not tell them apart"
_SEVERAL = "its outputs are {0} x {1}, and which of them may change is not known"


class _Finder:
    def __init__(self, coupled: Coupling) -> None:
        self._coupled = coupled
        self._graph: TrainingGraph = coupled.graph
        self._made: dict[Factor, list[tuple[str, tuple[Factor, ...]]]] = {}
        self._readers: dict[Factor, list[tuple[Factor, ...]]] = {}
        self._convolved: set[Factor] = set()
        for operator in self._graph.operators:
            if operator.stage is Stage.FORWARD:
                self._note(operator)
        counts, self._in_attention = self._attention()
        self._heads, self._uncertain = counts - self._in_attention, counts & self._in_attention
        self._added = self._residual()

    def _note(self, operator: Operator) -> None:
        """Who makes which factors, and what linear layers that read them make."""
        if operator.parameter is None or not (operator.is_product or operator.kind == "embedding"):
            return
        if operator.kind == "embedding":
            made = self._coupled.extents[operator.inputs[0]][-1].factors
            read: tuple[Factor, ...] = ()
        else:
            sides = self._coupled.sides[operator.name]
            convolution = isinstance(operator.geometry, Convolution)
            made, read = (sides["out_channels"], sides["in_channels"]) if convolution else (sides["n"], sides["k"])
            if convolution:
                self._convolved.update(atoms((*made, *read)))
        layer = operator.parameter.removesuffix(".weight")
        outputs = tuple(atoms(made))
        for atom in outputs:
            self._made.setdefault(atom, []).append((layer, outputs))
        for atom in atoms(read):
            self._readers.setdefault(atom, []).append(outputs)

    def _attention(self) -> tuple[set[Factor], set[Factor]]:
        """Factors that count products of two activations, and those that stand in these beside them."""
        heads: set[Factor] = set()
        beside: set[Factor] = set()
        for operator in self._graph.products:
            if operator.stage is Stage.FORWARD and operator.kind == "matmul" and operator.parameter is None:
                sides = self._coupled.sides[operator.name]
                heads.update(atoms(sides["count"]))
                beside.update(atoms((*sides["m"], *sides["n"], *sides["k"])))
        return heads, beside

    def _residual(self) -> set[Factor]:
        """Factors of what is added up of two activations, a layer and its adapter aside."""
        roles = {name: tensor.role for name, tensor in self._graph.tensors.items()}
        return {
            atom
            for operator in self._graph.operators
            if operator.stage is Stage.FORWARD
            and operator.kind == "add"
            and all(roles[name] == "activation" for name in operator.inputs)
            and not any(map(self._of_adapter, operator.inputs))
            for atom in atoms(self._coupled.factors(operator.outputs[0]))
        }

    def _of_adapter(self, tensor: str) -> bool:
        """Whether it is what an adapter gives, scaled or not."""
        made = self._graph.producer.get(tensor)
        while made is not None and not made.is_product and len(made.inputs) == 1:
            made = self._graph.producer.get(made.inputs[0])
        return made is not None and (made.parameter or "").endswith(f".{NAMES[1]}.weight")

    def features(self) -> Iterator[Feature]:
        for atom, makers in self._made.items():
            beside = [other for _, outputs in makers for other in outputs if other is not atom]
            layers = tuple(dict.fromkeys(layer for layer, _ in makers))
            if atom in self._uncertain:
                yield Feature(kind="heads", factor=atom, layers=layers, why_not=_SQUARE)
            held = atom.pinned and atom not in self._heads and any(not each.pinned for each in beside)
            if held or atom.sums or atom in self._in_attention:
                continue
            if atom not in self._heads and self._heads.intersection(beside):
                # Three projections in one: how many is no width.
                continue
            if atom in self._heads and any(self._shares(other, atom) for other in beside):
                continue
            if all(layer.endswith(f".{NAMES[0]}") for layer in layers):
                # A rank is what its entry says.
                continue
            kind = self._kind(atom)
            free = {other.size for other in beside if not other.pinned and kind != "heads"}
            yield Feature(
                kind=kind,
                factor=atom,
                layers=layers,
                each=min(product(other for other in outputs if other is not atom) for _, outputs in makers)
                if kind != "heads"
                else 1,
                why_not=atom.pinned or (_SEVERAL.format(atom.size, *free) if free else ""),
                end=atom.pinned.startswith(ENDS),
                inside=kind != "neurons" or self._inside(atom),
            )

    def _shares(self, groups: Factor, queries: Factor) -> bool:
        """Whether one counts groups of heads that share keys and values, and the other the queries of a group."""
        return groups in self._heads and len(self._made[groups]) > len(self._made[queries])

    def _kind(self, atom: Factor) -> FeatureKind:
        if atom in self._heads:
            return "heads"
        if atom in self._convolved or atom in self._added or self._embedded(atom):
            return "channels"
        return "neurons"

    def _embedded(self, atom: Factor) -> bool:
        tables = {each.parameter for each in self._graph.operators if each.kind == "embedding"}
        return any(f"{layer}.weight" in tables or layer in tables for layer, _ in self._made[atom])

    def _inside(self, atom: Factor) -> bool:
        """Whether what is made of neurons goes to a residual stream; so it does where there is none."""
        if not any(self._kind(other) == "channels" and other in self._added for other in self._made):
            return True
        return self._leads_back(atom, frozenset())

    def _leads_back(self, atom: Factor, through: frozenset[Factor]) -> bool:
        """Whether all that linear layers make of it is added up, or leads to what is."""
        return all(
            any(
                other in self._added
                or (not other.pinned and other not in through and self._leads_back(other, through | {atom}))
                for other in outputs
            )
            for outputs in self._readers.get(atom, [()])
        )
