"""The hardware of a run: a drawing of what lies where and how wide its ways are, and the same as a table.

Both are made of the run's assumptions, which hold every parameter in words; a part whose parameters a result does not
name is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...sim.results.simulation_result import SimulationResult
from ..shared.drawing import Drawing, fitted
from ..shared.provenance import parameters
from ..shared.quantities import significant
from ..shared.table import Cell, Table

MOST_LINES = 16
"""Rows and columns of the array that are drawn; of more, every so many-th line."""

_SIDES = ("west", "north", "output")
_ENGINES = (
    ("reduction engine", "hardware.reduction_engine.lanes"),
    ("update engine", "hardware.update_engine.lanes"),
    ("vector engine", "hardware.vector_engine.lanes"),
)


def values(result: SimulationResult) -> dict[str, str]:
    """The parameters of the run's hardware by path, in words."""
    return {each.path: each.value for each in parameters([result]) if each.path.startswith("hardware.")}


def hardware_drawing(result: SimulationResult) -> str | None:
    """DRAM, buffers, array and engines, with their sizes and the widths of the ways between them; None without them."""
    known = values(result)
    rows, columns = known.get("hardware.tensor_engine.rows"), known.get("hardware.tensor_engine.cols")
    if not (rows and columns and rows.isdigit() and columns.isdigit()):
        return None
    own = Drawing(width=520, height=366)
    _memory(own, known, result)
    _buffers(own, known)
    _array(own, known, int(rows), int(columns))
    _engines(own, known)
    return own.svg()


def _memory(own: Drawing, known: Mapping[str, str], result: SimulationResult) -> None:
    own.box(10, 110, 92, 150)
    lines = [
        known.get("hardware.dram.technology", "").upper(),
        known.get("hardware.dram.capacity_bytes", ""),
        f"{known['hardware.dram.channels']} channels" if "hardware.dram.channels" in known else "",
    ]
    own.words(56, 140, "DRAM", bold=True, size=13, anchor="middle")
    for at, line in enumerate(filter(None, lines)):
        own.words(56, 162 + 18 * at, fitted(line, 88), anchor="middle", colour="@quiet")
    own.words(56, 232, f"{significant(result.dram_bytes_per_cycle)} B", anchor="middle")
    own.words(56, 248, "a cycle", anchor="middle")


def _buffers(own: Drawing, known: Mapping[str, str]) -> None:
    places = {"west": (150, 140, 84, 90), "north": (286, 20, 150, 46), "output": (286, 310, 150, 46)}
    ways = {
        "west": (234, 185, 286, 185),
        "north": (361, 66, 361, 110),
        "output": (361, 260, 361, 310),
    }
    # From DRAM to each buffer: along the left, then across.
    own.arrow(102, 185, 150, 185)
    own.parts.append('<path d="M56 110V43H270" fill="none" stroke="var(--ink)" stroke-width="1.6"/>')
    own.arrow(270, 43, 286, 43)
    own.parts.append('<path d="M286 333H56V270" fill="none" stroke="var(--ink)" stroke-width="1.6"/>')
    own.arrow(56, 280, 56, 260)
    own.arrow(270, 333, 286, 333)
    for side in _SIDES:
        x, y, width, height = places[side]
        own.box(x, y, width, height, fill="@mark", line=f"@{side if side != 'output' else 'gain'}")
        middle = x + width / 2
        size, banks = (known.get(f"hardware.buffers.{side}.{part}", "") for part in ("capacity_bytes", "banks"))
        told = [size, f"{banks} banks" if banks else ""]
        if side == "west":
            own.words(middle, y + 28, "west", bold=True, anchor="middle")
            for at, line in enumerate(filter(None, told)):
                own.words(middle, y + 48 + 17 * at, fitted(line, width - 4), anchor="middle", colour="@quiet")
        else:
            own.words(middle, y + 19, f"{side} buffer", bold=True, anchor="middle")
            own.words(middle, y + 36, fitted(", ".join(filter(None, told)), width), anchor="middle", colour="@quiet")
        own.arrow(*ways[side])
        port = known.get(f"hardware.buffers.{side}.port_bytes_per_cycle")
        if port:
            x, y = {"west": (260, 176), "north": (368, 92), "output": (368, 290)}[side]
            own.words(x, y, f"{port} B" + ("" if side == "west" else " a cycle"), size=11,
                      anchor="middle" if side == "west" else "start")  # fmt: skip


def _array(own: Drawing, known: Mapping[str, str], rows: int, columns: int) -> None:
    own.box(286, 110, 150, 150, fill="@paper", line="@sparse")
    own.grid(286, 110, 150, 150, across=min(columns, MOST_LINES), down=min(rows, MOST_LINES), line="@pale")
    own.box(308, 158, 106, 54, fill="@paper", line="@line")
    own.words(361, 180, f"{rows} x {columns} PEs", bold=True, size=13, anchor="middle")
    precision = known.get("hardware.tensor_engine.precision", "")
    own.words(361, 200, fitted(precision, 100), anchor="middle", colour="@quiet")


def _engines(own: Drawing, known: Mapping[str, str]) -> None:
    there = [(name, known[path]) for name, path in _ENGINES if path in known]
    for at, (name, lanes) in enumerate(there):
        y = 110 + 54 * at
        own.box(448, y, 64, 42, line="@line")
        own.words(480, y + 17, name.removesuffix(" engine"), size=11, bold=True, anchor="middle")
        own.words(480, y + 33, fitted(f"{lanes} lanes", 62, 11), size=11, anchor="middle", colour="@quiet")


_ROWS = (
    ("clock", "hardware.clock_hz"),
    ("dataflows", "hardware.tensor_engine.dataflows"),
    ("N:M patterns", "hardware.tensor_engine.patterns"),
    ("latency of a multiply-accumulate", "hardware.tensor_engine.mac_latency"),
    ("latency of an addition to a sum", "hardware.tensor_engine.accumulate_latency"),
    ("registers of a PE", "hardware.tensor_engine.register_depth"),
    ("port that the operands share, bytes a cycle", "hardware.buffers.shared_port_bytes_per_cycle"),
    ("DRAM, a channel", "hardware.dram.channel_bytes_per_second"),
    ("DRAM, latency", "hardware.dram.latency_seconds"),
    ("vector work that rides along", "hardware.vector_engine.fused"),
)


def hardware_table(result: SimulationResult) -> Table:
    """What the drawing has no room for."""
    known = values(result)
    shown = [("array peak", f"{result.peak_macs_per_cycle:,} MACs a cycle")]
    shown += [(name, known[path].strip("[]").replace("'", "")) for name, path in _ROWS if path in known]
    return Table(
        headings=("parameter", "value"),
        rows=tuple((Cell(name), Cell(value)) for name, value in shown),
        words=frozenset({0, 1}),
    )
