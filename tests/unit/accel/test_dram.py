"""The simple memory: bytes over bandwidth, longer for short runs, and nothing lost to rounding."""

import math
from fractions import Fraction

import numpy as np
import pytest
from bisparse.accel.dram import DramTiming
from bisparse.accel.specification import load_hardware


def memory(bytes_per_cycle=16, overhead=64, burst=64):
    return DramTiming(
        bytes_per_cycle=bytes_per_cycle, latency_cycles=40, run_overhead_bytes=overhead, burst_bytes=burst
    )


def cycles(transfer, run, **fields):
    return int(memory(**fields).cycles(np.array([transfer]), np.array([run]))[0])


def test_the_reference_design_moves_384_bytes_a_cycle():
    timing = DramTiming.of(load_hardware("sat-vcu1525").model)
    assert timing == DramTiming(bytes_per_cycle=384, latency_cycles=40, run_overhead_bytes=64, burst_bytes=64)


def test_one_long_run_pays_its_overhead_once():
    """1600 bytes and 64 lost: 1664 / 16."""
    assert cycles(1600, 1600) == 104


def test_runs_as_long_as_the_overhead_halve_the_bandwidth():
    assert cycles(1600, 64) == 200


def test_without_overhead_only_bytes_count():
    assert cycles(1600, 2, overhead=0) == 100
    assert cycles(1601, 2, overhead=0) == 101


def test_nothing_takes_no_time():
    assert cycles(0, 0) == 0


@pytest.mark.parametrize("bytes_per_cycle", [3, 8, 16, 76.8, 384])
def test_a_quotient_that_is_whole_stays_whole(bytes_per_cycle):
    draw = np.random.default_rng(0)
    runs = draw.integers(1, 3000, 2000)
    transfers = runs * draw.integers(1, 200, 2000)
    found = memory(bytes_per_cycle).cycles(transfers, runs).tolist()
    exact = [
        math.ceil(transfer * (run + 64) / (run * Fraction(str(bytes_per_cycle))))
        for transfer, run in zip(transfers.tolist(), runs.tolist(), strict=True)
    ]
    assert found == exact


def test_a_stream_of_whole_cycles_stays_whole():
    timing = memory(bytes_per_cycle=76.8)
    assert [timing.stream_cycles(384 * fives, 0) for fives in range(400)] == [5 * fives for fives in range(400)]


def test_transfers_of_terabytes_do_not_overflow():
    terabyte = 1 << 40
    assert cycles(terabyte, terabyte, bytes_per_cycle=16, overhead=0) == terabyte // 16


@pytest.mark.parametrize(("transfer", "whole"), [(0, 0), (1, 64), (64, 64), (65, 128)])
def test_streams_are_rounded_up_to_bursts(transfer, whole):
    assert memory().whole_bursts(np.array([transfer])).tolist() == [whole]
