"""A SCALE-Sim configuration (``.cfg``) as a design: its array, buffers, dataflow and bandwidth on the textbook machine.

What stands for what: ``ArrayHeight`` and ``ArrayWidth`` are rows and columns; ``IfmapSramSzkB`` and ``FilterSramSzkB``
the buffers of the sides that these operands enter from (the filter streams in under ``is``, the image else),
``OfmapSramSzkB`` the output buffer, each held twice; words are bytes; ``Bandwidth`` is words a cycle on each of three
interfaces, here one memory of thrice that, or under ``InterfaceBandwidth: CALC`` as much as the array's edges take.
``SparsitySupport`` spreads the kept values of a group over rows. All else, offsets and bank layouts among it, times
nothing here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..configs.errors import ConfigError
from ..configs.strict_yaml import Document, KeyPath, Place, read_text
from ..configs.whole_number import NEED_COUNT, count_of

BASE = "systolic-textbook"
"""The design that a configuration extends."""

_CLOCK_HZ = 1e9


def _assumed(value: Any, source: str) -> dict[str, Any]:
    """A value that the file does not say."""
    return {"value": value, "status": "assumed", "source": source}


_CLOCK = _assumed(_CLOCK_HZ, "SCALE-Sim has no clock: cycles do not depend on it")
_PATTERNS = tuple(f"{kept}:{group}" for group in (2, 4, 8, 16) for kept in range(1, group // 2 + 1))
_WORDS = {"true": True, "false": False}


def read_scalesim_config(path: Path) -> Document:
    """What a configuration says in the fields of a design, each with its line.

    Raises:
        ConfigError: the file cannot be read, or lacks a field; the message names file, line and field.
    """
    return _Reader(path).document()


class _Reader:
    """The entries of one file, and the fields made of them."""

    def __init__(self, path: Path) -> None:
        self._file = str(path)
        self._entries: dict[str, tuple[str, int]] = {}
        self._places: dict[KeyPath, Place] = {(): Place(self._file, 1)}
        for number, line in enumerate(read_text(path, need="a SCALE-Sim configuration").splitlines(), start=1):
            entry = re.match(r"\s*([A-Za-z_]\w*)\s*[:=]\s*(.*?)\s*$", line)
            if entry:
                self._add(entry[1], entry[2], number)
            elif line.strip() and line.strip()[0] not in "[#;":
                raise ConfigError(f"{self._file}:{number}: got {line.strip()!r}, need a field such as ArrayHeight: 32")

    def _add(self, field: str, text: str, line: int) -> None:
        known = self._entries.get(field.lower())
        if known is not None:
            raise ConfigError(
                f"{self._file}:{line}: {field}: got a field already given on line {known[1]}, need it once"
            )
        # A comment may follow a value, as configparser's users write it.
        self._entries[field.lower()] = re.split(r"\s[#;]", text, maxsplit=1)[0].strip(), line

    def document(self) -> Document:
        """All of it."""
        rows, cols = self._count("ArrayHeight"), self._count("ArrayWidth")
        dataflow = self._dataflow()
        image, weights = self._bytes("IfmapSramSzkB"), self._bytes("FilterSramSzkB")
        west, north = ("FilterSramSzkB", "IfmapSramSzkB") if dataflow == "is" else ("IfmapSramSzkB", "FilterSramSzkB")
        size = {"IfmapSramSzkB": image, "FilterSramSzkB": weights, "OfmapSramSzkB": self._bytes("OfmapSramSzkB")}
        sparse = self._flag("SparsitySupport")
        data: dict[str, Any] = {"name": self._name(), "extends": BASE, "clock_hz": _CLOCK}
        engine = {
            "rows": (rows, "ArrayHeight"),
            "cols": (cols, "ArrayWidth"),
            "dataflows": ([dataflow], "Dataflow"),
            "precision": (_assumed("int8", "a word is a byte"), "ArrayHeight"),
        }
        if sparse:
            engine |= {"patterns": (list(_PATTERNS), "SparsitySupport"), "spread_groups": (True, "SparsitySupport")}
        self._put(data, ("tensor_engine",), engine)
        for side, field in (("west", west), ("north", north), ("output", "OfmapSramSzkB")):
            self._put(data, ("buffers", side), {"capacity_bytes": (size[field], field)})
        words = self._words_a_cycle(rows, cols)
        self._put(
            data,
            ("dram",),
            {
                "channels": (1, "Bandwidth"),
                "channel_bytes_per_second": (words * _CLOCK_HZ, "Bandwidth"),
                "latency_seconds": (_assumed(0.0, "SCALE-Sim's buffers are filled ahead"), "Bandwidth"),
                "run_overhead_bytes": (_assumed(0, "SCALE-Sim counts words alone"), "Bandwidth"),
                "burst_bytes": (_assumed(1, "SCALE-Sim counts words alone"), "Bandwidth"),
            },
        )
        return Document(file=self._file, data=data, places=self._places)

    def _put(self, data: dict[str, Any], path: tuple[str, ...], fields: dict[str, tuple[Any, str]]) -> None:
        holder = data
        for step in path:
            holder = holder.setdefault(step, {})
        for name, (value, entry) in fields.items():
            holder[name] = value
            self._places[*path, name] = Place(self._file, self._line(entry))

    # Entries ---------------------------------------------------------------------------------------------------------

    def _line(self, field: str) -> int:
        return self._entries.get(field.lower(), ("", 1))[1]

    def _text(self, field: str) -> str:
        if field.lower() not in self._entries:
            raise ConfigError(f"{self._file}: {field}: got no such field, need it: a SCALE-Sim configuration has it")
        return self._entries[field.lower()][0]

    def _fault(self, field: str, need: str) -> ConfigError:
        return ConfigError(f"{self._file}:{self._line(field)}: {field}: got {self._text(field)!r}, need {need}")

    def _count(self, field: str) -> int:
        count = count_of(self._text(field))
        if count is None:
            raise self._fault(field, NEED_COUNT)
        return count

    def _bytes(self, field: str) -> int:
        return 1024 * self._count(field)

    def _flag(self, field: str) -> bool:
        if field.lower() not in self._entries:
            return False
        flag = _WORDS.get(self._text(field).lower())
        if flag is None:
            raise self._fault(field, "true or false")
        if flag and self._dataflow() == "is":
            raise self._fault(field, "false under dataflow is: its PEs cannot select for the filter, which moves")
        return flag

    def _name(self) -> str:
        return self._entries.get("run_name", ("", 1))[0] or Path(self._file).stem

    def _dataflow(self) -> str:
        dataflow = self._text("Dataflow").lower()
        if dataflow not in ("os", "ws", "is"):
            raise self._fault("Dataflow", "os, ws or is")
        return dataflow

    def _words_a_cycle(self, rows: int, cols: int) -> int:
        """Words between memory and chip: three interfaces' as given, or what the edges of the array take."""
        mode = self._entries.get("interfacebandwidth", ("user", 1))[0].lower()
        if mode == "calc":
            return rows + 2 * cols
        if mode != "user":
            raise self._fault("InterfaceBandwidth", "USER or CALC")
        # One figure for all, or the three of them.
        counts = [count for count in map(count_of, self._text("Bandwidth").split(",")) if count is not None]
        if len(counts) not in (1, 3) or len(counts) != self._text("Bandwidth").count(",") + 1:
            raise self._fault("Bandwidth", f"words a cycle: {NEED_COUNT}, or three of them")
        return 3 * counts[0] if len(counts) == 1 else sum(counts)
