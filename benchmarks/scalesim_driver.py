"""Runs SCALE-Sim on prepared products, one after another in one process. Needs nothing but SCALE-Sim's own environment.

Usage: ``python scalesim_driver.py REQUEST.json ANSWER.json``. Each product goes through SCALE-Sim's own public class,
from its configuration and topology files to its reports, as its command line does. Only the traces, which its command
line always writes, are left out unless the request asks for them.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import io
import json
import sys
import time
from pathlib import Path
from typing import Any


def _cycles(report: Path) -> dict[str, int]:
    """Cycles of the one product that a report is about.

    Raises:
        RuntimeError: the report is about more or fewer products.
    """
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    if len(rows) != 1:
        raise RuntimeError(f"{report.name}: got {len(rows)} rows, need one")
    return {"total_cycles": int(rows[0]["Total Cycles"]), "stall_cycles": int(rows[0]["Stall Cycles"])}


def main() -> None:
    """Run every product of the request and write down what it took and gave."""
    from scalesim.scale_sim import scalesim

    request = json.loads(Path(sys.argv[1]).read_text())
    answer: dict[str, Any] = {
        "versions": {name: importlib.metadata.version(name) for name in ("scalesim", "numpy")},
        "products": [],
    }
    for given in request["products"]:
        logs = Path(given["logs"])
        start, start_cpu = time.perf_counter(), time.process_time()
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                run = scalesim(
                    save_disk_space=not request["traces"],
                    verbose=False,
                    config=given["configuration"],
                    topology=given["topology"],
                    layout=given["layout"],
                    input_type_gemm=True,
                )
                run.run_scale(top_path=str(logs))
        except SystemExit:
            # With exit code 0, when it cannot find a file.
            raise RuntimeError(f"SCALE-Sim gave up: {said.getvalue().strip()}") from None
        found: dict[str, Any] = {
            "wall_seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - start_cpu,
            **_cycles(logs / given["run_name"] / "COMPUTE_REPORT.csv"),
        }
        answer["products"].append(found)
    Path(sys.argv[2]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
