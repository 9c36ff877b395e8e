"""Off-chip memory, the timed model: how long a request keeps a channel, from its bursts, row openings and turnarounds.

A request is what one tile moves of one tensor: runs of bytes at a stride. It is spread evenly over the channels; in
each the time is that of whatever runs out first: the data pins, the rate of activates (tRRD, tFAW), or the banks' own
row cycles. No burst is simulated. First a row opens (tRP + tRCD: a row of somebody else's was open); a write turns the
bus round twice; refresh stretches everything by tREFI / (tREFI - tRFC).

Assumed of the controller: open rows; from the lowest address bit up: burst, channel, bank group, column, bank, row; the
channel hashed, so that every stride finds all channels; bank group and bank not, so that a stride may come back to the
same ones; activates issued far enough ahead; the bursts of a run served in any order. Not modelled: the command bus,
rank switches, refresh at a certain time, requests of different tiles in flight together. Witness:
``sim/witness/machines/dram_banks.py``. Source: docs/hardware-model.md, "Memory"; the constraints are JESD79-4's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..configs.arrays import FloatArray, IntArray
from .dram_timings import DramTimings
from .runs import blocks_touched

SIGHT_BURSTS = 64
"""Bursts ahead for which the controller opens rows."""

PHASES = 4
"""Places in a row, evenly apart, at which runs are taken to begin when banks are counted on the way."""

LONG_RUNS_IN_SIGHT = 4
"""Runs of which fewer than these are in sight at once count as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRequest:
    """What one channel does for requests, an element a request.

    Attributes:
        bursts: column commands.
        run_bursts: of a run, in this channel.
        stride_bursts: from the start of a run to the start of the next.
        activates: rows opened.
        clocks: of the memory, from the first precharge to the last data and the turned bus; refresh not counted.
    """

    bursts: IntArray
    run_bursts: IntArray
    stride_bursts: IntArray
    activates: IntArray
    clocks: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedDram:
    """The channels of a memory that share every request.

    Attributes:
        timings: of a channel.
        channels: of them.
    """

    timings: DramTimings
    channels: int

    def request_clocks(
        self, transfer_bytes: IntArray, run_bytes: IntArray, stride_bytes: IntArray, *, write: bool
    ) -> FloatArray:
        """Clocks of the memory for requests, refresh included.

        Args:
            transfer_bytes: of a request.
            run_bytes: contiguous ones.
            stride_bytes: from the start of a run to the start of the next.
            write: to the memory.
        """
        share = self.channel_share(transfer_bytes, run_bytes, stride_bytes)
        clocks = self.channel_request(*share, write=write).clocks.astype(np.float64)
        return clocks * self.timings.refresh_stretch

    def channel_share(
        self, transfer_bytes: IntArray, run_bytes: IntArray, stride_bytes: IntArray
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Bursts, bursts of a run and stride in bursts that one channel sees of requests.

        A run of fewer bursts than there are channels reaches as many channels as it has bursts; a longer one all.
        Runs with less than a burst between them are one: every burst is moved anyway.
        """
        burst = self.timings.burst_bytes
        run = np.clip(run_bytes, 1, np.maximum(transfer_bytes, 1))
        stride = np.maximum(stride_bytes, run)
        bursts = -(-blocks_touched(transfer_bytes, run, stride, burst) // self.channels)
        of_run = -(-run // burst)
        run_bursts = np.maximum(of_run // self.channels, 1)
        stride_bursts = np.maximum(stride * run_bursts // (of_run * burst), run_bursts)
        joined = (stride - run < burst) | (transfer_bytes <= run)
        one_run = np.maximum(bursts, 1)
        return bursts, np.where(joined, one_run, run_bursts), np.where(joined, one_run, stride_bursts)

    def channel_request(
        self, bursts: IntArray, run_bursts: IntArray, stride_bursts: IntArray, *, write: bool
    ) -> ChannelRequest:
        """Row openings and clocks of one channel for runs of bursts at a stride, the first at a row's start."""
        timings = self.timings
        groups, joined = timings.bank_groups, stride_bursts == run_bursts
        # The rows of one bank in all groups lie interleaved, burst by burst: a stripe of memory.
        stripe = groups * (timings.row_bytes // timings.burst_bytes)
        visits = blocks_touched(bursts, run_bursts, stride_bursts, stripe)
        common = np.gcd(stride_bursts, groups)
        groups_met = np.where(joined, groups, np.minimum(groups, groups // common * np.minimum(run_bursts, common)))
        visit_bursts = np.where(joined, stripe, np.minimum(run_bursts * np.maximum(stripe // stride_bursts, 1), stripe))
        banks = timings.banks // groups * timings.ranks
        before = np.maximum(visits - 1, 0)
        # Of the last stripe only the rows met are opened; where far runs cross stripes, all are taken to be.
        by_visit = np.where(joined | (stride_bursts < stripe), visit_bursts, run_bursts)
        crossing = (stride_bursts >= stripe) & ~joined & (visits * run_bursts >= bursts + run_bursts)
        left = np.where(crossing, groups, np.maximum(bursts - before * by_visit, 1))
        last_visit = np.minimum(groups_met, left)
        activates = np.minimum(bursts, before * groups_met + last_visit)

        alone = (groups_met == 1) & (groups > 1)
        column = np.where(alone, timings.tccd_l_clocks, timings.tccd_s_clocks)
        activate = np.where(alone, timings.trrd_l_clocks, timings.trrd_s_clocks)
        ahead = np.maximum(activates - 1, 0)
        by_window = np.maximum(ahead // 4 * timings.tfaw_clocks + ahead % 4 * activate, ahead * activate)

        row_cycle = self._row_cycle(np.minimum(visit_bursts, np.maximum(bursts, 1)), groups_met, column, write=write)
        end = timings.burst_clocks
        by_pins = (bursts - 1) * column + end
        by_activates = by_window + end
        openings, conflicts = self._bank_use(bursts, run_bursts, stride_bursts, activates, groups_met * banks)
        # Long runs leave room for one more row in sight: the pins wait where that one is in the bank that they read.
        waits = np.maximum(row_cycle - np.minimum(run_bursts, stripe) * column, 0)
        long = run_bursts * LONG_RUNS_IN_SIGHT > SIGHT_BURSTS
        by_banks = np.where(long, by_pins + conflicts * waits, (openings - 1) * row_cycle + end)
        busy = timings.trcd_clocks + np.maximum(np.maximum(by_pins, by_activates), by_banks)
        opening = timings.trp_clocks
        if write:
            # The bus turns while the first row opens, and turns back after the last data.
            turn = timings.read_latency_clocks + 2 - timings.write_latency_clocks
            opening = max(opening, turn - timings.trcd_clocks)
            busy = busy + timings.write_latency_clocks + timings.twtr_l_clocks
        clocks = np.where(bursts > 0, opening + busy, 0)
        return ChannelRequest(
            bursts=bursts, run_bursts=run_bursts, stride_bursts=stride_bursts, activates=activates, clocks=clocks
        )

    def _bank_use(
        self, bursts: IntArray, run_bursts: IntArray, stride_bursts: IntArray, activates: IntArray, all_banks: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Rows opened in the bank that is busiest, and runs that follow one in the same bank but another row.

        Counted over the first runs, as many as the controller sees at once, and continued from there. One run, and runs
        closer than a stripe, use up rows one after another, each in another bank, opened in time.
        """
        timings = self.timings
        groups, banks = timings.bank_groups, timings.banks // timings.bank_groups * timings.ranks
        stripe = groups * (timings.row_bytes // timings.burst_bytes)
        in_order = (stride_bursts == run_bursts) | (stride_bursts < stripe)
        pairs = np.stack([np.where(in_order, 1, each).ravel() for each in (run_bursts, stride_bursts)])
        (runs, strides), which = np.unique(pairs, axis=1, return_inverse=True)
        tables = []
        for phase in range(PHASES):
            start = np.arange(SIGHT_BURSTS) * strides[:, None] + phase * stripe // PHASES
            bank = start // stripe % banks
            # [pairs, SIGHT, banks] rows opened in each bank, up to and with each run.
            opened = np.zeros((len(runs), SIGHT_BURSTS, groups * banks), dtype=np.int64)
            for burst in range(groups):
                group = (start + np.minimum(burst, runs[:, None] - 1)) % groups
                np.put_along_axis(opened, (bank * groups + group)[:, :, None], 1, axis=2)
            tables.append((opened.cumsum(axis=1), bank[:, 1:] == bank[:, :-1]))
        opened, same = tables[0]

        count = np.maximum(-(-bursts // run_bursts), 1)
        pair, seen = which.reshape(run_bursts.shape), np.minimum(count, SIGHT_BURSTS) - 1
        sight = np.minimum(count, np.maximum(SIGHT_BURSTS // run_bursts, 2)) - 1
        fullest = opened.max(axis=2)[pair, sight]
        # A stride near whole turns of the banks drifts: on the way it meets as many as from the average place.
        spread = sum((table > 0).sum(axis=2)[pair, sight] for table, _ in tables)
        repeated = np.cumsum(np.pad(same, ((0, 0), (1, 0))), axis=1)[pair, seen]
        conflicts = -(-repeated * (count - 1) // np.maximum(seen, 1))
        openings = np.where(in_order, -(-activates // all_banks), np.maximum(fullest, -(-activates * PHASES // spread)))
        return openings, np.where(in_order, 0, conflicts)

    def _row_cycle(self, visit_bursts: IntArray, groups_met: IntArray, column: IntArray, *, write: bool) -> IntArray:
        """Clocks from an activate to the next of another row in the same bank."""
        timings = self.timings
        of_bank = -(-visit_bursts // groups_met)
        between = np.maximum(groups_met * column, timings.tccd_l_clocks)
        last_data = timings.write_latency_clocks + timings.burst_clocks + timings.twr_clocks
        to_precharge = last_data if write else timings.trtp_clocks
        held = timings.trcd_clocks + (of_bank - 1) * between + to_precharge
        return np.asarray(np.maximum(timings.trc_clocks, np.maximum(timings.tras_clocks, held) + timings.trp_clocks))
