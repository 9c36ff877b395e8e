"""Off-chip memory, the simple model: a transfer takes its bytes over the bandwidth, more in short runs.

Not modelled here: rows, banks, turnarounds, refresh. Source: docs/hardware-model.md, "Memory".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .specification import Hardware

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DramTiming:
    """The memory as the array's clock sees it.

    Attributes:
        bytes_per_cycle: peak bandwidth of all channels.
        latency_cycles: from a request to its first byte.
        run_overhead_bytes: bytes of time lost a contiguous run.
        burst_bytes: smallest transfer.
    """

    bytes_per_cycle: float
    latency_cycles: int
    run_overhead_bytes: int
    burst_bytes: int

    @classmethod
    def of(cls, hardware: Hardware) -> DramTiming:
        """The timing of a design's memory."""
        return cls(
            bytes_per_cycle=hardware.dram_bytes_per_cycle,
            latency_cycles=hardware.dram_latency_cycles,
            run_overhead_bytes=hardware.dram.run_overhead_bytes,
            burst_bytes=hardware.dram.burst_bytes,
        )

    def cycles(self, transfer_bytes: IntArray, run_bytes: IntArray) -> IntArray:
        """Whole cycles of transfers made of contiguous runs; efficiency is run / (run + overhead).

        >>> memory = DramTiming(bytes_per_cycle=384, latency_cycles=40, run_overhead_bytes=64, burst_bytes=64)
        >>> memory.cycles(np.array([38400]), np.array([64])).tolist()  # half the bandwidth
        [200]
        """
        run = np.maximum(run_bytes, 1)
        # One division of whole numbers: an exact quotient stays exact, so that no cycle is added by rounding.
        stretched = transfer_bytes.astype(np.float64) * (run + self.run_overhead_bytes)
        cycles: IntArray = np.ceil(stretched / (run * self.bytes_per_cycle)).astype(np.int64)
        return cycles

    def stream_cycles(self, read_bytes: int, write_bytes: int) -> int:
        """Whole cycles of long contiguous transfers, both ways on the same pins."""
        return math.ceil((read_bytes + write_bytes) / self.bytes_per_cycle)

    def whole_bursts(self, transfer_bytes: IntArray) -> IntArray:
        """Bytes rounded up to bursts."""
        return -(-transfer_bytes // self.burst_bytes) * self.burst_bytes
