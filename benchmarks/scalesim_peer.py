"""SCALE-Sim 3.0.0 in an environment of its own: made on request, called as a process, never imported here.

Its wheel ships neither configurations nor topologies, so both are written here. What they must look like was learned
by running it: a topology line without its last comma silently loses its last column, a layout file must exist though
a product has no layout, a missing file ends the process with exit code 0, and numpy 2.4 breaks every run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import BenchmarkError, Cost, run_measured

VERSION = "3.0.0"
REQUIREMENTS = (f"scalesim=={VERSION}", "numpy<2.4")
ENVIRONMENT = Path(__file__).parent / ".scalesim-venv"
DRIVER = Path(__file__).parent / "scalesim_driver.py"

_RUN_NAME = "run"
_CONFIGURATION = """\
[general]
run_name = {run_name}
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {cols}
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
"""CALC: memory keeps up with whatever the array asks for, so no cycle is a stall; SCALE-Sim's cheaper mode, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerProduct:
    """What SCALE-Sim took for a product, and its answer.

    Attributes:
        cost: inside the process, from its input files to its reports.
        total_cycles: as it prints them: the index of the last cycle.
        stall_cycles: of those, spent waiting for memory.
    """

    cost: Cost
    total_cycles: int
    stall_cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRun:
    """What SCALE-Sim took for a list of products.

    Attributes:
        process: the whole process, start included.
        products: each product, in order.
        versions: of SCALE-Sim and what it computes with.
    """

    process: Cost
    products: tuple[PeerProduct, ...]
    versions: dict[str, str]


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / "bin" / "python"


def check(environment: Path = ENVIRONMENT) -> None:
    """Refuse to start without SCALE-Sim.

    Raises:
        BenchmarkError: there is no environment for it.
    """
    if not python_of(environment).exists():
        raise BenchmarkError(f"SCALE-Sim: got no benchmarks/{environment.name}, need it there; try --setup")


def set_up(environment: Path = ENVIRONMENT) -> None:
    """Make the environment with SCALE-Sim in it, about half a gigabyte.

    Raises:
        BenchmarkError: pip could not install it.
    """
    try:
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(python_of(environment)), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{environment.name}: {error}") from None


def run(
    products: Sequence[tuple[int, int, int]],
    *,
    rows: int,
    cols: int,
    dataflow: str,
    traces: bool = False,
    environment: Path = ENVIRONMENT,
    timeout_seconds: float = 3600,
) -> PeerRun:
    """Run SCALE-Sim on a list of products (M, N, K), one process for all.

    Args:
        products: in order.
        rows: of the array.
        cols: of the array.
        dataflow: ``os``, ``ws`` or ``is``.
        traces: write its traces as its command line does (to a temporary folder, gigabytes).
        environment: where it is installed.
        timeout_seconds: after which it is killed.

    Raises:
        BenchmarkError: it is not installed, is another version, or failed.
    """
    check(environment)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        configuration, layout = folder / "scale.cfg", folder / "layout.csv"
        configuration.write_text(
            _CONFIGURATION.format(run_name=_RUN_NAME, rows=rows, cols=cols, dataflow=dataflow), encoding="utf-8"
        )
        layout.write_text("Layer,\n", encoding="utf-8")
        given = []
        for number, (m, n, k) in enumerate(products):
            topology = folder / f"product{number}.csv"
            topology.write_text(f"Layer,M,N,K,Sparsity,\nproduct{number},{m},{n},{k},1:1,\n", encoding="utf-8")
            given.append(
                {
                    "configuration": str(configuration),
                    "topology": str(topology),
                    "layout": str(layout),
                    "logs": str(folder / f"logs{number}"),
                    "run_name": _RUN_NAME,
                }
            )
        request, answer = folder / "request.json", folder / "answer.json"
        request.write_text(json.dumps({"products": given, "traces": traces}), encoding="utf-8")
        process, _ = run_measured(
            [python_of(environment), DRIVER, request, answer], folder=folder, timeout_seconds=timeout_seconds
        )
        found = json.loads(answer.read_text(encoding="utf-8"))
    if found["versions"]["scalesim"] != VERSION:
        raise BenchmarkError(f"SCALE-Sim: got {found['versions']['scalesim']}, need {VERSION}; try --setup")
    return PeerRun(
        process=process,
        products=tuple(
            PeerProduct(
                cost=Cost(wall_seconds=product["wall_seconds"], cpu_seconds=product["cpu_seconds"]),
                total_cycles=product["total_cycles"],
                stall_cycles=product["stall_cycles"],
            )
            for product in found["products"]
        ),
        versions={"SCALE-Sim": found["versions"]["scalesim"], "numpy of SCALE-Sim": found["versions"]["numpy"]},
    )
