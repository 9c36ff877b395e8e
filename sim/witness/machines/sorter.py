"""The N:M reduction engine as a machine: value-serial top-K, played element by element. A witness, not a fast path.

A lane takes one element of a group a cycle, M cycles a group, and holds N slots of (magnitude, index, value), largest
magnitude first. An incoming element is compared with all N slots in its cycle; each slot then holds, takes the
element, or takes what the slot before it held: an insertion sort, one insertion a cycle. On a tie what came first
stays ahead, so the lowest index is kept. The N kept leave in rising order of index, while the next group streams in.

A magnitude is the bit pattern without its sign, compared as an unsigned integer, which orders floating-point numbers
as their magnitudes: no floating-point comparator is needed. So -0.0 ties with 0.0; denormals are ordered by their
value, not flushed; infinity is above all finite numbers, and NaN above infinity: it is kept, never silently pruned,
and NaNs are ordered by their payloads. Not modelled: how elements arrive, and the write of the compressed stream.
Cycles for a whole tensor: ``engines.reduction_cycles``. Source: docs/hardware-model.md, "Engines beside the array".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ....configs.arrays import BoolArray, IntArray
from ....configs.errors import ConfigError
from ....configs.pattern import Pattern

_BITS_OF: dict[str, type[np.unsignedinteger[Any]]] = {"float32": np.uint32, "float16": np.uint16}
"""The unsigned integer as wide as each number format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What the machine makes of streams, [..., length] each.

    Attributes:
        values: [..., kept] those kept, in the order of the stream.
        indices: [..., kept] where each stood in its group.
        mask: [..., length] whether an element was kept.
        cycles: of the engine.
        compares: of magnitudes, in all lanes.
    """

    values: npt.NDArray[Any]
    indices: IntArray
    mask: BoolArray
    cycles: int
    compares: int


def reduce_stream(values: npt.NDArray[Any], pattern: Pattern, *, lanes: int = 1) -> Reduced:
    """Reduce streams to N:M along the last axis, groups of M from its start; a short last group keeps min(N, rest).

    Args:
        values: [..., length] in float32 or float16.
        pattern: N:M.
        lanes: groups sorted side by side.

    Raises:
        ConfigError: another number format, a scalar, or no lane.

    >>> reduced = reduce_stream(np.array([1, -3, 3, 0, 2, -2, 2, 5], np.float32), Pattern(2, 4))
    >>> reduced.values.tolist(), reduced.indices.tolist()  # of the three 2s the first stays beside 5
    ([-3.0, 3.0, 2.0, 5.0], [1, 2, 0, 3])
    >>> reduced.cycles, reduced.compares  # two groups of four through one lane; every element meets two slots
    (8, 16)
    """
    values = np.asarray(values)
    if values.dtype.name not in _BITS_OF:
        raise ConfigError(f"values: got {values.dtype}, need float32 or float16; try values.astype('float32')")
    if values.ndim == 0:
        raise ConfigError("values: got a scalar, need at least one axis of elements")
    if lanes < 1:
        raise ConfigError(f"lanes: got {lanes}, need at least 1")
    length, streams = values.shape[-1], values.reshape(-1, values.shape[-1])
    groups, kept = pattern.groups_of(length), pattern.kept_of(length)
    grouped = _grouped(streams, pattern, groups)
    arrived = _grouped(np.ones(streams.shape, dtype=np.bool_), pattern, groups)
    indices = _sorted_by_index(_slots(_magnitudes(grouped), arrived, pattern), pattern)

    filled = indices < pattern.group
    mask = np.zeros(grouped.shape, dtype=np.bool_)
    group, slot = np.nonzero(filled)
    mask[group, indices[group, slot]] = True
    shape = values.shape[:-1]
    return Reduced(
        values=grouped[group, indices[group, slot]].reshape(*shape, kept),
        indices=indices[filled].reshape(*shape, kept),
        mask=mask.reshape(len(streams), groups * pattern.group)[:, :length].reshape(values.shape),
        cycles=-(-len(grouped) // lanes) * pattern.group,
        compares=values.size * pattern.kept,
    )


def _grouped(streams: npt.NDArray[Any], pattern: Pattern, groups: int) -> npt.NDArray[Any]:
    """Streams as groups, [streams x groups, M]; positions past a stream's end hold zero."""
    padded = np.zeros((len(streams), groups * pattern.group), dtype=streams.dtype)
    padded[:, : streams.shape[1]] = streams
    return padded.reshape(-1, pattern.group)


def _magnitudes(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bit patterns without their sign."""
    unsigned = _BITS_OF[values.dtype.name]
    sign = unsigned(1 << (8 * values.dtype.itemsize - 1))
    bits: npt.NDArray[Any] = values.view(unsigned) & ~sign
    return bits


def _slots(magnitudes: npt.NDArray[Any], arrived: BoolArray, pattern: Pattern) -> IntArray:
    """Which elements the N slots hold when their group is over: [groups, N] of indices, M in an empty slot.

    Position after position; all groups take theirs at once, as lanes do.

    Args:
        magnitudes: [groups, M].
        arrived: [groups, M] whether there is an element; none comes after a group's end.
        pattern: N:M.
    """
    groups = len(magnitudes)
    held = np.zeros((groups, pattern.kept), dtype=magnitudes.dtype)
    index = np.full((groups, pattern.kept), pattern.group, dtype=np.int64)
    for position in range(pattern.group):
        incoming, comes = magnitudes[:, position], arrived[:, position]
        # N comparators: a slot that is filled and not smaller stays ahead of the element. Slots are in order, so these
        # are the first ones.
        ahead = (index < pattern.group) & (held >= incoming[:, None])
        for slot in reversed(range(pattern.kept)):
            inserts = comes & ~ahead[:, slot]
            if slot > 0:
                shifts = inserts & ~ahead[:, slot - 1]
                held[shifts, slot], index[shifts, slot] = held[shifts, slot - 1], index[shifts, slot - 1]
                inserts &= ahead[:, slot - 1]
            held[inserts, slot], index[inserts, slot] = incoming[inserts], position
    return index


def _sorted_by_index(slots: IntArray, pattern: Pattern) -> IntArray:
    """The slots as they leave: a flag for each position of the group, read from the first to the last."""
    flags = np.zeros((len(slots), pattern.group + 1), dtype=np.bool_)
    np.put_along_axis(flags, slots, True, axis=1)
    left = np.full(slots.shape, pattern.group, dtype=np.int64)
    group, position = np.nonzero(flags[:, : pattern.group])
    order = np.cumsum(flags[:, : pattern.group], axis=1)[group, position] - 1
    left[group, order] = position
    return left
