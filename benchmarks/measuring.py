"""Cost of a whole process (wall time, CPU time, peak memory), and tables of such costs.

CPU time is user and system time of the process and of the children it waited for. A ratio of two costs taken in one
run travels to another machine; a cost by itself does not.
"""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class BenchmarkError(Exception):
    """A benchmark that cannot give an answer; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something took.

    Attributes:
        wall_seconds: from start to end.
        cpu_seconds: user and system time.
        peak_bytes: most memory resident at once; 0 where it was not measured.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int = 0

    @classmethod
    def median(cls, costs: Sequence[Cost]) -> Cost:
        """The median of each figure by itself."""
        return cls(
            wall_seconds=statistics.median(cost.wall_seconds for cost in costs),
            cpu_seconds=statistics.median(cost.cpu_seconds for cost in costs),
            peak_bytes=int(statistics.median(cost.peak_bytes for cost in costs)),
        )

    @classmethod
    def total(cls, costs: Sequence[Cost]) -> Cost:
        """One after another."""
        return cls(
            wall_seconds=sum(cost.wall_seconds for cost in costs),
            cpu_seconds=sum(cost.cpu_seconds for cost in costs),
            peak_bytes=max(cost.peak_bytes for cost in costs),
        )


def run_measured(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 600,
) -> tuple[Cost, str]:
    """Run a command to its end; give its cost and what it printed.

    The caller must stay small: on Linux a process's peak memory starts at that of the process that started it.

    Args:
        command: program and arguments.
        folder: to run in; the current one when None.
        environment: variables added to this process's own.
        timeout_seconds: after which it is killed.

    Raises:
        BenchmarkError: it failed or took too long; the message ends with the last that it said.
    """
    arguments = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        start = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=complained,
        )
        watch = threading.Timer(timeout_seconds, process.kill)
        watch.start()
        try:
            # Not process.wait(): only wait4 tells this child's own usage from that of the children before it.
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            watch.cancel()
        wall_seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        output = said.read()
        if process.returncode != 0:
            late = f" after {timeout_seconds:g} s, killed" if wall_seconds > timeout_seconds else ""
            last = (complained.read() + output).strip()[-2000:]
            raise BenchmarkError(f"{shlex.join(arguments)}: exit code {process.returncode}{late}\n{last}".strip())
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cost = Cost(wall_seconds=wall_seconds, cpu_seconds=usage.ru_utime + usage.ru_stime, peak_bytes=peak_bytes)
    return cost, output


def machine() -> str:
    """The machine, in terms that say nothing of where it stands."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def provenance(versions: Mapping[str, str]) -> str:
    """How and where a result was made, as a Markdown list."""
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    lines = {
        "Command": f"`{shlex.join(['python', script, *sys.argv[1:]])}`",
        "Machine": machine(),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    return "\n".join(f"- {name}: {value}" for name, value in lines.items())


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left_columns: int = 1) -> str:
    """A Markdown table; all but the first columns to the right.

    >>> print(markdown_table(["what", "seconds"], [["start", "0.21"]]))
    | what | seconds |
    |---|--:|
    | start | 0.21 |
    """
    ruler = ["---" if column < left_columns else "--:" for column in range(len(header))]
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(ruler)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def three_digits(value: float) -> str:
    """Three significant digits, thousands apart, no exponent.

    >>> [three_digits(value) for value in (0.0012345, 2.5, 12.34, 1234.5, 98765)]
    ['0.00123', '2.50', '12.3', '1,230', '98,800']
    """
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    if rounded >= 100:
        return f"{rounded:,.0f}"
    places = 2 - int(f"{rounded:e}".partition("e")[2])
    return f"{rounded:.{places}f}"
