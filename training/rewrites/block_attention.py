"""Block-sparse attention: scores, their softmax and what they multiply, in kept blocks of B by B alone.

Which blocks are kept is said by a share, by a window and global blocks (Longformer, BigBird), or by a mask. Of causal
attention none above the diagonal is kept. All heads and samples have as many; a share is laid out evenly, for which
blocks they are is data's (``block_masks``). The gradients of keys and values go by columns of blocks, the rest by rows.

A gate (SeerAttention, arXiv 2410.13276) chooses blocks by what it makes of pooled queries (average) and keys (average,
maximum, minimum): a projection of each, shared by heads, their product, a softmax and a threshold. It learned apart,
and runs forward; or it learns along, in every training step: its softmax is to be the largest of each block of the
attention that is computed whole for it, without a gradient to the network.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ...configs.errors import ConfigError
from ...configs.section import Section
from ..attention import Attention
from ..block_masks import BlockRule, kept_blocks
from ..causal_blocks import MOST_BLOCKS
from ..graph import Size, TrainingGraph
from ..score_patterns import KeptBlocks
from .attention_rewrite import AttentionRewrite
from .attentions import (
    Choice,
    Learning,
    Operands,
    between,
    chosen_scores,
    decided,
    exact,
    learns_in,
    patterned,
    projected,
)
from .fragment import Fragment, Value
from .rewrite import Outcome

_POOLED = ("average_pool", "max_pool", "max_pool")
"""Of a block of keys: their average, their maximum, and their minimum, which is one of what is negated."""


class Gate(Section):
    """What chooses the blocks of an input."""

    width: PositiveInt = Field(description="channels of a pooled block that are compared")
    learns: Learning = Field(
        default="apart",
        description="apart, before, so that it runs forward; or along, in every training step, from attention that is "
        "computed whole beside",
    )


class BlockAttention(AttentionRewrite):
    """Attention in blocks that are kept."""

    kind: Literal["block-attention"]
    block: PositiveInt = Field(description="B, queries and keys of a block")
    density: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the blocks that a row of blocks may keep, rounded up; those of a window and global ones "
        "count towards it",
    )
    window: NonNegativeInt = Field(default=0, description="blocks around the diagonal on each side, itself included")
    global_blocks: NonNegativeInt = Field(
        default=0, description="first blocks of queries, which see all keys, and of keys, which all queries see"
    )
    mask: tuple[str, ...] = Field(
        default=(), description="rows of ones and zeros, one a row of blocks, in place of the other three"
    )
    gate: Gate | None = Field(default=None, description="what chooses the blocks; none where they are known")

    @model_validator(mode="after")
    def _something_is_kept(self) -> Self:
        by_rule = bool(self.density or self.window or self.global_blocks)
        if by_rule == bool(self.mask):
            raise ValueError("got neither a rule nor a mask, or both, need density, window, global_blocks, or a mask")
        for number, row in enumerate(self.mask):
            if not row or set(row) - set("01") or len(row) != len(self.mask[0]):
                raise ValueError(f"mask.{number}: got {row!r}, need ones and zeros, as many as in the first row")
        return self

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        kept = [f"{self.density:.0%} kept"] if self.density else []
        kept += [f"window {self.window}"] if self.window else []
        kept += [f"{self.global_blocks} global"] if self.global_blocks else []
        kept += ["by a mask"] if self.mask else []
        return f"attention in blocks of {self.block}, {', '.join(kept)}" + (", gated" if self.gate else "")

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph; deployed it is the same.

        Raises:
            ConfigError: no attention is named, or it has other blocks than the mask, or more than can be mapped.
        """
        attention = self.attention(graph)
        for each in attention:
            self._check(graph, each)
        outcome = patterned(graph, attention, self._pattern)
        if self.gate is None:
            return outcome
        learns = learns_in(graph, self.gate.learns, deployed=deployed)
        gated = decided(outcome.graph, attention, "gate", partial(self._gated, learns=learns))
        return Outcome(graph=gated, layers=outcome.layers, says=outcome.says)

    @property
    def trains(self) -> bool:
        """Where it is known which blocks are kept, or what chooses them learns."""
        return not self.density if self.gate is None else self.gate.learns == "along"

    def _pattern(self, attention: Attention) -> KeptBlocks:
        return KeptBlocks(self.block, self.rule, causal=attention.causal)

    @property
    def rule(self) -> BlockRule:
        """Which blocks are kept, and how many."""
        return BlockRule(density=exact(self.density), window=self.window, first=self.global_blocks, given=self.mask)

    def _check(self, graph: TrainingGraph, attention: Attention) -> None:
        rows, columns = (-(-extent // self.block) for extent in attention.square)
        if max(rows, columns) > MOST_BLOCKS:
            raise ConfigError(
                f"block: got {self.block}, need at least {-(-max(attention.square) // MOST_BLOCKS)}: of "
                f"{attention.square[0]} queries by {attention.square[1]} keys, as {attention.module} of {graph.name} "
                f"has them, at most {MOST_BLOCKS} rows of blocks are mapped",
                field="block",
            )
        if self.mask and (len(self.mask), len(self.mask[0])) != (rows, columns):
            raise ConfigError(
                f"mask: got {len(self.mask)} rows of {len(self.mask[0])}, need {rows} of {columns}, the blocks of "
                f"{attention.module} in {graph.name}",
                field="mask",
            )
        for number, kept in enumerate(
            kept_blocks(self._pattern(attention).rule, rows, columns, causal=attention.causal)
        ):
            if not kept:
                raise ConfigError(
                    f"mask.{number}: got no block that its queries may see, need one: their softmax is of nothing; try "
                    "one on the diagonal",
                    field=f"mask.{number}" if self.mask else "window",
                )

    def _gated(self, fragment: Fragment, operands: Operands, *, learns: bool) -> Choice:
        assert self.gate is not None, "who has one asks for it"
        rows, columns = (-(-extent // self.block) for extent in operands.square)
        query, key = operands.queries, operands.keys
        width = self.gate.width
        pooled = _pooled(fragment, query, "average_pool", rows, operands)
        kinds = [_pooled(fragment, key, kind, columns, operands) for kind in _POOLED]
        side_by_side = (operands.count, Size(fixed=columns), Size(fixed=len(kinds) * operands.width))
        joined = fragment.vector("copy", tuple(kinds), module=fragment.module, shape=side_by_side, parts=())
        compared = [
            projected(fragment, value, name, operands.count * extent, (inputs, width), learns=learns)
            for value, name, extent, inputs in (
                (pooled, "query", rows, operands.width),
                (joined, "key", columns, len(kinds) * operands.width),
            )
        ]
        found = between(fragment, *compared, extents=(rows, columns, width), count=operands.count)
        likely = fragment.vector("softmax", (found,), module=fragment.module, shape=found.shape, parts=())
        chosen = chosen_scores(fragment, likely, found.shape)
        if not learns:
            return Choice(chosen=chosen, compared=found)
        taught = _taught(fragment, operands, found.shape)
        return Choice(chosen=chosen, compared=found, likely=likely, taught=taught)


def _pooled(fragment: Fragment, value: Value, kind: str, blocks: int, operands: Operands) -> Value:
    shape = (operands.count, Size(fixed=blocks), Size(fixed=operands.width))
    return fragment.vector(kind, (value,), module=fragment.module, shape=shape, parts=())


def _taught(fragment: Fragment, operands: Operands, shape: tuple[Size, ...]) -> Value:
    """What a gate is to say: of each block the largest of attention over all keys, in shares of its row."""
    extents = (*operands.square, operands.width)
    whole = between(fragment, operands.queries, operands.keys, extents=extents, count=operands.count)
    likely = fragment.vector("softmax", (whole,), module=fragment.module, shape=whole.shape, parts=())
    largest = fragment.vector("max_pool", (likely,), module=fragment.module, shape=shape, parts=())
    total = fragment.vector("reduce", (largest,), module=fragment.module, shape=(*shape[:-1], Size(fixed=1)), parts=())
    return fragment.vector("multiply", (largest, total), module=fragment.module, shape=shape, parts=())
