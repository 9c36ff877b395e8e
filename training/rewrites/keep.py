"""Keep ratios of structure: channels, attention heads, neurons and whole residual blocks; or more of them, to widen.

What is coupled changes together, as a pruner of structure must do it: layers that are added up, concatenated or
normalised together, depthwise convolutions, tied weights, the heads that share keys and values (``coupling``). Of n a
ratio r keeps the nearest whole number to r n, a half rounded up, at least one, and of channels and neurons a multiple
of ``multiple_of``; channels in groups keep the number of groups. Free of torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal, get_args

from pydantic import Field, PositiveInt, model_validator

from ...configs.errors import ConfigError
from ..graph import TrainingGraph
from ..passes.naming import named, refuse_unknown
from .choice import ChoiceName
from .coupling import Coupling, coupling
from .depth import removed, stages_of, without_blocks
from .features import Feature, FeatureKind, features_of
from .resizing import resized
from .rewrite import Outcome, Rewrite
from .width_sharing import expected_ratios

MOST = 64
"""The largest ratio."""

Ratio = Annotated[float, Field(gt=0, le=MOST)]
Part = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an entry changes of a graph.

    Attributes:
        coupled: the graph without the blocks that go, and what of it is coupled.
        sizes: of features that the entry speaks of, how many are kept.
        layers: as of ``Outcome``.
        left: as of ``Outcome``.
        says: as of ``Outcome``.
    """

    coupled: Coupling
    sizes: dict[Feature, int]
    layers: tuple[str, ...]
    left: dict[str, str]
    says: tuple[str, ...]

    def outcome(self) -> Outcome:
        """The graph with it changed."""
        sizes = {feature.factor: kept for feature, kept in self.sizes.items()}
        graph = resized(self.coupled, sizes) if sizes else self.coupled.graph
        return Outcome(graph=graph, layers=self.layers, left=self.left, says=self.says)


