"""Activation recomputation: segments keep what enters them, and compute the rest again when the backward pass asks.

A segment is a module with all that it holds. Of what its forward pass makes, nothing is kept for its own backward pass:
before the first operator there that reads any of it, the segment's forward operators run a second time (stage FF, named
``:again``), in their order, up to the last one that makes something needed, as ``torch.utils.checkpoint`` stops early.
What enters a segment, and what it hands on, is kept as before. Equals the capture of the module with its segments under
``checkpoint(..., use_reentrant=False)``. Free of torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ...configs.errors import ConfigError
from ..graph import Operator, Stage, Tensor, TrainingGraph
from .inference import LOSS_MODULE
from .naming import named, patterns_in, refuse_unknown

BLOCKS, ALL = "blocks", "all"
"""Words in place of patterns: every numbered module that holds others; every outermost module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment of the forward pass, and its second run.

    Attributes:
        module: dotted path.
        again: forward operators that run again, in order, as they stand in the first run.
        before: position of the backward operator that first needs them.
        readers: names of the backward operators that read the second run.
    """

    module: str
    again: tuple[Operator, ...]
    before: int
    readers: frozenset[str]


def with_recomputation(graph: TrainingGraph, asked: str) -> TrainingGraph:
    """The graph in which segments compute their activations again.

    Args:
        graph: of a training step.
        asked: patterns of modules, commas between, ``*`` and ``?`` as in a shell, the outermost that fits being the
            segment; or ``blocks``, or ``all``.

    Raises:
        ConfigError: a pattern names no module, the network has no blocks, or no segment has anything to compute again.
    """
    segments = tuple(_segments(graph, asked))
    if not segments:
        raise ConfigError(
            f"recompute: got {asked!r}, need modules of {graph.name} whose backward pass reads what they make inside; "
            "try larger ones"
        )
    again = {each.before: each for each in segments}
    tensors = dict(graph.tensors)
    operators: list[Operator] = []
    renamed: dict[str, dict[str, str]] = {}
    for at, operator in enumerate(graph.operators):
        if at in again:
            segment = again[at]
            names = {name: computed_again(name) for each in segment.again for name in each.outputs}
            tensors.update(_copies(graph, names))
            operators.extend(_second(each, names) for each in segment.again)
            renamed |= dict.fromkeys(segment.readers, names)
        operators.append(_reading(operator, renamed.get(operator.name, {})))
    return replace(
        graph,
        tensors=tensors,
        operators=tuple(operators),
        # Torch's counter counted one forward pass, and is no witness of two.
        counted_macs={name: macs for name, macs in graph.counted_macs.items() if name != "forward"},
        notes=(*graph.notes, _note(graph, segments)),
    )


def computed_again(name: str) -> str:
    """The name of an operator, or of what it makes, in the second run."""
    return f"{name}:again"


def _segments(graph: TrainingGraph, asked: str) -> Iterator[Segment]:
    """Those with something to compute again, none starting where another does: later ones wait for their turn."""
    forward = _forward(graph)
    for module in _modules(graph, [each.module for each in forward], asked):
        segment = _segment(graph, [each for each in forward if _within(each.module, module)], module)
        if segment is not None:
            yield segment


def _forward(graph: TrainingGraph) -> list[Operator]:
    """The forward pass itself: not its loss, nor what runs a second time already."""
    before = itertools.takewhile(lambda operator: operator.stage is Stage.FORWARD, graph.operators)
    return [operator for operator in before if operator.module and operator.module != LOSS_MODULE]


def _segment(graph: TrainingGraph, inside: list[Operator], module: str) -> Segment | None:
    made = {name for operator in inside for name in operator.outputs}
    readers = [
        (at, operator)
        for at, operator in enumerate(graph.operators)
        if operator.stage in (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
        and _within(operator.module, module)
        and not made.isdisjoint(operator.inputs)
    ]
    if not readers:
        return None
    before = readers[0][0]
    while before and _of_one_node(graph.operators[before - 1], graph.operators[before]):
        before -= 1
    needed = {name for _, operator in readers for name in operator.inputs} & made
    last = max(at for at, operator in enumerate(inside) if not needed.isdisjoint(operator.outputs))
    return Segment(
        module=module,
        again=tuple(inside[: last + 1]),
        before=before,
        readers=frozenset(operator.name for _, operator in readers),
    )


def _of_one_node(operator: Operator, following: Operator) -> bool:
    """Whether two neighbours are the backward pass of one operator: what one of them needs is unpacked for both."""
    same = (operator.kind, operator.module, operator.parameter) == (
        following.kind,
        following.module,
        following.parameter,
    )
    return same and operator.stage is not Stage.FORWARD


def _modules(graph: TrainingGraph, paths: Iterable[str], asked: str) -> list[str]:
    """The modules that are segments, in the order of the forward pass."""
    known = list(dict.fromkeys(prefix for path in paths for prefix in _prefixes(path)))
    if asked == ALL:
        return [path for path in known if "." not in path]
    if asked == BLOCKS:
        holders = {path.rpartition(".")[0] for path in known}
        blocks = [path for path in known if path.rpartition(".")[2].isdecimal() and path in holders]
        if not blocks:
            raise ConfigError(
                f"recompute: got {BLOCKS}, need a network with numbered modules that hold others, which {graph.name} "
                f"has not; try a pattern such as {known[0] if known else '*'}"
            )
        return _outermost(blocks)
    wanted = patterns_in("recompute", asked)
    for pattern in wanted:
        refuse_unknown("recompute", pattern, known, what=f"{BLOCKS}, {ALL} or a module", of=graph.name)
    return _outermost([path for path in known if any(named(pattern, path) for pattern in wanted)])


def _outermost(paths: list[str]) -> list[str]:
    """Those that stand in no other."""
    among = set(paths)
    return [path for path in paths if among.isdisjoint(list(_prefixes(path))[:-1])]


def _prefixes(path: str) -> Iterator[str]:
    """What a module stands in, outermost first, and itself."""
    parts = path.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _within(path: str, module: str) -> bool:
    return path == module or path.startswith(f"{module}.")


def _second(operator: Operator, names: dict[str, str]) -> Operator:
    return replace(
        _reading(operator, names),
        name=computed_again(operator.name),
        outputs=tuple(names[name] for name in operator.outputs),
    )


def _reading(operator: Operator, names: dict[str, str]) -> Operator:
    return replace(operator, inputs=tuple(names.get(name, name) for name in operator.inputs))


def _copies(graph: TrainingGraph, names: dict[str, str]) -> dict[str, Tensor]:
    return {copy: replace(graph.tensors[name], name=copy) for name, copy in names.items()}


def _note(graph: TrainingGraph, segments: tuple[Segment, ...]) -> str:
    batch = graph.default_batch
    again = sum(each.geometry.macs(batch) for segment in segments for each in segment.again if each.geometry)
    share = again / graph.macs(batch, Stage.FORWARD)
    first, last = segments[0].module, segments[-1].module
    which = first if first == last else f"{first} to {last}"
    count = f"{len(segments)} segments" if len(segments) > 1 else "1 segment"
    return (
        f"Activations of {count} ({which}) are computed again for the backward pass: {share:.1%} of the "
        "multiply-accumulates of the forward pass run twice, and only what enters a segment is kept."
    )
