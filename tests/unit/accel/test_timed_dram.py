"""The timed memory, by hand, on DDR4-2400: tRP = tRCD = 16, tCCD_S = 4, tCCD_L = 6, tRRD_S = 4, tFAW = 26, tRC = 55.

A row has 128 bursts; those of the four bank groups lie interleaved: a stripe of 512 bursts.
"""

import dataclasses

import numpy as np
import pytest
from bisparse.accel.dram import DramTiming
from bisparse.accel.dram_timings import load_dram_timings
from bisparse.accel.specification import load_hardware
from bisparse.accel.timed_dram import TimedDram

TIMED = TimedDram(timings=load_dram_timings("ddr4-2400").model, channels=1)


def request(bursts, run, stride, *, write=False):
    arrays = (np.array([each]) for each in (bursts, run, stride))
    made = TIMED.channel_request(*arrays, write=write)
    return int(made.clocks[0]), int(made.activates[0])


def test_one_burst_opens_its_row_first():
    """16 precharge + 16 activate to column + 4 on the pins."""
    assert request(1, 1, 1) == (36, 1)


def test_a_stream_runs_at_the_pins_rate():
    """32 to open + 511 x 4 + 4; four rows, one a bank group."""
    assert request(512, 512, 512) == (2080, 4)


def test_bursts_of_one_bank_group_come_at_tccd_l():
    """Stride 4 of 4 groups, 10 bursts: 32 + 9 x 6 + 4, one row."""
    assert request(10, 1, 4) == (90, 1)


def test_one_row_of_a_bank_after_another_waits_for_the_row_cycle():
    """Stride 2048 = 4 stripes of 4 banks: the same bank, another row; 16 + 2 x tRC 55 + 16 + 4 for three."""
    assert request(3, 1, 2048) == (146, 3)


def test_rows_of_other_banks_are_held_up_by_the_activate_window():
    """Stride 641: another of 16 banks every time. The 9th activate is 2 x tFAW after the first: 16 + 52 + 16 + 4."""
    assert request(9, 1, 641) == (88, 9)


def test_a_write_turns_the_bus_round_twice():
    """As a read, and after the last data CWL 16 + tWTR_L 9; CL + 2 - CWL = 2 at the start hides behind the opening."""
    assert request(1, 1, 1, write=True)[0] == 36 + 25


def test_a_write_holds_its_row_longer_than_a_read():
    """Two rows of a bank: tRCD 16 + CWL 16 + 4 + tWR 19 + tRP 16 = 71 between their activates, not tRC 55."""
    assert request(2, 1, 2048, write=True)[0] - request(1, 1, 1, write=True)[0] == 71


def test_nothing_takes_no_time():
    assert request(0, 1, 1) == (0, 0)
    assert request(0, 1, 1, write=True) == (0, 0)


def test_channels_share_a_request_evenly():
    """Four channels: runs of 512 bytes give each 2 of 8 bursts; runs of 64 bytes reach one channel each."""
    four = dataclasses.replace(TIMED, channels=4)

    def share(*request_bytes):
        return [int(each[0]) for each in four.channel_share(*(np.array([each]) for each in request_bytes))]

    assert share(5120, 512, 4096) == [20, 2, 16]  # 80 bursts
    assert share(640, 64, 1024) == [3, 1, 16]  # 10 bursts; every fourth run, 4096 bytes on, 1024 of them this channel's
    assert share(5120, 512, 520) == [21, 21, 21]  # gaps shorter than a burst: one run of 5192 bytes, 82 bursts


def test_cycles_are_of_the_designs_clock_with_refresh_in_them():
    """1 MiB, DDR4-2400 x 4: 4096 bursts a channel x 4 clocks + 32 = 16416; x 9364 / 8944 / 6 = 2864.5 cycles."""
    memory = DramTiming.of(load_hardware("sat-vcu1525-timed").model)
    mebibyte = np.array([1 << 20])
    assert memory.cycles(mebibyte, mebibyte).tolist() == [2865]
    assert memory.stream_cycles(1 << 20, 0) == 2865
    # 25 clocks of the turned bus: 4.4 cycles more.
    assert memory.stream_cycles(0, 1 << 20) == 2869
    assert memory.stream_cycles(1 << 20, 1 << 20) == 5734
    assert memory.stream_cycles(0, 0) == 0


def test_the_simple_model_knows_neither_stride_nor_direction():
    memory = DramTiming.of(load_hardware("sat-vcu1525").model)
    bytes_, run = np.array([38400]), np.array([64])
    assert memory.cycles(bytes_, run).tolist() == memory.cycles(bytes_, run, np.array([4096]), write=True).tolist()
    assert memory.stream_cycles(384, 1) == 2


@pytest.mark.parametrize("name", ["sat-vcu1525", "sat-vcu1525-timed"])
def test_the_peak_is_the_hardware_files_own(name):
    assert DramTiming.of(load_hardware(name).model).bytes_per_cycle == 384
