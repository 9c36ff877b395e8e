"""Runs one job of bisparse in a process of its own and prints, as JSON, what it took and gave.

Usage: ``python bisparse_driver.py JOB [REQUEST.json]``. Nothing is warmed up: the first product of a job pays for
whatever the library does the first time. Importing and loading the design are not part of a product's time; they are
part of the process's, which whoever starts this measures.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

WORKLOAD = "resnet18-tinyimagenet"


def main() -> None:
    """Run the job that the first argument names."""
    jobs = {"list": _list_products, "array": _array, "mapped": _mapped, "step": _step}
    request = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")) if len(sys.argv) > 2 else {}
    print(json.dumps(jobs[sys.argv[1]](request)))


def _list_products(_: dict[str, Any]) -> dict[str, Any]:
    """Forward products of the workload at batch 1, in order, with what they were lowered by."""
    from bisparse.dataflow.lowering import lower
    from bisparse.training.graph import Stage

    from bisparse.api import load_workload

    products = [
        {"name": gemm.name.removesuffix(":FF"), "m": gemm.m, "n": gemm.n, "k": gemm.k}
        for operator in load_workload(WORKLOAD).graph.operators
        if operator.is_product and operator.stage is Stage.FORWARD
        for gemm in lower(operator, 1).gemms
    ]
    versions = {name: importlib.metadata.version(name) for name in ("bisparse", "numpy")}
    return {"workload": WORKLOAD, "products": products, "versions": versions}


def _timed(work: Callable[..., dict[str, Any]], size: Sequence[int] = ()) -> dict[str, Any]:
    start, start_cpu = time.perf_counter(), time.process_time()
    found = work(*size)
    return {"wall_seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - start_cpu, **found}


def _array(request: dict[str, Any]) -> dict[str, Any]:
    """Cycles of the array alone, by closed form."""
    from bisparse.accel.specification import load_hardware
    from bisparse.sim.product.single_product import array_figures, parse_dataflow, plain_product
    from bisparse.sim.witness.peers import TEXTBOOK_DESIGN, scalesim_total_cycles

    sizes = {"rows": request["rows"], "cols": request["cols"]}
    engine = load_hardware(TEXTBOOK_DESIGN).model.tensor_engine.model_copy(update=sizes)
    dataflow = parse_dataflow(request["dataflow"])

    def one(m: int, n: int, k: int) -> dict[str, Any]:
        figures = array_figures(engine, plain_product(m, n, k), dataflow)
        return {"cycles": figures.cycles, "scalesim_total_cycles": scalesim_total_cycles(figures.cycles)}

    return {"products": [_timed(one, size) for size in request["products"]]}


def _mapped(request: dict[str, Any]) -> dict[str, Any]:
    """The best mapping of each product over every dataflow, with ports, DRAM and energy."""
    from bisparse.accel.specification import load_hardware
    from bisparse.sim.product.single_product import plain_product, simulate_product
    from bisparse.sim.witness.peers import TEXTBOOK_DESIGN

    design = load_hardware(TEXTBOOK_DESIGN)
    sizes = {"rows": request["rows"], "cols": request["cols"]}
    engine = design.model.tensor_engine.model_copy(update=sizes)
    design = replace(design, model=design.model.model_copy(update={"tensor_engine": engine}))

    def one(m: int, n: int, k: int) -> dict[str, Any]:
        mapped = simulate_product(plain_product(m, n, k), design).mapped
        return {"cycles": mapped.cycles, "candidates": mapped.candidates}

    return {"products": [_timed(one, size) for size in request["products"]]}


def _step(_: dict[str, Any]) -> dict[str, Any]:
    """One training step of the workload at its own batch size, dense and under BDWP, from files to result."""
    from bisparse.api import simulate

    def one() -> dict[str, Any]:
        result = simulate(WORKLOAD, recipe="bdwp", sparsity="2:8")
        return {"batch": result.batch, "hardware": result.inputs["hardware"].name, **result.candidates}

    return {"products": [_timed(one)]}


if __name__ == "__main__":
    main()
