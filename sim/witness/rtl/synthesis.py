"""What a module of ``accel/rtl`` takes of an FPGA, as Yosys maps it to UltraScale+: cells, before they are placed.

A count of cells is no promise of a clock: nothing is placed or routed, and no timing is met.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping as Names
from dataclasses import dataclass
from pathlib import Path

from ....configs.errors import ConfigError
from .icarus import design

LUTS_OF_MEMORY = {"RAM32M16": 8, "RAM64M8": 8, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}
"""LUTs that a distributed memory takes, from the widths of its cells."""

_WIDE = 5
"""Inputs from which on a multiplexer is a wide one; what Yosys' own help recommends."""

_PATIENCE_SECONDS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What a module takes.

    Attributes:
        luts: look-up tables, those of distributed memories included; hard multiplexers between them are none.
        memory_luts: of them, those.
        flip_flops: registers.
        dsps: multiplier slices.
        brams: block memories of 18 Kib, one of 36 Kib being two.
        tool: Yosys, and its version.
    """

    luts: int
    memory_luts: int
    flip_flops: int
    dsps: int
    brams: int
    tool: str


def design_sha256() -> str:
    """Of the hardware's text: counts of another text are counts of something else.

    Of all of it: a module read with fewer beside it is mapped to a LUT more or less.
    """
    return hashlib.sha256("".join(text for _, text in sorted(design().items())).encode()).hexdigest()


def cells(module: str, parameters: Names[str, int], *, hard_multiplexers: bool = False) -> Cells:
    """Cells of a module with these parameters.

    Args:
        module: of the hardware.
        parameters: that differ from its own.
        hard_multiplexers: whether wide choices are mapped to the multiplexers between LUTs. Where words are picked, as
            in a PE, that is right and takes fewer LUTs; chains of conditions, as in a sorter, take more.

    Raises:
        ConfigError: there is no Yosys.
        RuntimeError: it does not map the module.
    """
    if shutil.which("yosys") is None:
        raise ConfigError("yosys: got no program of that name, need Yosys; try apt-get install yosys")
    chosen = " ".join(f"-chparam {name} {value}" for name, value in parameters.items())
    wide = f" -widemux {_WIDE}" if hard_multiplexers else ""
    script = (
        f"read_verilog -sv *.sv; hierarchy -check -top {module} {chosen}; "
        f"synth_xilinx -family xcup -flatten -noiopad -noclkbuf{wide}; tee -q -o cells.json stat -json"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in design().items():
            (folder / file).write_text(text, encoding="utf-8")
        command = ["yosys", "-q", "-p", script]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"yosys left with {done.returncode}:\n{done.stdout + done.stderr}")
        return counted((folder / "cells.json").read_text(encoding="utf-8"))


def counted(stat: str) -> Cells:
    """What Yosys' ``stat -json`` of a mapped module comes to.

    >>> counted('{"creator": "Yosys 1", "design": {"num_cells_by_type": {"LUT6": 3, "RAM32M16": 1, "FDRE": 2}}}')
    Cells(luts=11, memory_luts=8, flip_flops=2, dsps=0, brams=0, tool='Yosys 1')
    """
    said = json.loads(stat)
    found: dict[str, int] = said["design"]["num_cells_by_type"]

    def total(pattern: str) -> int:
        return sum(number for cell, number in found.items() if re.fullmatch(pattern, cell))

    distributed = {cell for cell in found if re.fullmatch(r"RAM\d.*", cell)}
    unknown = sorted(distributed - LUTS_OF_MEMORY.keys())
    if unknown:
        raise RuntimeError(f"cells: got {unknown}, need memories of {', '.join(LUTS_OF_MEMORY)}")
    memory = sum(luts * found.get(cell, 0) for cell, luts in LUTS_OF_MEMORY.items())
    return Cells(
        luts=total(r"LUT\d|INV") + total(r"SRL\w+") + memory,
        memory_luts=memory + total(r"SRL\w+"),
        flip_flops=total(r"FD[RSCP]E"),
        dsps=total(r"DSP48E2"),
        brams=total(r"RAMB18E2") + 2 * total(r"RAMB36E2"),
        tool=said["creator"],
    )
