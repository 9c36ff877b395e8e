"""Off-chip memory as everybody asks for it: how many cycles a transfer takes, by the model that the design chose.

The simple model: bytes over bandwidth, more in short runs; no rows, banks, turnarounds, refresh. With a timing set in
the hardware file: ``timed_dram``. Source: docs/hardware-model.md, "Memory".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..configs.arrays import Counts, FloatArray, IntArray
from .specification import Hardware
from .tensor_engine import Count
from .timed_dram import TimedDram


@dataclass(frozen=True, slots=True, kw_only=True)
class DramTiming:
    """The memory as the array's clock sees it; numbers may be arrays, an element a design.

    Attributes:
        bytes_per_cycle: bandwidth that long transfers reach over all channels.
        latency_cycles: from a request to its first byte.
        run_overhead_bytes: bytes of time lost a contiguous run, in the simple model.
        burst_bytes: smallest transfer.
        timed: the timed model; None for the simple one.
        clocks_to_cycles: cycles of the design a clock of the memory, for the timed model.
    """

    bytes_per_cycle: float | FloatArray
    latency_cycles: Count
    run_overhead_bytes: Count
    burst_bytes: Count
    timed: TimedDram | None = None
    clocks_to_cycles: float | FloatArray = 0.0

    @classmethod
    def of(cls, hardware: Hardware) -> DramTiming:
        """The timing of a design's memory."""
        timing = hardware.dram.timing
        return cls(
            bytes_per_cycle=hardware.dram_bytes_per_cycle,
            latency_cycles=hardware.dram_latency_cycles,
            run_overhead_bytes=hardware.dram.run_overhead_bytes,
            burst_bytes=hardware.dram.burst_bytes,
            timed=None if timing is None else TimedDram(timings=timing, channels=hardware.dram.channels),
            clocks_to_cycles=0.0 if timing is None else hardware.clock_hz / timing.clock_hz,
        )

    def cycles(
        self,
        transfer_bytes: IntArray,
        run_bytes: IntArray,
        stride_bytes: IntArray | None = None,
        *,
        write: bool = False,
    ) -> IntArray:
        """Whole cycles of transfers made of contiguous runs.

        The simple model knows an efficiency of run / (run + overhead) and neither strides nor directions.

        Args:
            transfer_bytes: of each transfer.
            run_bytes: contiguous ones.
            stride_bytes: from the start of a run to the start of the next; None where the runs follow each other.
            write: to memory.

        >>> memory = DramTiming(bytes_per_cycle=384, latency_cycles=40, run_overhead_bytes=64, burst_bytes=64)
        >>> memory.cycles(np.array([38400]), np.array([64])).tolist()  # half the bandwidth
        [200]
        """
        work, each = self.work(transfer_bytes, run_bytes, stride_bytes, write=write)
        paced = paced_cycles(work, each, self.bytes_per_cycle, self.clocks_to_cycles, self.timed is not None)
        return np.asarray(paced).astype(np.int64)

    def work(
        self,
        transfer_bytes: IntArray,
        run_bytes: IntArray,
        stride_bytes: IntArray | None = None,
        *,
        write: bool = False,
    ) -> tuple[FloatArray, IntArray]:
        """What transfers ask of a memory, whatever its pace: see ``paced_cycles``; arguments as for ``cycles``.

        Returns:
            Of the simple model bytes times those of a run and its overhead, and bytes of a run; of the timed one clocks
            of the memory, and ones.
        """
        run = np.maximum(run_bytes, 1)
        if self.timed is not None:
            stride = run if stride_bytes is None else stride_bytes
            return self.timed.request_clocks(transfer_bytes, run, stride, write=write), np.ones_like(run)
        return np.asarray(work_of_runs(transfer_bytes, run, self.run_overhead_bytes)), run

    def stream_cycles(self, read_bytes: Counts, write_bytes: Counts) -> Counts:
        """Whole cycles of one long contiguous transfer each way; of many pairs, [S], where anything is an array."""
        if self.timed is None:
            return _whole((read_bytes + write_bytes) / self.bytes_per_cycle)
        clocks = _stream_clocks(self.timed, read_bytes, write=False) + _stream_clocks(
            self.timed, write_bytes, write=True
        )
        return _whole(clocks * self.clocks_to_cycles)

    def whole_bursts(self, transfer_bytes: IntArray) -> IntArray:
        """Bytes rounded up to bursts."""
        return np.asarray(in_bursts(transfer_bytes, self.burst_bytes))


def work_of_runs(transfer_bytes: Counts, run_bytes: Counts, overhead_bytes: Counts) -> Counts:
    """What transfers ask of a memory of the simple model, see ``DramTiming.work``."""
    return transfer_bytes * 1.0 * (run_bytes + overhead_bytes)


def in_bursts(transfer_bytes: Counts, burst_bytes: Counts) -> Counts:
    """Bytes rounded up to bursts of so many."""
    return -(-transfer_bytes // burst_bytes) * burst_bytes


def _stream_clocks(timed: TimedDram, transfer_bytes: Counts, *, write: bool) -> float | FloatArray:
    """Memory clocks of contiguous transfers. Many designs move the same few sizes, so each is worked out once."""
    if not isinstance(transfer_bytes, np.ndarray):
        return _transfer_clocks(timed, int(transfer_bytes), write)
    sizes, which = np.unique(transfer_bytes, return_inverse=True)
    return np.array([_transfer_clocks(timed, int(size), write) for size in sizes])[which.reshape(transfer_bytes.shape)]


@lru_cache(maxsize=1 << 14)
def _transfer_clocks(timed: TimedDram, transfer_bytes: int, write: bool) -> float:
    """The same of one transfer. A step has hundreds, of a few sizes."""
    whole = np.array([transfer_bytes])
    return float(timed.request_clocks(whole, whole, whole, write=write)[0])


def paced_cycles(work: Counts, each: Counts, bytes_per_cycle: Counts, clocks_to_cycles: Counts, timed: bool) -> Counts:
    """Whole cycles, as floats, in which a memory of some pace does the ``DramTiming.work`` of transfers.

    Args:
        work: of the transfers.
        each: the second figure of that.
        bytes_per_cycle: bandwidth, of the simple model.
        clocks_to_cycles: cycles a clock of the memory, of the timed one.
        timed: which of them.
    """
    return rounded_up(work * clocks_to_cycles if timed else work / (each * bytes_per_cycle))


def rounded_up(cycles: Counts) -> Counts:
    """Whole cycles, as floats; what quotients of floats are off by (76.8 bytes a cycle, say) adds no cycle."""
    return np.ceil(np.rint(cycles * 1e6) / 1e6)


def _whole(cycles: float | FloatArray) -> Counts:
    """The same as integers."""
    whole = rounded_up(cycles)
    return whole.astype(np.int64) if isinstance(whole, np.ndarray) else int(whole)
