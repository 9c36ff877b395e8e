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
    own = Drawing(width=400, height=384)
    _memory(own, known, result)
    _buffers(own, known)
    _array(own, known, int(rows), int(columns))
    _engines(own, known)
    return own.svg()


def _memory(own: Drawing, known: Mapping[str, str], result: SimulationResult) -> None:
    own.box(4, 96, 86, 140)
    lines = [
        known.get("hardware.dram.technology", "").upper(),
        known.get("hardware.dram.capacity_bytes", ""),
        f"{known['hardware.dram.channels']} channels" if "hardware.dram.channels" in known else "",
    ]
    own.words(47, 122, "DRAM", bold=True, size=13, anchor="middle")
    for at, line in enumerate(filter(None, lines)):
        own.words(47, 144 + 18 * at, fitted(line, 82), anchor="middle", colour="@quiet")
    own.words(47, 210, f"{significant(result.dram_bytes_per_cycle)} B", anchor="middle")
    own.words(47, 226, "a cycle", anchor="middle")


def _buffers(own: Drawing, known: Mapping[str, str]) -> None:
    places = {"west": (116, 122, 78, 88), "north": (230, 14, 140, 46), "output": (230, 272, 140, 46)}
    ways = {
        "west": (194, 166, 230, 166),
        "north": (300, 60, 300, 96),
        "output": (300, 236, 300, 272),
    }
    # From DRAM to each buffer: along the left, then across.
    own.arrow(90, 166, 116, 166)
    own.parts.append('<path d="M47 96V37H214" fill="none" stroke="var(--ink)" stroke-width="1.6"/>')
    own.arrow(214, 37, 230, 37)
    own.parts.append('<path d="M230 295H47V246" fill="none" stroke="var(--ink)" stroke-width="1.6"/>')
    own.arrow(47, 256, 47, 236)
    own.arrow(214, 295, 230, 295)
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
            x, y = {"west": (212, 157), "north": (307, 82), "output": (307, 258)}[side]
            own.words(x, y, f"{port} B" + ("" if side == "west" else " a cycle"), size=11,
                      anchor="middle" if side == "west" else "start")  # fmt: skip


def _array(own: Drawing, known: Mapping[str, str], rows: int, columns: int) -> None:
    own.box(230, 96, 140, 140, fill="@paper", line="@sparse")
    own.grid(230, 96, 140, 140, across=min(columns, MOST_LINES), down=min(rows, MOST_LINES), line="@pale")
    own.box(244, 139, 112, 54, fill="@paper", line="@line")
    units = known.get("hardware.tensor_engine.units", "1")
    several = "" if units == "1" else f"{units} x "
    own.words(300, 161, f"{several}{rows} x {columns} PEs", bold=True, size=13, anchor="middle")
    precision = known.get("hardware.tensor_engine.precision", "")
    own.words(300, 181, fitted(precision, 100), anchor="middle", colour="@quiet")


def _engines(own: Drawing, known: Mapping[str, str]) -> None:
    there = [(name, known[path]) for name, path in _ENGINES if path in known]
    for at, (name, lanes) in enumerate(there):
        x = 4 + 134 * at
        own.box(x, 338, 124, 42, line="@line")
        own.words(x + 62, 355, name, bold=True, anchor="middle")
        own.words(x + 62, 371, fitted(f"{lanes} lanes", 116), anchor="middle", colour="@quiet")


_ROWS = (
    ("clock", "hardware.clock_hz"),
    ("dataflows", "hardware.tensor_engine.dataflows"),
    ("N:M patterns", "hardware.tensor_engine.patterns"),
    ("latency of a multiply-accumulate", "hardware.tensor_engine.mac_latency"),
    ("latency of an addition to a sum", "hardware.tensor_engine.accumulate_latency"),
    ("registers of a PE", "hardware.tensor_engine.register_depth"),
    ("multiplied as", "hardware.tensor_engine.multiply_precision"),
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
