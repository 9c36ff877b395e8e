"""Random products for a few random engines: to elaborate an engine takes longer than to multiply on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice

import numpy as np

from ....configs.errors import MappingError
from ..machines.machine import lay_operands
from ..machines.random_cases import Case, random_case
from ..machines.specification import Machine
from .layout import lay_out
from .twin import Job, Twin


def random_twin(seed: int) -> Twin:
    """The engine that an integer names.

    >>> random_twin(3) == random_twin(3)
    True
    """
    draw = np.random.default_rng(seed)

    def between(low: int, high: int) -> int:
        return int(draw.integers(low, high, endpoint=True))

    accumulate_latency = max(1, between(-1, 4))
    return Twin(
        machine=Machine(
            rows=between(2, 4),
            cols=between(2, 4),
            mac_latency=accumulate_latency + between(0, 3),
            accumulate_latency=accumulate_latency,
            # Of twelve in a row each kind of drain has each kind of load; a third has pairs from the west.
            drain="wire" if seed % 3 == 2 else "shift",
            stationary_load="latch" if seed % 2 else "chain",
        ),
        group=(4, 8)[between(0, 1)],
        turns=between(4, 6),
        words=between(6, 12),
        pairs_west=seed // 2 % 4 == 1,
    )


def cases_for(twin: Twin, number: int, *, start: int) -> list[Case]:
    """Random products that fit an engine, from the case that ``start`` names on; folds overlap or not."""
    return list(islice(_fitting(twin, start), number))


def _fitting(twin: Twin, start: int) -> Iterator[Case]:
    for seed in count(start):
        drawn = random_case(seed)
        machine = replace(twin.machine, overlapped=drawn.machine.overlapped, register_depth=max(twin.turns, twin.words))
        case = replace(drawn, machine=machine)
        try:
            lay_out(twin, job_of(case))
        except MappingError:
            continue
        yield case


def job_of(case: Case) -> Job:
    """A random product as a job for a twin of its machine."""
    a, b = case.operands()
    laid = lay_operands(case.mapping, a, b, taps=case.taps, pattern=case.pattern, compressed=case.compressed)
    return Job(mapping=case.mapping, laid=laid, overlapped=case.machine.overlapped)
