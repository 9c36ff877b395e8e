"""Slots that the zeros of a very tensor take on an array that skips them: counted window by window, not expected.

Lanes and windows are those of ``waiting``: the lanes of a lockstep group leave a window when the fullest of them does,
and a fold is through when the last of its groups is. Which pieces of a tensor a tile of some size meets depends on
where it lies; a size stands for the mean over all pieces of it, cut from the first channel on, and over all folds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ...configs.arrays import IntArray
from ...training.own_weights.measured import Measured

_Kept = npt.NDArray[np.uint8]


def counted_slots(
    measured: Measured, *, group: int, queue: int, lockstep: int, lanes: int, channels: int, taps: int
) -> float:
    """Slots of a tile, on average over the tensor's tiles of its size; cutting a tensor never makes fewer of it.

    Args:
        measured: the tensor.
        group: M, elements that a lane selects among.
        queue: groups of a window.
        lockstep: R, lanes that leave a window together.
        lanes: of a fold.
        channels: of the tile, along those that are summed over.
        taps: of the tile; where the tensor has more, on average over those that follow each other.
    """
    kept = _kept_of_groups(measured, group)
    of_tile = _mean_slots(kept, -(-channels // group), taps, queue, lockstep, lanes, from_end=channels % group > 0)
    share = float(taps * -(-channels // group) / (kept.shape[2] * kept.shape[3]))
    whole = _whole_slots(measured, group, queue, lockstep, lanes)
    return max(of_tile, whole * min(share, 1.0))


@lru_cache(maxsize=32)
def _kept_of_groups(measured: Measured, group: int) -> _Kept:
    """[groups, lanes, taps, groups of M] elements kept of each group of M, a short last one included."""
    kept = np.swapaxes(measured.kept(), 2, 3).astype(np.uint8)
    starts = np.arange(0, kept.shape[3], group)
    found: _Kept = np.add.reduceat(kept, starts, axis=3, dtype=np.uint8)
    return found


@lru_cache(maxsize=4096)
def _whole_slots(measured: Measured, group: int, queue: int, lockstep: int, lanes: int) -> float:
    kept = _kept_of_groups(measured, group)
    return _mean_slots(kept, kept.shape[3], kept.shape[2], queue, lockstep, lanes, from_end=False)


def _mean_slots(kept: _Kept, groups: int, taps: int, queue: int, lockstep: int, lanes: int, *, from_end: bool) -> float:
    """Over all tiles of some groups of M by some taps, or the one at the end, and over all folds."""
    every, of_tap = kept.shape[2:]
    groups = min(groups, of_tap)
    tiles = 1 if from_end else of_tap // groups
    first = of_tap - groups if from_end else 0
    seen = kept[:, :, :, first : first + tiles * groups].reshape(*kept.shape[:3], tiles, groups)
    runs = [np.arange(every)] if taps >= every else [(start + np.arange(taps)) % every for start in range(every)]
    return float(np.mean([_slots(seen[:, :, run], queue, lockstep, lanes).mean() for run in runs]))


def _slots(seen: _Kept, queue: int, lockstep: int, lanes: int) -> IntArray:
    """[groups, folds, tiles] of [groups, lanes, taps, tiles, groups of M]."""
    # Along k groups of M follow each other within a tap, then tap after tap.
    depth = seen.shape[2] * seen.shape[4]
    along_k = np.moveaxis(seen, 3, 2).reshape(*seen.shape[:2], seen.shape[3], depth)
    windows = np.add.reduceat(along_k, np.arange(0, depth, queue), axis=3, dtype=np.int64)
    folds = range(0, seen.shape[1], lanes)
    sets = [range(fold, min(fold + lanes, seen.shape[1]), lockstep) for fold in folds]
    fullest = np.maximum.reduceat(windows, np.concatenate(sets), axis=1).sum(axis=3)
    of_fold = np.cumsum([0, *map(len, sets)])[:-1]
    return np.maximum.reduceat(fullest, of_fold, axis=1)
