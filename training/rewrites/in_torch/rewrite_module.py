"""A recipe's rewrites made on a module, and the proof that its graph is the rewritten one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from torch import nn

from ....configs.errors import CaptureError, ConfigError
from ...graph import Geometry, MatrixProduct, Stage, TrainingGraph
from ..activation import Activation
from ..adapters import Adapters
from ..apply import Change, RewrittenGraph, rewritten
from ..attention_rewrite import AttentionRewrite
from ..delta_activations import DeltaActivations
from ..doped import Doped
from ..factorised import Factorised
from ..keep import Keep
from ..layers import layers_of
from ..learned_scores import LearnedScores
from ..low_rank import LowRank
from ..monarch import Monarch
from ..parallel import Parallel
from ..partial import Partial
from ..rewrite import Rewrite
from ..sparse_plus_low_rank import FACTORS, SparsePlusLowRank
from .activations import put_activations
from .attending import rewrite_attention
from .beside import Beside, put_adapter, put_beside
from .calibration import Calibration
from .layer_parts import Branches, in_turn, plain_layer
from .monarch_layer import MonarchLayer
from .narrowed_module import Widths
from .partial_layer import PartialLayer
from .rebuilt import RebuiltLayer
from .resized_module import put, resize, without_blocks
from .scored_layer import ScoredLayer

_Layered = Adapters | LearnedScores | LowRank | Factorised | Parallel | Doped | Monarch | Partial | SparsePlusLowRank


def rewrite_module(
    model: nn.Module,
    rewrites: Sequence[Rewrite],
    graph: TrainingGraph,
    look: Callable[[int], Calibration] | None = None,
    *,
    seed: int = 0,
) -> RewrittenGraph:
    """Make a recipe's rewrites on a model that is to be trained.

    New layers are drawn from torch's generator, as their classes draw them.

    Args:
        model: it is changed.
        rewrites: entries of a recipe, all of kinds that train.
        graph: of a training step of the model.
        look: so many batches, for an entry that chooses what stays of the model's own weights.
        seed: of what such a choice draws.

    Returns:
        The rewritten graph. The caller captures the model once more and asks ``check_rewritten``.

    Raises:
        ConfigError: an entry does not fit the model, or a layer of it is of a class that cannot be rewritten.
    """
    planned = rewritten(graph, rewrites, deployed=False)
    for number, change in enumerate(planned.changes):
        try:
            if isinstance(change.rewrite, Keep) and change.rewrite.chosen_by is not None:
                looked_at = None if look is None else look(change.rewrite.batches)
                Widths.of(model, change.before).narrow(model, change.rewrite, calibration=looked_at, seed=seed)
            else:
                _make(model, change)
        except ConfigError as error:
            joint = "." if error.field else ": "
            raise ConfigError(f"rewrites.{number}{joint}{error}", field=f"rewrites.{number}") from None
    made_by(model, rewrites)
    return planned


def rewrite_captured(
    model: nn.Module,
    rewrites: Sequence[Rewrite],
    take: Callable[[], TrainingGraph],
    graph: TrainingGraph | None = None,
    look: Callable[[int], Calibration] | None = None,
    *,
    seed: int = 0,
) -> TrainingGraph:
    """Make a recipe's rewrites on a model, and prove that what trains is what is simulated.

    Args:
        model: it is changed.
        rewrites: entries of a recipe, all of kinds that train.
        take: captures a training step of the model as it is.
        graph: of it as it was; captured when None.
        look: as for ``rewrite_module``.
        seed: as for ``rewrite_module``.

    Returns:
        The graph of the rewritten model.

    Raises:
        ConfigError: an entry does not fit, or the model's code fixes a size that one changes.
    """
    return proved(take, rewrite_module(model, rewrites, take() if graph is None else graph, look, seed=seed))


def proved(take: Callable[[], TrainingGraph], planned: RewrittenGraph) -> TrainingGraph:
    """The graph of a rewritten model, once it is known to be the one that was rewritten.

    Args:
        take: captures a training step of the model.
        planned: the rewritten graph.

    Raises:
        ConfigError: the model's code fixes a size that a rewrite changes.
    """
    try:
        found = take()
    except CaptureError as error:
        raise ConfigError(
            f"rewrites: got a model that does not run once they are made: {error}; need one whose code fixes no size "
            "that they change",
            field="rewrites",
        ) from error
    check_rewritten(found, planned)
    return found


def _whole(geometry: Geometry | None) -> Geometry | None:
    """A product with all scores of its attention: torch computes them, and leaves out behind it what is not kept."""
    if isinstance(geometry, MatrixProduct):
        return replace(geometry, scores=None, causal=None)
    return geometry


_MADE = "_bisparse_rewrites"


def made_by(model: nn.Module, rewrites: Sequence[Rewrite]) -> None:
    """Note what a model was rewritten by."""
    model.__dict__[_MADE] = tuple(rewrites)


def rewrites_of(model: nn.Module) -> tuple[Rewrite, ...]:
    """What a model was rewritten by; empty of one that is as it was built."""
    made: tuple[Rewrite, ...] = model.__dict__.get(_MADE, ())
    return made


def check_rewritten(captured: TrainingGraph, planned: RewrittenGraph) -> None:
    """Refuse a model whose products are not those of the graph that was rewritten: what trains is what is simulated.

    Raises:
        ConfigError: they differ: the model's code knows a size that a rewrite changes.
    """
    found, wanted = (
        Counter((each.module, each.stage.value, _whole(each.geometry)) for each in graph.products)
        for graph in (captured, planned.graph)
    )
    for module, stage, geometry in sorted((found - wanted) + (wanted - found), key=str):
        raise ConfigError(
            f"rewrites: got a model that multiplies otherwise at {module}:{stage} than its rewritten graph "
            f"({geometry}), need layers whose sizes no code of the model fixes; try a pattern that leaves it out",
            field="rewrites",
        )


def _make(model: nn.Module, change: Change) -> None:
    entry = change.rewrite
    if isinstance(entry, Keep):
        if entry.layers is not None:
            without_blocks(model, change.before, change.outcome.graph)
        resize(model, change.before, change.outcome.graph)
        return
    if isinstance(entry, Activation):
        put_activations(model, change, entry)
        return
    if isinstance(entry, DeltaActivations):
        # A training multiplies whole values.
        return
    if isinstance(entry, AttentionRewrite):
        for attention in entry.attention(change.before):
            assert isinstance(attention.scores.geometry, MatrixProduct), "attention is made of products of matrices"
            width, keys = attention.scores.geometry.k.fixed, attention.square[1]
            module = model.get_submodule(attention.module)
            rewrite_attention(module, attention.module, entry, width=width, keys=keys)
        return
    assert isinstance(entry, _Layered), "kinds that do not train were refused with the recipe"
    known, _ = layers_of(change.before)
    for path in change.outcome.layers:
        layer = plain_layer(model, path)
        match entry:
            case Adapters():
                put_adapter(layer, entry)
            case LearnedScores():
                assert isinstance(layer, nn.Linear), "convolutions were refused with the entry"
                put(model, path, ScoredLayer(layer, entry))
            case LowRank():
                put(model, path, in_turn(layer, entry.rank, ("reduce", "expand")))
            case Factorised():
                rank = entry.rank(known[path])
                put(model, path, in_turn(layer, rank, ("first", "second"), between=entry.between))
            case Parallel():
                put(model, path, Branches(layer, entry.branches, between=entry.between, searched=entry.searched))
            case Doped():
                put_beside(layer, entry.rank(known[path]), Beside("doped_a", "doped_b"))
            case SparsePlusLowRank() if entry.form == "rebuilt":
                put(model, path, RebuiltLayer(layer, entry))
            case SparsePlusLowRank():
                rank = entry.rank_of(known[path].outputs, known[path].inputs)
                put_beside(layer, rank, Beside(*FACTORS, entry.scale))
            case Partial():
                assert isinstance(layer, nn.Linear), "convolutions were refused with the entry"
                put(model, path, PartialLayer(layer, entry))
            case Monarch():
                assert isinstance(layer, nn.Linear), "convolutions were refused with the entry"
                put(model, path, MonarchLayer(layer, entry.blocks, nearest=entry.start == "dense"))
            case _:
                assert_never(entry)
    _freeze(model, change)


def _freeze(model: nn.Module, change: Change) -> None:
    """Let what learned before an entry and does not any more have no gradient."""
    before, after = (
        {each.parameter for each in graph.operators if each.stage is Stage.UPDATE}
        for graph in (change.before, change.outcome.graph)
    )
    for name, parameter in model.named_parameters():
        if name in before - after:
            parameter.requires_grad = False
