"""Which scores of attention are computed, and which of them attention asks for. Free of torch.

The formats of a result: a matrix of scores of Q queries by K keys of which not all are wanted. An array computes whole
products, so a pattern is brought to it as *rows*, sets of queries that meet the same keys; where queries are summed
over, for the gradients of keys and values, as *columns*, sets of keys that the same queries need. Equal ones are one
product that runs several times. What is computed beside what is asked for (the rest of a block that the causal diagonal
crosses) takes time and is of no use.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from .block_masks import BlockRule, columns_of, kept_blocks, rows_of
from .causal_scores import block_columns, block_rows, kept_scores

Shapes = dict[tuple[int, int], int]
"""How many products there are of each size along the two axes."""


class ScorePattern(ABC):
    """Of Q queries by K keys, what is computed and what is asked for; patterns are hashable and say themselves."""

    __slots__ = ()

    @abstractmethod
    def rows(self, queries: int, keys: int) -> Shapes:
        """Products of (queries, keys that they meet); queries that meet none are in none."""

    @abstractmethod
    def columns(self, queries: int, keys: int) -> Shapes:
        """Products of (keys, queries that need them); keys that no query needs are in none."""

    @abstractmethod
    def asked(self, queries: int, keys: int) -> int:
        """Scores that attention asks for."""

    @abstractmethod
    def of_last_query(self) -> ScorePattern:
        """Of one query, the last of a sequence of as many tokens as there are keys: what a decoding step computes."""

    def computed(self, queries: int, keys: int) -> int:
        """Scores that are computed and stored."""
        return sum(rows * met * times for (rows, met), times in self.rows(queries, keys).items())

    @property
    def unskipped(self) -> str:
        """Why scores are computed that nobody asks for, where an array cannot leave them out; else empty."""
        return ""


@cache
def attending_pairs(queries: int, keys: int) -> int:
    """Pairs of a causal mask: query i, from the first, sees the keys up to its own place.

    >>> attending_pairs(4, 4), attending_pairs(4, 2), attending_pairs(2, 9)
    (10, 7, 3)
    """
    inside = min(queries, keys)
    return inside * (inside + 1) // 2 + (queries - inside) * keys


@dataclass(frozen=True, slots=True)
class CausalBlocks(ScorePattern):
    """Blocks of B by B of a causal mask: those with a pair that attends are computed whole.

    >>> pattern = CausalBlocks(128)
    >>> pattern.computed(1024, 1024), pattern.asked(1024, 1024)
    (589824, 524800)
    """

    block: int

    def rows(self, queries: int, keys: int) -> Shapes:
        """Rows of blocks meet a prefix of the keys."""
        return block_rows(queries, keys, self.block)

    def columns(self, queries: int, keys: int) -> Shapes:
        """Columns of blocks are needed from their own first key on."""
        return block_columns(queries, keys, self.block)

    def of_last_query(self) -> ScorePattern:
        """All keys."""
        return KeptBlocks(self.block, BlockRule(density=Fraction(1)), causal=False)

    def asked(self, queries: int, keys: int) -> int:
        """Pairs that attend."""
        return attending_pairs(queries, keys)

    def computed(self, queries: int, keys: int) -> int:
        """Blocks with a pair that attends."""
        return kept_scores(queries, keys, self.block)


@dataclass(frozen=True, slots=True)
class KeptBlocks(ScorePattern):
    """Blocks of B by B that a rule keeps; the causal diagonal cuts through those that it crosses.

    Attributes:
        block: queries and keys of one.
        rule: which are kept.
        causal: whether a query attends to no key behind its own place.
        last: of one query alone, the last of as many as there are keys.

    >>> pattern = KeptBlocks(2, BlockRule(density=Fraction(1, 2)), causal=False)
    >>> pattern.rows(8, 8), pattern.asked(8, 8)
    ({(2, 4): 4}, 32)
    """

    block: int
    rule: BlockRule
    causal: bool
    last: bool = False

    def of_last_query(self) -> ScorePattern:
        """Its row of blocks, the last one."""
        return replace(self, last=True)

    def rows(self, queries: int, keys: int) -> Shapes:
        """A row of blocks meets the keys of its kept blocks."""
        return rows_of(self._blocks(queries, keys), queries, keys, self.block)

    def columns(self, queries: int, keys: int) -> Shapes:
        """A column of blocks is needed by the queries of its kept blocks."""
        return columns_of(self._blocks(queries, keys), queries, keys, self.block)

    def asked(self, queries: int, keys: int) -> int:
        """Pairs of kept blocks, of a causal mask those that attend."""
        computed = self.computed(queries, keys)
        if not self.causal or self.last:
            return computed
        return computed - _beyond_the_diagonal(self._blocks(queries, keys), queries, keys, self.block)

    def _blocks(self, queries: int, keys: int) -> tuple[int, ...]:
        columns = -(-keys // self.block)
        if self.last:
            return kept_blocks(self.rule, columns, columns, causal=self.causal)[-1:]
        return kept_blocks(self.rule, -(-queries // self.block), columns, causal=self.causal)


@cache
def _beyond_the_diagonal(mask: tuple[int, ...], queries: int, keys: int, block: int) -> int:
    """Pairs of kept blocks that a causal mask leaves out."""
    beyond = 0
    for number, kept in enumerate(mask):
        # Only the block on the diagonal is crossed by it: blocks are square, and both sides begin at 0.
        if kept >> number & 1:
            side = min(block, queries - number * block), min(block, keys - number * block)
            beyond += math.prod(side) - attending_pairs(*side)
    return beyond


@dataclass(frozen=True, slots=True)
class SampledScores(ScorePattern):
    """A share of the keys of every query, each query its own: all are computed, and the rest is thrown away.

    >>> pattern = SampledScores(Fraction(1, 4), causal=False)
    >>> pattern.asked(6, 10), pattern.computed(6, 10)
    (18, 60)
    """

    density: Fraction
    causal: bool

    def of_last_query(self) -> ScorePattern:
        """A share of all keys."""
        return replace(self, causal=False)

    def rows(self, queries: int, keys: int) -> Shapes:
        """One product."""
        return {(queries, keys): 1}

    def columns(self, queries: int, keys: int) -> Shapes:
        """One product."""
        return {(keys, queries): 1}

    def asked(self, queries: int, keys: int) -> int:
        """The share of the keys that a query may see, rounded up."""
        if not self.causal:
            return queries * math.ceil(self.density * keys)
        return _share_of_prefixes(self.density, queries, keys)

    @property
    def unskipped(self) -> str:
        """That single scores are not left out."""
        return "the array skips no single results: every score is computed"


@cache
def _share_of_prefixes(density: Fraction, queries: int, keys: int) -> int:
    return sum(math.ceil(density * min(query + 1, keys)) for query in range(queries))


@dataclass(frozen=True, slots=True)
class Buckets(ScorePattern):
    """Queries and keys sorted into buckets of equal size by a hash: a query meets the keys of its own bucket.

    In a bucket they stand in the order of their places: of a causal mask a query attends to no key behind it.

    >>> Buckets(3, causal=False).rows(8, 8), Buckets(3, causal=False).asked(8, 8), Buckets(3, causal=True).asked(8, 8)
    ({(3, 3): 2, (2, 2): 1}, 22, 15)
    """

    count: int
    causal: bool

    def of_last_query(self) -> ScorePattern:
        """The keys of one bucket."""
        return KeptBlocks(1, BlockRule(density=Fraction(1, self.count)), causal=False)

    def rows(self, queries: int, keys: int) -> Shapes:
        """A product a bucket."""
        return dict(Counter(zip(self._sizes(queries), self._sizes(keys), strict=True)))

    def columns(self, queries: int, keys: int) -> Shapes:
        """A product a bucket."""
        return dict(Counter(zip(self._sizes(keys), self._sizes(queries), strict=True)))

    def asked(self, queries: int, keys: int) -> int:
        """Pairs of one bucket, of a causal mask those that attend."""
        if not self.causal:
            return self.computed(queries, keys)
        return sum(attending_pairs(*shape) * times for shape, times in self.rows(queries, keys).items())

    def _sizes(self, items: int) -> list[int]:
        """Sizes of the buckets: as equal as can be, the first ones one larger."""
        each, more = divmod(items, self.count)
        return [each + (number < more) for number in range(self.count)]
