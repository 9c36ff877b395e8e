"""ZigZag 3.9.1 in an environment of its own: made on request, called as a process, never imported here."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import BenchmarkError, Cost, run_measured
from scalesim_peer import python_of

VERSION = "3.9.1"
REQUIREMENTS = (f"zigzag-dse=={VERSION}", "six")
"""six: its graph reader needs it and its wheel does not say so."""

ENVIRONMENT = Path(__file__).parent / ".zigzag-venv"
DRAM_DRIVER = Path(__file__).parent / "zigzag_dram_driver.py"

LATE = 10
"""Wall time that a process may take, over the CPU time that it may take: other work may be on the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What ZigZag found for a product.

    Attributes:
        dram_bytes: read and written of A, B and C together, by axes along the array; None where it took too long.
        cost: of the whole process, start included.
    """

    dram_bytes: dict[str, int | None]
    cost: Cost


def check() -> None:
    """Refuse to start without ZigZag.

    Raises:
        BenchmarkError: there is no environment for it.
    """
    if not python_of(ENVIRONMENT).exists():
        raise BenchmarkError(f"ZigZag: got no benchmarks/{ENVIRONMENT.name}, need it there; try --setup")


def set_up() -> None:
    """Make the environment with ZigZag in it.

    Raises:
        BenchmarkError: pip could not install it.
    """
    try:
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python_of(ENVIRONMENT)), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{ENVIRONMENT.name}: {error}") from None


def least_dram(request: Mapping[str, int], axes: Sequence[str], *, cpu_seconds: float) -> Found:
    """The fewest DRAM bytes that ZigZag finds for a product.

    Args:
        request: the product and the design, as ``zigzag_dram_driver.py`` reads them.
        axes: pairs of axes to lay along the array, a search each.
        cpu_seconds: after which a search is given up.

    Raises:
        BenchmarkError: it is another version, or failed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        asked = folder / "request.json"
        asked.write_text(json.dumps({**request, "axes": axes, "cpu_seconds": cpu_seconds}), encoding="utf-8")
        cost, output = run_measured(
            [python_of(ENVIRONMENT), DRAM_DRIVER, asked, folder],
            folder=folder,
            timeout_seconds=LATE * len(axes) * cpu_seconds,
        )
    answer = json.loads(output.splitlines()[-1])
    if answer["version"] != VERSION:
        raise BenchmarkError(f"ZigZag: got {answer['version']}, need {VERSION}; try --setup")
    found = {axes: moved and sum(moved.values()) for axes, moved in answer["dram_bytes"].items()}
    return Found(dram_bytes=found, cost=cost)
