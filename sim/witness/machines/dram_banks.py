"""One DRAM channel, burst by burst: banks with open rows, every constraint between commands kept. A witness.

One request is played: runs of bursts at a stride. A queue holds the next bursts in order; of all commands that they
want (precharge, activate, column) the one that may go first goes first, the oldest burst's when several may. A row is
closed only when the oldest burst for its bank wants another. Addresses: bank group lowest, then column, bank, row.
Before the request a row of somebody else's is open in every bank, long enough for it to be closed, and the bus has
just read. Not played: refresh, the command bus. Nothing is computed that can be played.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Clocks between commands, by their names in JESD79-4, and the shape of a channel."""

    groups: int
    banks_a_group: int
    row_bursts: int
    burst: int
    cl: int
    cwl: int
    rcd: int
    rp: int
    ras: int
    rc: int
    ccd_s: int
    ccd_l: int
    rrd_s: int
    rrd_l: int
    faw: int
    wr: int
    wtr: int
    rtp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a request took.

    Attributes:
        clocks: from the request's arrival to its last data's slot on the pins, the bus turned back after a write.
        activates: rows opened.
        columns: bursts moved.
    """

    clocks: int
    activates: int
    columns: int


@dataclass(slots=True)
class _Bank:
    row: int = -1
    may_activate: int = 0
    may_column: int = 0
    may_precharge: int = 0


@dataclass(frozen=True, slots=True)
class _Burst:
    group: int
    bank: tuple[int, int]
    row: int


@dataclass(slots=True, kw_only=True)
class _Channel:
    limits: Constraints
    write: bool
    bus_free: int
    banks: dict[tuple[int, int], _Bank] = field(default_factory=dict)
    last_column: dict[int, int] = field(default_factory=dict)
    last_activate: dict[int, int] = field(default_factory=dict)
    activates: list[int] = field(default_factory=list)

    def bank(self, name: tuple[int, int]) -> _Bank:
        return self.banks.setdefault(name, _Bank())

    def column_at(self, burst: _Burst) -> int:
        limits, at = self.limits, max(self.bus_free, self.bank(burst.bank).may_column)
        for group, last in self.last_column.items():
            at = max(at, last + (limits.ccd_l if group == burst.group else limits.ccd_s))
        return at

    def activate_at(self, burst: _Burst) -> int:
        limits, at = self.limits, self.bank(burst.bank).may_activate
        for group, last in self.last_activate.items():
            at = max(at, last + (limits.rrd_l if group == burst.group else limits.rrd_s))
        return max(at, self.activates[-4] + limits.faw) if len(self.activates) >= 4 else at

    def column(self, burst: _Burst, at: int) -> None:
        limits, bank = self.limits, self.bank(burst.bank)
        self.last_column[burst.group] = at
        closing = limits.cwl + limits.burst + limits.wr if self.write else limits.rtp
        bank.may_precharge = max(bank.may_precharge, at + closing)

    def activate(self, burst: _Burst, at: int) -> None:
        limits, bank = self.limits, self.bank(burst.bank)
        self.last_activate[burst.group] = at
        self.activates.append(at)
        bank.row, bank.may_column, bank.may_precharge = burst.row, at + limits.rcd, at + limits.ras
        bank.may_activate = at + limits.rc

    def precharge(self, burst: _Burst, at: int) -> None:
        bank = self.bank(burst.bank)
        bank.row, bank.may_activate = -2, max(bank.may_activate, at + self.limits.rp)


def play(limits: Constraints, *, bursts: int, run: int, stride: int, write: bool, queue: int = 64) -> Played:
    """Play one request on one channel.

    Args:
        limits: the channel.
        bursts: of the request, at least 1.
        run: bursts of a run.
        stride: bursts from the start of a run to the start of the next.
        write: whether it writes.
        queue: bursts that the controller looks at together.

    Raises:
        ValueError: fewer than one burst, or runs that overlap.
    """
    if bursts < 1 or run < 1 or stride < run or queue < 1:
        raise ValueError(f"request: got {bursts} bursts, run {run}, stride {stride}, need 1 <= run <= stride")
    turn = limits.cl + 2 - limits.cwl if write else 0
    channel = _Channel(limits=limits, write=write, bus_free=turn)
    coming = _addresses(limits, bursts, run, stride)
    waiting: deque[_Burst] = deque()
    end = 0
    while True:
        while len(waiting) < queue and (burst := next(coming, None)) is not None:
            waiting.append(burst)
        if not waiting:
            break
        at, _, what, number = min(_wanted(channel, waiting))
        burst = waiting[number]
        if what == "precharge":
            channel.precharge(burst, at)
        elif what == "activate":
            channel.activate(burst, at)
        else:
            channel.column(burst, at)
            end = max(end, at + limits.burst)
            del waiting[number]
    if write:
        end += limits.cwl + limits.wtr
    return Played(clocks=end, activates=len(channel.activates), columns=bursts)


def _addresses(limits: Constraints, bursts: int, run: int, stride: int) -> Iterator[_Burst]:
    for number in range(bursts):
        address = number // run * stride + number % run
        column, group = divmod(address, limits.groups)
        row, bank = divmod(column // limits.row_bursts, limits.banks_a_group)
        yield _Burst(group, (group, bank), row)


def _wanted(channel: _Channel, waiting: deque[_Burst]) -> Iterator[tuple[int, int, str, int]]:
    """The command that each burst wants next: its earliest clock, columns first, and which burst."""
    asked: set[tuple[int, int]] = set()
    for number, burst in enumerate(waiting):
        bank = channel.bank(burst.bank)
        if bank.row == burst.row:
            yield channel.column_at(burst), 0, "column", number
        elif burst.bank not in asked:
            if bank.row == -2:
                yield channel.activate_at(burst), 1, "activate", number
            else:
                yield bank.may_precharge, 1, "precharge", number
        asked.add(burst.bank)
