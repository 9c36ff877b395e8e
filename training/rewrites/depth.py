"""Residual blocks taken out of a network whole: what enters one goes on to where what leaves it went. Free of torch.

A block is a numbered module in which what enters is added to what is made of it, so that both have the same extents.
Blocks next to one another whose results have the same extents are a stage, with the block before them that changes the
extents, if one does: that block stays. Of a stage the last blocks go.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...configs.errors import ConfigError
from ..graph import Operator, Size, Stage, TrainingGraph
from .coupling import Coupling
from .factors import Factor, atoms

_BACKWARD = (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)
_Extents = tuple[tuple[Size, ...], tuple[Factor, ...]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A numbered module.

    Attributes:
        path: of the module.
        leaving: the tensor that its forward pass hands on.
        entering: the tensor that is added to what is made of it; empty of a block that must stay.
        extents: of what leaves it.
    """

    path: str
    leaving: str
    entering: str
    extents: _Extents


def stages_of(coupled: Coupling) -> list[tuple[Block, ...]]:
    """Blocks by stage, in the order of the forward pass; stages without a residual block are left out."""
    graph = coupled.graph
    forward = [each for each in graph.operators if each.stage is Stage.FORWARD]
    modules = dict.fromkeys(each.module for each in forward)
    paths = dict.fromkeys(prefix for module in modules for prefix in _prefixes(module))
    holders = {prefix for module in modules for prefix in _prefixes(module.rpartition(".")[0])}
    found = [block for path in paths if path in holders and (block := _block(coupled, forward, path)) is not None]
    residual = {block.path for block in found if block.entering}
    outermost = [block for block in found if residual.isdisjoint(list(_prefixes(block.path))[:-1])]
    runs: dict[str, list[list[Block]]] = {}
    for block in outermost:
        beside = runs.setdefault(block.path.rpartition(".")[0], [[]])
        if beside[-1] and beside[-1][-1].extents != block.extents:
            beside.append([])
        beside[-1].append(block)
    return [tuple(run) for each in runs.values() for run in each if any(block.entering for block in run)]


def _prefixes(path: str) -> Iterator[str]:
    """The numbered modules that a path stands in, outermost first, and itself if it is one."""
    parts = path.split(".")
    return (".".join(parts[: depth + 1]) for depth, part in enumerate(parts) if part.isdecimal())


def _within(operator: Operator, path: str) -> bool:
    return operator.module == path or operator.module.startswith(f"{path}.")


def _block(coupled: Coupling, forward: Sequence[Operator], path: str) -> Block | None:
    graph = coupled.graph
    inside = [each for each in forward if _within(each, path)]
    made = {name for each in inside for name in each.outputs}
    leaving = {name for each in forward if not _within(each, path) for name in each.inputs if name in made}
    if len(leaving) != 1:
        return None
    (last,) = leaving
    extents = _extents(coupled, last)
    entering = [
        name
        for each in inside
        if each.kind == "add"
        for name in each.inputs
        if name not in made and graph.tensors[name].role == "activation" and _extents(coupled, name) == extents
    ]
    return Block(path=path, leaving=last, entering=entering[0] if entering else "", extents=extents)


def _extents(coupled: Coupling, tensor: str) -> _Extents:
    units = (extent.unit for extent in coupled.extents[tensor])
    return tuple(unit for unit in units if unit.per_sample), tuple(atoms(coupled.factors(tensor)))


def without_blocks(graph: TrainingGraph, blocks: Iterable[Block]) -> TrainingGraph:
    """The graph without some residual blocks.

    Args:
        graph: that they are of.
        blocks: later ones of a stage before earlier ones.

    Raises:
        ConfigError: more than one gradient enters or leaves one of them.
    """
    for block in blocks:
        graph = _without(graph, block)
    return graph


def _without(graph: TrainingGraph, block: Block) -> TrainingGraph:
    def own(operator: Operator) -> bool:
        return _within(operator, block.path)

    inside = [each for each in graph.operators if own(each)]
    made = {name for each in inside for name in each.outputs}
    outside = [each for each in graph.operators if not own(each)]
    backward = [each for each in outside if each.stage in _BACKWARD]
    gradients = {name for each in outside for name in each.outputs if each.stage in _BACKWARD}
    incoming = {name for each in inside if each.stage in _BACKWARD for name in each.inputs if name in gradients}
    outgoing = {name for each in backward for name in each.inputs if name in made and name != block.leaving}
    if len(incoming) > 1 or len(outgoing) > len(incoming):
        several = sorted(outgoing) if len(outgoing) > 1 else sorted(incoming)
        raise ConfigError(
            f"got {block.path}, need a block with one gradient that enters it and one that leaves it: of it there are "
            f"{', '.join(several)}; try other layers"
        )
    instead = {block.leaving: block.entering, **dict(zip(outgoing, incoming, strict=False))}
    operators = tuple(replace(each, inputs=tuple(instead.get(name, name) for name in each.inputs)) for each in outside)
    touched = {name for each in operators for name in (*each.inputs, *each.outputs)}
    return replace(
        graph,
        operators=operators,
        tensors={name: tensor for name, tensor in graph.tensors.items() if name in touched},
        # Torch's counter counted another network.
        counted_macs={},
    )


def removed(stage: Sequence[Block], count: int) -> list[Block]:
    """The last residual blocks of a stage, as many as may go."""
    residual = [block for block in stage if block.entering]
    fewer = min(count, len(residual) if len(residual) < len(stage) else len(residual) - 1)
    return list(itertools.islice(reversed(residual), fewer))
