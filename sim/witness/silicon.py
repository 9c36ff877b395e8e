"""Cycles that were measured on one core of a TPU v3, and what four simulators say of the same work.

``configs/peers/tpu-v3-cycles.csv``: ten forward passes with silicon's cycles, and those of mNPUsim, Timeloop, MAESTRO
and SCALE-Sim v3 where there are any. Source: the artefact of PyTorchSim (PSAL-POSTECH/PyTorchSim, experiments/artifact,
cycle validation). How the timings were taken, in which number format and by which compiler is not said there.

Names of the work: ``gemm_MxNxK``, ``conv_BxHxWxIxOxKxSxP`` (batch, height, width, channels in and out, kernel, stride,
padding), ``layernorm_RxC`` and ``softmax_RxC`` over rows, ``attention_HxLxE`` (heads, tokens, elements a head),
``resnet18`` at batch 1, ``bert_base``: one block of 512 tokens.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from ...configs.library import find

DESIGN = "tpu-v3-core"
"""The shipped design of that core."""

_MEASURED, _WORKLOAD = "tpuv3_cycles", "workload"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedWork:
    """A piece of work that was timed.

    Attributes:
        name: of the work.
        cycles: that silicon took.
        peers: cycles by simulator, of those that say any.
    """

    name: str
    cycles: int
    peers: Mapping[str, int]

    def error(self, cycles: float) -> float:
        """How far cycles are from silicon's, as a share of these; below 0 where they are too few.

        >>> TimedWork(name="gemm", cycles=200, peers={}).error(150)
        -0.25
        """
        return cycles / self.cycles - 1


def timed_work() -> tuple[TimedWork, ...]:
    """Everything that was timed, in the order of the file."""
    with find("peers", "tpu-v3-cycles").open(newline="", encoding="utf-8") as file:
        return tuple(
            TimedWork(
                name=row.pop(_WORKLOAD),
                cycles=int(row.pop(_MEASURED)),
                peers={name: int(cycles) for name, cycles in row.items() if cycles},
            )
            for row in csv.DictReader(file)
        )


def peers_of(work: Iterable[TimedWork]) -> tuple[str, ...]:
    """Every simulator that says anything."""
    return tuple(dict.fromkeys(name for each in work for name in each.peers))


def mean_absolute_error(work: Iterable[TimedWork], cycles: Mapping[str, float]) -> float:
    """Mean of the absolute errors, as a share of silicon's cycles, over the work whose cycles are given by name.

    >>> rows = [TimedWork(name="a", cycles=100, peers={}), TimedWork(name="b", cycles=100, peers={})]
    >>> mean_absolute_error(rows, {"a": 90, "b": 130})
    0.2
    """
    return round(fmean(abs(each.error(cycles[each.name])) for each in work if each.name in cycles), 9)
