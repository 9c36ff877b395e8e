"""A study that looks like a real one: figures invented, but each design a real one that can be simulated.

Rows cost area, the clock costs energy, the west buffer has a best size that is another for the sparse step, and the
lanes of the reduction engine change nothing in the dense step.
"""

from types import SimpleNamespace

import pandas as pd
from bisparse.configs.errors import BisparseError
from bisparse.sim.studies.explore.figures import FIGURES
from bisparse.sim.studies.explore.loading import space_of_data

MIB = 2**20
AXES = {
    "hardware.tensor_engine.rows": (16, 32, 64),
    "hardware.clock_hz": (100e6, 200e6, 400e6),
    "hardware.buffers.west.capacity_bytes": (MIB, 2 * MIB, 4 * MIB),
    "hardware.reduction_engine.lanes": (8, 32),
    "hardware.dram.channels": (4,),
    "sparsity": ("2:4", "2:8"),
}
OBJECTIVES = (("step_seconds", False), ("energy_joules", False))
VERSION = "0.1.0"
STRATEGIES = {"exhaustive": {}, "nsga2": {"evaluations": 100}}


def space_of(axes=None, objectives=OBJECTIVES, *, strategy="exhaustive", scenarios=None, options=None, batch=16):
    """The space of a sweep around the reference design."""
    return space_of_data(
        {
            "name": "sat-shape",
            "title": "Shapes around SAT",
            "base": {
                "hardware": "sat-vcu1525",
                "workload": "resnet9-cifar10",
                "recipe": "bdwp",
                "sparsity": "2:8",
                "batch": batch,
                "options": options or {},
            },
            "axes": {name: list(values) for name, values in (axes or AXES).items()},
            "scenarios": scenarios or {},
            "objectives": [{"maximise" if more else "minimise": figure} for figure, more in objectives],
            "strategy": {"name": strategy, **STRATEGIES[strategy]},
        },
        version=VERSION,
    )


def invented(settings):
    """Figures of a design, or why it has none."""
    rows, clock = settings["hardware.tensor_engine.rows"], settings["hardware.clock_hz"]
    west, lanes = settings["hardware.buffers.west.capacity_bytes"] / MIB, settings["hardware.reduction_engine.lanes"]
    sparse = {"2:4": 0.7, "2:8": 0.5}[settings["sparsity"]]
    if rows == 64 and west == 4:
        return None, f"constraints.0: on_chip_bytes <= 8 MiB: got {10 * MIB + int(clock)}"
    figures = dict.fromkeys(FIGURES, 1)
    for of, kept in (("", sparse), ("dense.", 1.0)):
        best = 4 if of else 2
        misfit = 1 + 0.1 * abs(west - best)
        seconds = kept * misfit * 4e8 / clock * (32 / rows) ** 0.8 * (1 if of else 1 + 0.4 / lanes)
        joules = 20 * kept * misfit * (0.5 + clock / 4e8) * (0.6 + rows / 80)
        figures[f"{of}step_seconds"], figures[f"{of}energy_joules"] = seconds, joules
        figures[f"{of}energy_delay_joule_seconds"] = seconds * joules
        figures[f"{of}samples_per_joule"] = 512 / joules
    figures["pe_count"], figures["on_chip_bytes"] = 32 * rows, (6 + west) * MIB
    figures["speedup_vs_dense"] = figures["dense.step_seconds"] / figures["step_seconds"]
    return figures, ""


def study_of(space, judge=invented):
    """A study of every design of a space, judged by a function of its settings."""
    rows = []
    for settings in space.choices():
        figures, reason = judge(settings)
        told = {"feasible": figures is not None, "reason": reason}
        figures = figures or dict.fromkeys(FIGURES)
        rows.append({**settings, **told, **figures, "key": _key(space, settings)})
    return SimpleNamespace(table=pd.DataFrame(rows), runs=None, meta={})


def _key(space, settings):
    try:
        return space.key(space.point({**settings, **space.scenarios()[0]}))
    except BisparseError:
        return ""
