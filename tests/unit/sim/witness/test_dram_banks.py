"""The machine of banks, by hand: each constraint is what holds a request up where nothing else does."""

from dataclasses import replace

import pytest
from bisparse.sim.witness.machines.dram_banks import Constraints, play

ROUND = Constraints(
    groups=2,
    banks_a_group=2,
    row_bursts=4,
    burst=4,
    cl=20,
    cwl=10,
    rcd=100,
    rp=100,
    ras=100,
    rc=200,
    ccd_s=4,
    ccd_l=7,
    rrd_s=5,
    rrd_l=9,
    faw=40,
    wr=30,
    wtr=8,
    rtp=3,
)
"""Two groups of two banks, four bursts a row: a stripe of eight; precharge and activate take 100 each."""


def clocks(bursts, run=1, stride=1, *, write=False, **changed):
    return play(replace(ROUND, **changed), bursts=bursts, run=run, stride=stride, write=write).clocks


def test_a_lone_burst_closes_opens_and_moves():
    assert clocks(1) == 100 + 100 + 4


def test_neighbours_alternate_between_groups():
    """Rows opened at 100 and tRRD_S later; columns at 200, 205, then tCCD_S apart: 209, 213; 4 on the pins."""
    assert clocks(4, 4, 4) == 213 + 4


def test_one_group_alone_is_held_to_tccd_l():
    assert clocks(4, 1, 2) == 200 + 3 * 7 + 4


def test_another_row_of_the_bank_waits_for_the_row_cycle():
    """Stride 16: both stripes of both banks passed. Activates at 100 and, tRC later, at 350."""
    assert clocks(2, 1, 16, rc=250) == 350 + 100 + 4


def test_a_read_holds_its_row_until_tras_and_trtp_have_passed():
    """Precharge at 100 + tRAS, or tRTP after the column at 200; then 100 to activate, 100 to the column."""
    assert clocks(2, 1, 16, ras=170) == 270 + 100 + 100 + 4
    assert clocks(2, 1, 16) == 203 + 100 + 100 + 4


def test_the_fifth_activate_waits_for_the_window():
    """Stride 9 meets another bank every time: activates at 100, 105, 110, 115, and tFAW after the first, 140."""
    assert play(ROUND, bursts=4, run=1, stride=9, write=False).activates == 4
    assert clocks(5, 1, 9, banks_a_group=8) == 140 + 100 + 4


def test_a_write_waits_for_its_data_before_the_row_closes_and_turns_the_bus_back():
    """Column at 200; CWL + 4 + tWR later the row closes, 244; activate 344, column 444, data 4, then CWL + tWTR."""
    assert clocks(2, 1, 16, write=True) == 444 + 4 + 18


def test_a_write_waits_for_the_bus_where_the_row_is_ready_sooner():
    assert clocks(1, write=True, rcd=1, rp=1) == 20 + 2 - 10 + 4 + 18


def test_a_burst_that_hits_passes_one_that_waits_for_its_row():
    played = play(ROUND, bursts=8, run=8, stride=8, write=False)
    assert (played.activates, played.columns) == (2, 8)


@pytest.mark.parametrize("wrong", [{"bursts": 0}, {"run": 2, "stride": 1}])
def test_what_is_no_request_is_refused(wrong):
    with pytest.raises(ValueError, match="need 1 <= run <= stride"):
        play(ROUND, **({"bursts": 1, "run": 1, "stride": 1, "write": False} | wrong))
