"""A product as the memories at the edges of a tensor engine hold it, the counts that its control is given, and back.

What the memories hold is the product's operands in the order in which a lane sends them; when it sends them is the
hardware's own affair.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ....configs.arrays import FloatArray, IntArray
from ....configs.errors import MappingError
from ..machines.operands import Groups, compress
from ..machines.output_program import fold_lanes
from .twin import VALUE_BITS, Job, Twin


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the control of an engine is told of a product, in the order of the bench's fields; bases come behind."""

    weight_stationary: int
    overlapped: int
    last_row_fold: int
    last_column_fold: int
    last_row_turn: int
    last_column_turn: int = 0
    last_tap: int = 0
    last_group: int = 0
    kept: int
    kept_of_short: int = 1
    west_stride: int
    north_stride: int = 0
    last_vector: int = 0
    last_slot: int = 0
    group_words: int = 0
    last_word: int = 0

    def values(self) -> list[int]:
        """All of them, in order."""
        return [int(getattr(self, each.name)) for each in fields(self)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memories:
    """Words of a product's operand memories, [words, lanes, width]: values of a group, or a value and its index."""

    west: IntArray
    north: IntArray
    stay: IntArray


def lay_out(twin: Twin, job: Job) -> tuple[Counts, Memories]:
    """Counts and memories of a product.

    Raises:
        MappingError: the product needs more registers than the twin has, wider groups, or pairs from the other side.
    """
    groups, weight_stationary = job.laid.groups, job.mapping.dataflow != "os"
    if groups.pattern.group > twin.group:
        raise MappingError(f"group: got {groups.pattern}, need groups of at most {twin.group}; try a wider twin")
    pairs_west = job.laid.compressed == ("b" if job.mapping.dataflow == "is" else "a")
    if pairs_west != twin.pairs_west:
        raise MappingError(f"pairs_west: got {twin.pairs_west}, need {pairs_west} for {job.laid.compressed} compressed")
    return _stationary(twin, job, groups) if weight_stationary else _output(twin, job, groups)


def _output(twin: Twin, job: Job, groups: Groups) -> tuple[Counts, Memories]:
    rows_turned, columns_turned = output_turns(twin, job)
    _require(rows_turned * columns_turned, twin.turns, "turns")
    rows = fold_lanes(job.laid.rows, rows_turned, twin.machine.rows)
    columns = fold_lanes(job.laid.columns, columns_turned, twin.machine.cols)
    if twin.pairs_west:
        west, north = _pair_words(rows, groups), _vector_words(columns, groups, twin)
    else:
        west, north = _vector_words(rows, groups, twin), _pair_words(columns, groups)
    kept = groups.kept()
    counts = Counts(
        weight_stationary=0,
        overlapped=int(job.overlapped),
        last_row_fold=len(rows) - 1,
        last_column_fold=len(columns) - 1,
        last_row_turn=rows_turned - 1,
        last_column_turn=columns_turned - 1,
        last_tap=groups.taps - 1,
        last_group=groups.count // groups.taps - 1,
        kept=groups.pattern.kept,
        kept_of_short=int(kept[-1]),
        west_stride=int(kept.sum()) if twin.pairs_west else groups.count,
        north_stride=groups.count if twin.pairs_west else int(kept.sum()),
    )
    return counts, Memories(west=west, north=north, stay=np.zeros((0, twin.machine.cols, 2), dtype=np.int64))


def _stationary(twin: Twin, job: Job, groups: Groups) -> tuple[Counts, Memories]:
    moving, stationary = stationary_operands(job)
    machine, kept, size = twin.machine, groups.pattern.kept, groups.pattern.group
    resident = min(job.mapping.resident_groups, -(-groups.count // machine.rows))
    group_words, slots = size if twin.pairs_west else kept, resident * kept
    batch = 1 if slots == 1 else min(job.mapping.interleave, len(moving))
    _require(resident * group_words, twin.words, "words")
    _require(batch, twin.turns, "turns")

    a_fold = machine.rows * resident
    folds, column_folds = -(-groups.count // a_fold), -(-len(stationary) // machine.cols)
    frames = Groups(taps=folds * a_fold, channels=size, pattern=groups.pattern)
    moving_groups = _filled(groups.vectors(moving), len(moving), folds * a_fold)
    stationary_groups = _filled(groups.vectors(stationary), column_folds * machine.cols, folds * a_fold)
    moved = (len(moving), folds, machine.rows, resident)
    stayed = (column_folds, machine.cols, folds, machine.rows, resident * group_words)
    if twin.pairs_west:
        west = _pairs(moving_groups, frames).reshape(*moved, kept, 2).transpose(1, 0, 3, 4, 2, 5)
        stay = stationary_groups.astype(np.int64).reshape(*stayed, 1)
    else:
        west = _widened(moving_groups, twin).reshape(*moved, twin.group).transpose(1, 0, 3, 2, 4)
        stay = _pairs(stationary_groups, frames).reshape(*stayed, 2)
    counts = Counts(
        weight_stationary=1,
        overlapped=int(job.overlapped),
        last_row_fold=folds - 1,
        last_column_fold=column_folds - 1,
        last_row_turn=batch - 1,
        kept=kept,
        west_stride=slots if twin.pairs_west else resident,
        last_vector=len(moving) - 1,
        last_slot=slots - 1,
        group_words=group_words,
        last_word=resident * group_words - 1,
    )
    return counts, Memories(
        west=west.reshape(-1, machine.rows, west.shape[-1]),
        north=np.zeros((0, machine.cols, 2), dtype=np.int64),
        stay=stay.transpose(2, 0, 3, 4, 1, 5).reshape(-1, machine.cols, stay.shape[-1]),
    )


def output_turns(twin: Twin, job: Job) -> tuple[int, int]:
    """Im and In as the product cuts them."""
    return (
        min(job.mapping.interleave_m, -(-len(job.laid.rows) // twin.machine.rows)),
        min(job.mapping.interleave_n, -(-len(job.laid.columns) // twin.machine.cols)),
    )


def stationary_operands(job: Job) -> tuple[FloatArray, FloatArray]:
    """What moves and what stays: under input stationary the operands have each other's role."""
    laid = job.laid
    return (laid.columns, laid.rows) if job.mapping.dataflow == "is" else (laid.rows, laid.columns)


def hex_words(words: IntArray, index_bits: int | None) -> list[str]:
    """Memory words [words, lanes, width], lane 0 lowest; a value and its index if ``index_bits``, else values."""
    widths = [VALUE_BITS] * words.shape[2] if index_bits is None else [VALUE_BITS, index_bits]
    every = widths * words.shape[1]
    masked = words.reshape(len(words), len(every)) & ((1 << np.array(every)) - 1)
    texts = []
    for word in masked[:, ::-1].tolist():
        number = 0
        for value, width in zip(word, reversed(every), strict=True):
            number = number << width | value
        texts.append(f"{number:x}")
    return texts


def _vector_words(tiled: FloatArray, groups: Groups, twin: Twin) -> IntArray:
    """A memory's words of operands [folds, turns, lanes, k] that travel as group vectors."""
    by_group = _widened(groups.vectors(tiled), twin).transpose(0, 1, 3, 2, 4)
    return by_group.reshape(-1, *by_group.shape[-2:])


def _pair_words(tiled: FloatArray, groups: Groups) -> IntArray:
    """A memory's words of operands [folds, turns, lanes, k] that travel as pairs."""
    pairs = compress(tiled, groups)
    by_slot = pairs.both()[..., pairs.used, :].astype(np.int64).transpose(0, 1, 3, 2, 4)
    return by_slot.reshape(-1, *by_slot.shape[-2:])


def _pairs(vectors: FloatArray, frames: Groups) -> IntArray:
    """Group vectors [..., G, M] as pairs, [..., G, N, 2]."""
    return compress(frames.flatten(vectors), frames).both().astype(np.int64)


def _widened(vectors: FloatArray, twin: Twin) -> IntArray:
    """Group vectors [..., M] as wide as the twin's."""
    widths = [(0, 0)] * (vectors.ndim - 1) + [(0, twin.group - vectors.shape[-1])]
    return np.pad(vectors, widths).astype(np.int64)


def _filled(vectors: FloatArray, rows: int, count: int) -> FloatArray:
    """Group vectors [vectors, G, M] with zeros up to ``rows`` vectors of ``count`` groups."""
    return np.pad(vectors, [(0, rows - vectors.shape[0]), (0, count - vectors.shape[1]), (0, 0)])


def _require(needed: int, there: int, what: str) -> None:
    if needed > there:
        raise MappingError(f"{what}: got {there}, need {needed}; try a twin with more, or a smaller mapping")
