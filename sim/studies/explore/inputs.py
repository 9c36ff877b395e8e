"""The files that a sweep names, each read once: designs, parts of them, workloads, recipes, energy tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ....accel.dram_timings import DramTimings, load_dram_timings
from ....accel.energy_table import energy_table_of
from ....accel.specification import Hardware, load_hardware
from ....configs.library import content_hash, find, is_path
from ....configs.schema import Loaded
from ....training.graph_file import load_graph
from ....training.recipes.declaration import Recipe, load_recipe
from ...simulation import Workload

File = TypeVar("File")


class Inputs:
    """Reads files by name, or by path from beside the sweep.

    Pickled with what it holds, but for the shipped workloads: a worker reads those sooner than it receives them.
    """

    def __init__(self, folder: Path) -> None:
        """Of a sweep in this folder."""
        self.folder = folder
        self._files: dict[tuple[str, str], Any] = {}
        self._tables: dict[tuple[str, str, str, str], str] = {}

    def __getstate__(self) -> dict[str, Any]:
        kept = {key: file for key, file in self._files.items() if key[0] != "workload" or is_path(key[1])}
        return {"folder": self.folder, "_files": kept, "_tables": {}}

    def hardware(self, name: str) -> Loaded[Hardware]:
        """A design; ``ConfigError`` when there is none, or it is wrong; so for the others."""
        return self._read("hardware", name, load_hardware)

    def dram(self, name: str) -> Loaded[DramTimings]:
        """The timing set of a memory."""
        return self._read("dram", name, load_dram_timings)

    def recipe(self, name: str) -> Loaded[Recipe]:
        """How training prunes."""
        return self._read("recipe", name, load_recipe)

    def workload(self, name: str) -> Workload:
        """What is trained."""
        return self._read("workload", name, _load_workload)

    def energy_table(self, design: Loaded[Hardware]) -> str:
        """The content hash of a design's energy table; ``ConfigError`` when there is none, or it lacks a price."""
        hardware = design.model
        # Which table it is, and what a design must find in it.
        place = design.document.place_of(("energy_table",)).file
        key = (hardware.energy_table, place, hardware.tensor_engine.precision, hardware.dram.technology)
        if key not in self._tables:
            self._tables[key] = energy_table_of(design).sha256
        return self._tables[key]

    def _read(self, kind: str, name: str, load: Callable[[str], File]) -> File:
        key = (kind, name)
        if key not in self._files:
            self._files[key] = load(str(self.folder / name) if is_path(name) else name)
        file: File = self._files[key]
        return file


def _load_workload(name_or_path: str) -> Workload:
    path = find("workloads", name_or_path)
    return Workload(graph=load_graph(path), sha256=content_hash(path.read_bytes()))
