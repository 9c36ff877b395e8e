"""What a study will take, before it is run: its designs, its runs and its time, by a sample.

Whatever the size of the space, a sample is looked at: nothing here goes through all designs of a large one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from ....configs.errors import BisparseError
from .axis_values import Settings
from .running import asks, chunk_size, cores
from .space import Space
from .workers import evaluate_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a study will take.

    Attributes:
        designs: that the strategy may ask for.
        runs: of those, a run a scenario.
        seconds: for all of them on this machine; None when no sample could be evaluated.
        sampled: runs that the estimate rests on.
    """

    designs: int
    runs: int
    seconds: float | None
    sampled: int


def estimate(space: Space, *, version: str, jobs: int | None = None) -> Estimate:
    """Estimate a study's time from two samples of neighbouring runs, evaluated in this process.

    A batch takes a time that does not depend on its size, and so much a run on top; both go with the products of a
    workload, so that the smallest one is sampled for all. The larger sample is no more than a quarter of the study, and
    of a study no larger than the first there is no other.

    Args:
        space: of the study.
        version: of bisparse.
        jobs: processes that will work on it; as many as cores when None.
    """
    asked, scenarios = asks(space), space.scenarios()
    runs = asked * len(scenarios)
    count = jobs or cores()
    some = _neighbours(space, max(min(_SAMPLES[1], asked // 4), _SAMPLES[0]))
    weights = [_products(space, {**some[0], **scenario}) for scenario in scenarios] if some else []
    if not any(weights):
        return Estimate(designs=asked, runs=runs, seconds=None, sampled=0)
    lightest = min(weights)
    scenario = scenarios[weights.index(lightest)]
    few, many = some[: _SAMPLES[0]], some
    samples = [some[:1], few, *([many] if len(many) > len(few) else [])]
    took = []
    for sample in samples:
        began = time.perf_counter()
        evaluate_settings(space, [{**settings, **scenario} for settings in sample], version)
        took.append(time.perf_counter() - began)
    # The first loads what all share.
    a_run = max(took[-1] - took[1], 0.0) / max(len(many) - len(few), 1)
    a_batch = max(took[1] - a_run * len(few), 0.0)
    size = chunk_size(asked, count)
    seconds = (math.ceil(asked / size) * a_batch + asked * a_run) * sum(weights) / lightest / count + took[0]
    return Estimate(designs=asked, runs=runs, seconds=seconds, sampled=sum(map(len, samples)))


_SAMPLES = (16, 192)
"""Runs of the two samples."""

_PLACES = 64
_LOOKED_AT = 256
"""Places in a space that are looked at for designs that keep the constraints, and how far from each."""


def _neighbours(space: Space, most: int) -> list[Settings]:
    """Neighbouring designs that keep the constraints, so many at most; none where none were found."""
    draw, found = Random(0), list[Settings]()
    for _ in range(_PLACES if space.designs > _LOOKED_AT else 1):
        near = islice(space.neighbours(draw), min(_LOOKED_AT, space.designs))
        found = list(islice((each for each in near if not space.violated(each, None)), most))
        if len(found) >= _SAMPLES[0]:
            break
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """What constraints leave out before anything is evaluated.

    Attributes:
        designs: how many, of all or of the sample.
        of: designs that were looked at.
        sampled: whether these are a sample of the space, rather than all of it.
    """

    designs: int
    of: int
    sampled: bool


def ruled_out(space: Space) -> RuledOut:
    """Count the designs that fail a constraint that needs no figures; of a large space in a sample, each as likely."""
    if not space.sweep.constraints:
        return RuledOut(designs=0, of=space.designs, sampled=False)
    sampled = space.designs > _COUNTED
    designs = list(_drawn(space)) if sampled else space.choices()
    judged = [bool(space.violated(each, None)) for each in designs]
    return RuledOut(designs=sum(judged), of=len(judged), sampled=sampled)


_COUNTED = 20_000
"""Designs that are all looked at."""

_DRAWN = 2_000
_MOST_DRAWS = 200_000
"""Of a sample: designs, and combinations tried for them, since those that stand for no design are passed over."""


def _drawn(space: Space) -> Iterator[Settings]:
    draw = Random(0)
    tried = (space.drawn(draw) for _ in range(_MOST_DRAWS))
    return islice((each for each in tried if each is not None), _DRAWN)


def _products(space: Space, settings: Settings) -> int:
    """Products of the workload that a run is on; 0 when it is no design."""
    try:
        graph = space.point(settings).graph
    except BisparseError:
        return 0
    return sum(operator.is_product for operator in graph.operators)
