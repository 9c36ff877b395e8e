"""Operands as the array meets them: pruned in groups along k, as (value, index) pairs or as group vectors.

k is ``taps * channels``, tap-major: groups of M run along consecutive channels at a fixed kernel position, and the last
group of each position may be short. Vectors of length k lie along the last axis throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....configs.arrays import BoolArray, FloatArray, IntArray
from ....configs.pattern import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups of M that a vector of ``taps * channels`` elements falls into.

    >>> Groups(taps=2, channels=5, pattern=Pattern(2, 4)).lengths().tolist()
    [4, 1, 4, 1]
    """

    taps: int
    channels: int
    pattern: Pattern

    @property
    def count(self) -> int:
        """G, groups in one vector, short ones included."""
        return self.taps * self.pattern.groups_of(self.channels)

    def lengths(self) -> IntArray:
        """Elements of each group, [G]."""
        size = self.pattern.group
        of_one_tap = [min(size, self.channels - start) for start in range(0, self.channels, size)]
        return np.array(of_one_tap * self.taps, dtype=np.int64)

    def kept(self) -> IntArray:
        """Elements kept of each group, min(N, length), [G]."""
        return np.minimum(self.pattern.kept, self.lengths())

    def vectors(self, operand: FloatArray) -> FloatArray:
        """``operand`` [..., k] as group vectors [..., G, M]; short groups are filled with zeros."""
        size = self.pattern.group
        filled = self.pattern.groups_of(self.channels) * size
        vectors = np.zeros((*operand.shape[:-1], self.taps, filled))
        vectors[..., : self.channels] = operand.reshape(*operand.shape[:-1], self.taps, self.channels)
        return vectors.reshape(*operand.shape[:-1], self.count, size)

    def flatten(self, vectors: FloatArray) -> FloatArray:
        """Group vectors [..., G, M] as the operand [..., k] that they came from."""
        by_tap = vectors.reshape(*vectors.shape[:-2], self.taps, -1)[..., : self.channels]
        return by_tap.reshape(*vectors.shape[:-2], self.taps * self.channels)


def prune(operand: FloatArray, groups: Groups) -> FloatArray:
    """Keep the min(N, length) largest magnitudes of every group of ``operand`` [..., k]; ties keep the lowest index.

    >>> prune(np.array([1.0, -3.0, 3.0, 2.0, -3.0, 1.0]), Groups(taps=1, channels=6, pattern=Pattern(2, 4)))
    array([ 0., -3.,  3.,  0., -3.,  1.])
    """
    vectors = groups.vectors(operand)
    # A stable sort of the negated magnitudes leaves equal ones in index order; the fill of a short group sorts last.
    order = np.argsort(-np.abs(vectors), axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1)
    return groups.flatten(np.where(rank < groups.pattern.kept, vectors, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """A compressed operand: N (value, index) pairs a group; ``used`` says which a short last group really has.

    Attributes:
        values: [..., G, N].
        indices: position inside the group, as a number on a wire, [..., G, N].
        used: slots that a machine without fixed group frames issues, [G, N].
    """

    values: FloatArray
    indices: FloatArray
    used: BoolArray

    def both(self) -> FloatArray:
        """FloatArray and indices side by side, [..., G, N, 2]."""
        return np.stack([self.values, self.indices], axis=-1)


def require_pruned(operand: FloatArray, groups: Groups) -> None:
    """Refuse an ``operand`` [..., k] that keeps more than N elements of a group.

    Raises:
        ValueError: naming the first vector and group that do.
    """
    crowded = np.argwhere((groups.vectors(operand) != 0).sum(axis=-1) > groups.pattern.kept)
    if crowded.size:
        raise ValueError(
            f"operand: got more than {groups.pattern.kept} elements kept at (vector, group) "
            f"{tuple(crowded[0].tolist())}, need {groups.pattern}; try prune(operand, groups) first"
        )


def compress(operand: FloatArray, groups: Groups) -> Pairs:
    """Compress a pruned ``operand`` [..., k] into exactly N pairs a group, kept elements in index order.

    A group with fewer than N elements that are not zero fills its pairs with zeros.

    Raises:
        ValueError: the operand is not pruned to the pattern.
    """
    require_pruned(operand, groups)
    kept = groups.pattern.kept
    vectors = groups.vectors(operand)
    indices = np.argsort(vectors == 0, axis=-1, kind="stable")[..., :kept]
    return Pairs(
        values=np.take_along_axis(vectors, indices, axis=-1),
        indices=indices.astype(np.float64),
        used=np.arange(kept) < groups.kept()[:, None],
    )
