"""A bit of DDR4 by its currents: against another program, a sum by hand, and the prices of the energy tables."""

from __future__ import annotations

import pytest
from bisparse.accel.dram_energy import Access, bit_energy, load_dram_currents
from bisparse.accel.dram_timings import load_dram_timings
from bisparse.accel.energy_table import load_energy_table
from bisparse.configs.errors import ConfigError
from bisparse.configs.library import names

ENERGYDRAM = {
    "ddr4-2400": {"activation": 3352.0, "read": 2944.0, "write": 2560.0, "refresh": 695520.0, "standing": 394.0},
    "ddr4-3200": {"activation": 4200.0, "read": 2784.0, "write": 2352.0, "refresh": 665280.0, "standing": 349.5},
}
"""PyPI's energydram 0.4.0 (M. Gao), Micron's formulas: pJ of an activation, a read and a write of a burst, a refresh, a
clock; given the same currents, 3 mA of every IPP, eight devices."""


def parts(name):
    currents = load_dram_currents(name).model
    return currents, load_dram_timings(currents.timing).model


@pytest.mark.parametrize("name", ENERGYDRAM)
@pytest.mark.parametrize(("reads", "busy"), [(1.0, 1.0), (0.0, 0.5), (0.25, 0.1)])
def test_it_is_what_energydram_finds(name, reads, busy):
    currents, timing = parts(name)
    found = bit_energy(currents, timing, Access(opened_bytes=1024, reads=reads, busy=busy))
    peer, bits_a_clock = ENERGYDRAM[name], 128
    assert found.rows == pytest.approx(peer["activation"] / 8192)
    assert found.columns == pytest.approx((reads * peer["read"] + (1 - reads) * peer["write"]) / 512)
    assert found.standing_by == pytest.approx(peer["standing"] / bits_a_clock / busy)
    assert found.refresh == pytest.approx(peer["refresh"] / timing.trefi_clocks / bits_a_clock / busy)


def test_the_interface_by_hand():
    """A low wire draws 1.2 V over 34 + 60 ohms: 15.3 mW for 1/2.4 ns; of eight bits four are low, and one strobe."""
    found = bit_energy(*parts("ddr4-2400"), Access(opened_bytes=64))
    assert found.interface == pytest.approx(1.2**2 / 94 / 2.4e9 * 1e12 * 5 / 8)


@pytest.mark.parametrize("table", names("energy"))
@pytest.mark.parametrize("name", names("currents"))
def test_the_price_of_an_energy_table_holds_what_currents_give(table, name):
    """From whole rows without a pause to a burst a row at a quarter of the peak."""
    currents, timing = parts(name)
    least = bit_energy(currents, timing, Access(opened_bytes=timing.row_bytes)).total
    most = bit_energy(currents, timing, Access(opened_bytes=timing.burst_bytes, busy=0.25)).total
    price = load_energy_table(table).provenance["dram_pj_per_bit.ddr4"]
    assert least < price.value < most
    assert price.range[0] < least
    assert most < price.range[1]


def test_what_makes_no_sense_is_refused():
    place = parts("ddr4-2400")
    with pytest.raises(ConfigError, match=r"opened_bytes: got 32, need 64 \(a burst\) to 8192 \(a row\)"):
        bit_energy(*place, Access(opened_bytes=32))
    with pytest.raises(ConfigError, match=r"reads: got 1\.5, need a share from 0 to 1"):
        Access(opened_bytes=64, reads=1.5)
    with pytest.raises(ConfigError, match="busy: got 0, need a share from 1e-06 to 1"):
        Access(opened_bytes=64, busy=0)