class Keep(Rewrite):
    """How much of each structure is kept: a ratio, or ratios by patterns of layers, the first that fits a layer."""

    kind: Literal["keep"]
    channels: Ratio | dict[str, Ratio] | None = Field(
        default=None, description="of convolutions and of a residual stream; or by path of layers, with * and ?"
    )
    heads: Ratio | dict[str, Ratio] | None = Field(
        default=None, description="of attention, groups of them where keys are shared; or by path of layers"
    )
    neurons: Ratio | dict[str, Ratio] | None = Field(
        default=None, description="that linear layers hand to linear layers; or by path of layers"
    )
    layers: Part | dict[str, Part] | None = Field(
        default=None, description="residual blocks of each stage, the first ones; or by path of blocks"
    )
    multiple_of: PositiveInt = Field(default=1, description="channels and neurons are rounded to a multiple of it")
    shared_out: Literal["evenly", "expected"] = Field(
        default="evenly",
        description="how layers share what is kept where one number is given for all channels, or all neurons: each "
        "keeps that ratio of them; or the number is of weights, and each layer keeps as many as any other (PreCrop)",
    )
    chosen_by: ChoiceName | None = Field(
        default=None,
        description="which stay, with the weights that they have: the ones of the highest score, coupled slices "
        "together. None: weights are drawn anew, as of a network that begins so",
    )
    candidates: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="of chosen_by: random: so many sets of survivors are drawn, and that of the least loss on the "
        "batches stays",
    )
    folded: bool = Field(
        default=False,
        description="what goes is folded into the layers that read it: each as the combination of those that stay that "
        "is nearest to it by its weights, in closed form and without data (UDFC)",
    )
    batches: PositiveInt = Field(
        default=4, le=1000, description="of training data, that a score of gradients or activations looks at"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Keep:
        if not self._asked():
            raise ValueError("one of channels, heads, neurons and layers")
        if self.shared_out == "expected" and any(ratio > 1 for ratio in self._ratios()):
            raise ValueError("shared_out: got expected with a ratio above 1, need a density of weights, at most 1")
        if self.chosen_by is not None and any(ratio > 1 for ratio in self._ratios()):
            raise ValueError(
                f"chosen_by: got {self.chosen_by} with a ratio above 1, need at most 1: wider has no choice"
            )
        if self.candidates > 1 and self.chosen_by != "random":
            raise ValueError(
                f"candidates: got {self.candidates} with chosen_by {self.chosen_by}, need chosen_by: random"
            )
        if self.folded and (self.chosen_by is None or self.heads is not None or self.layers is not None):
            raise ValueError("folded: got true, need chosen_by, and channels or neurons alone")
        if empty := [name for name, ratio in self._asked().items() if ratio == {}]:
            raise ValueError(f"{empty[0]} as a ratio, or a pattern of layers with one")
        return self

    def __hash__(self) -> int:
        """Of the order of patterns too: the first that fits a layer is its own."""
        return hash(self.model_dump_json())

    def _asked(self) -> dict[str, float | Mapping[str, float]]:
        asked = {"layers": self.layers, "channels": self.channels, "heads": self.heads, "neurons": self.neurons}
        return {name: ratio for name, ratio in asked.items() if ratio is not None}

    def _ratios(self) -> Iterator[float]:
        for asked in self._asked().values():
            yield from asked.values() if isinstance(asked, Mapping) else (asked,)

    @property
    def search_passes(self) -> int:
        """Forward passes of the narrower network that a search among candidates takes."""
        return self.candidates * self.batches if self.candidates > 1 else 0

    def part_way(self, share: float) -> Keep:
        """The same on its way there: of what each ratio takes away, or adds, a share.

        >>> Keep(kind="keep", channels=0.5, heads={"*": 0.75}).part_way(0.5).title
        'keep channels 0.75, heads (*: 0.875)'
        """

        def there(ratio: float) -> float:
            return round(1 + share * (ratio - 1), 6)

        return self.model_copy(
            update={
                name: {pattern: there(each) for pattern, each in asked.items()}
                if isinstance(asked, Mapping)
                else there(asked)
                for name, asked in self._asked().items()
            }
        )

    @property
    def title(self) -> str:
        """What it keeps, in a phrase."""
        shared = " of the weights, as many in each layer" if self.shared_out == "expected" else ""
        chosen = "" if self.chosen_by is None else f", chosen by {self.chosen_by}"
        return "keep " + ", ".join(f"{name} {_words(ratio)}" for name, ratio in self._asked().items()) + shared + chosen

    @property
    def trains(self) -> bool:
        """It does."""
        return True

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: the network has none of what is to be kept in part, a pattern names none of it, coupled layers
                are given several ratios, or what is coupled cannot be told.
        """
        return self.plan(graph).outcome()

    def plan(self, graph: TrainingGraph) -> Plan:
        """What it changes of a graph; errors as for ``rewrite``."""
        changed: list[str] = []
        left: dict[str, str] = {}
        says: list[str] = []
        if self.layers is not None:
            graph = self._shallower(graph, self.layers, changed, left, says)
        coupled = coupling(graph)
        sizes: dict[Feature, int] = {}
        features = features_of(coupled)
        for kind in get_args(FeatureKind):
            asked: float | Mapping[str, float] | None = getattr(self, kind)
            if asked is None:
                continue
            counts: dict[tuple[int, int], int] = {}
            for feature, ratio in self._chosen(graph, kind, asked, features, left):
                size = feature.factor.size
                sizes[feature] = kept = self._kept(feature, ratio)
                change = size * feature.each, kept * feature.each
                counts[change] = counts.get(change, 0) + 1
                if kept != size:
                    changed.extend(feature.layers)
            says.append(f"{kind.capitalize()}: {_list(counts)}.")
        return Plan(coupled=coupled, sizes=sizes, layers=tuple(dict.fromkeys(changed)), left=left, says=tuple(says))

    def _kept(self, feature: Feature, ratio: float) -> int:
        step = 1 if feature.kind == "heads" else self.multiple_of // math.gcd(self.multiple_of, feature.each)
        return max(1, _rounded(Fraction(str(ratio)) * feature.factor.size / step)) * step

    def _chosen(
        self,
        graph: TrainingGraph,
        kind: FeatureKind,
        asked: float | Mapping[str, float],
        features: Iterable[Feature],
        left: dict[str, str],
    ) -> list[tuple[Feature, float]]:
        """Features that an entry changes, and how much of each is kept."""
        own = [each for each in features if each.kind == kind]
        self._check_patterns(graph, kind, asked, [layer for each in own for layer in each.layers])
        chosen = []
        for feature in own:
            ratio = _ratio(kind, asked, feature.layers)
            if ratio is None:
                continue
            why = feature.why_not
            if feature.end and not isinstance(asked, Mapping):
                continue
            if not why and not feature.inside and not isinstance(asked, Mapping):
                why = "it lies in no branch of a residual stream; a pattern that names it reaches it"
            if why:
                left.update(dict.fromkeys(feature.layers, why))
            else:
                chosen.append((feature, ratio))
        if self.shared_out == "expected" and kind != "heads" and not isinstance(asked, Mapping):
            weights = {feature.layers[0]: [_weights(graph, each) for each in feature.layers] for feature, _ in chosen}
            ratios = expected_ratios(weights, asked)
            chosen = [(feature, ratios[feature.layers[0]]) for feature, _ in chosen]
        if not chosen:
            why = "; ".join(f"{layer}: {why}" for layer, why in list(left.items())[:2])
            raise ConfigError(
                f"{kind}: got {_words(asked)}, need a network with {kind} that can change, which {graph.name} is not"
                f"{f' ({why})' if why else ''}; try other structure",
                field=kind,
            )
        return chosen

    def _check_patterns(
        self, graph: TrainingGraph, field: str, asked: float | Mapping[str, float], known: Sequence[str]
    ) -> None:
        for pattern in asked if isinstance(asked, Mapping) else ():
            what = "a residual block" if field == "layers" else f"a layer that makes {field}"
            refuse_unknown(field, pattern, known, what=f"the path of {what}", of=graph.name, field=field)

    def _shallower(
        self,
        graph: TrainingGraph,
        asked: float | Mapping[str, float],
        changed: list[str],
        left: dict[str, str],
        says: list[str],
    ) -> TrainingGraph:
        stages = stages_of(coupling(graph))
        self._check_patterns(graph, "layers", asked, [block.path for stage in stages for block in stage])
        gone = []
        for stage in stages:
            shares = {block: _ratio("layers", asked, (block.path,)) for block in stage}
            for ratio in dict.fromkeys(shares.values()):
                if ratio is None:
                    continue
                blocks = [block for block in stage if shares[block] == ratio]
                fewer = len(blocks) - max(1, _rounded(Fraction(str(ratio)) * len(blocks)))
                taken = removed(blocks, fewer)
                gone.extend(taken)
                if len(taken) < fewer:
                    left.update({each.path: "it changes extents" for each in blocks if not each.entering})
        if not stages:
            raise ConfigError(
                f"layers: got {_words(asked)}, need a network with numbered residual blocks, which {graph.name} has "
                "not; try other structure",
                field="layers",
            )
        changed.extend(block.path for block in gone)
        total = sum(len(stage) for stage in stages)
        which = f": without {', '.join(sorted((each.path for each in gone), key=_by_number))}" if gone else ""
        says.append(f"Blocks: {total - len(gone)} of {total}{which}.")
        return without_blocks(graph, gone)


def _weights(graph: TrainingGraph, layer: str) -> int:
    return graph.tensors[f"{layer}.weight" if f"{layer}.weight" in graph.tensors else layer].elements(1)


def _by_number(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in path.split(".")]


def _rounded(value: Fraction) -> int:
    """The nearest whole number, a half rounded up.

    >>> [_rounded(Fraction(each)) for each in ("2.5", "2.4", "0.4")]
    [3, 2, 0]
    """
    return math.floor(value + Fraction(1, 2))


def _ratio(field: str, asked: float | Mapping[str, float], layers: Sequence[str]) -> float | None:
    """What is kept of layers that are coupled; None where no pattern names one of them."""
    if not isinstance(asked, Mapping):
        return asked
    found: dict[float, str] = {}
    for layer in layers:
        ratio = next((asked[pattern] for pattern in asked if named(pattern, layer)), None)
        if ratio is not None:
            found.setdefault(ratio, layer)
    if len(found) > 1:
        (one, first), (other, second), *_ = found.items()
        raise ConfigError(
            f"{field}: got {one} for {first} and {other} for {second}, need one ratio: they are coupled; try {one} for "
            "both",
            field=field,
        )
    return next(iter(found), None)


def _words(asked: float | Mapping[str, float]) -> str:
    if not isinstance(asked, Mapping):
        return f"{asked:g}"
    return "(" + ", ".join(f"{pattern}: {ratio:g}" for pattern, ratio in asked.items()) + ")"


def _list(counts: Mapping[tuple[int, int], int]) -> str:
    return ", ".join(
        f"{size} to {kept}" + (f" ({times} times)" if times > 1 else "") for (size, kept), times in counts.items()
    )
