"""Time and energy of finished studies by the model as it is now: figures in their ``codesign.csv``, in place.

python examples/accuracy/priced_again.py docs/accuracy/*.csv

Nothing is trained: accuracies stay what they were. The step is captured from the same model at the same batch; a whole
run is simulated as ``bisparse codesign`` does it. The time to a share of dense's accuracy is that of the same epoch.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch
from bisparse.accel.specification import load_hardware
from bisparse.configs.formats import parse_format
from bisparse.configs.pattern import DENSE
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.codesign.accuracy_front import beats
from bisparse.sim.training_run import simulate_training
from bisparse.sim.workload import Workload
from bisparse.training.data import load_data, steps_per_epoch
from bisparse.training.loop.own_graph import captured
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.settings import TrainingSettings, settings_for
from bisparse.training.trainable import build

from bisparse.version import __version__

HARDWARE, SKIPS_ZEROS = "sat-vcu1525", "sat-unstructured"
"""Of studies, and of those whose files' names say that their zeros have no rule."""
OWN = {name: f"{name}.yaml" for name in ("ste", "sdgp-random", "one-shot", "granet-often", "small-dense")}
"""Recipes that lie beside this file."""


def main() -> None:
    """Price every file that is named."""
    for name in sys.argv[1:]:
        path = Path(name)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        model, data = ("convnet", "mnist-5k") if path.name.startswith("mnist") else ("gpt", "pydoc")
        price(rows, settings_for(model, data, "dense", "2:8"), SKIPS_ZEROS if "unstructured" in path.name else HARDWARE)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"{path}: {len(rows)} points", flush=True)


def price(rows: list[dict[str, str]], settings: TrainingSettings, design: str) -> None:
    """Put today's figures in place of those of before."""
    data = load_data(settings.data)
    torch.manual_seed(0)
    graph = captured(build(settings.model, data), settings, data)
    batches = steps_per_epoch(data, settings.batch)
    hardware, simulators = load_hardware(design), {}
    dense: dict[str, tuple[float, float]] = {}
    for row in rows:
        optimizer, steps = row["optimizer"], int(row["steps"])
        if optimizer not in simulators:
            options = Options(batch=settings.batch, optimizer=optimizer)
            workload = Workload(graph=graph, sha256="")
            simulators[optimizer] = Simulator(
                workload=workload, hardware=hardware, options=options, version=__version__
            )
        recipe = load_recipe(str(Path(__file__).parent / OWN[row["recipe"]]) if row["recipe"] in OWN else row["recipe"])
        pattern = DENSE if row["sparsity"] == "dense" else parse_format(row["sparsity"])
        run = simulate_training(simulators[optimizer], recipe, pattern, steps)
        base = dense.setdefault(optimizer, (run.seconds, run.joules))
        for column in ("seconds_to_95_percent_of_dense", "seconds_to_99_percent_of_dense"):
            if row[column]:
                share = float(row[column]) / float(row["training_seconds"])
                ends = [run.seconds_after(batches * epoch) for epoch in range(1, steps // batches + 1)]
                row[column] = repr(min(ends, key=lambda end: abs(end / run.seconds - share)))
        row["training_seconds"], row["training_joules"] = repr(run.seconds), repr(run.joules)
        row["speedup_vs_dense"] = repr(base[0] / run.seconds)
        row["energy_ratio_vs_dense"] = repr(run.joules / base[1])
    for column, cost in (("on_time_front", "training_seconds"), ("on_energy_front", "training_joules")):
        points = [(float(row["accuracy_mean"]), float(row[cost])) for row in rows]
        for row, own in zip(rows, points, strict=True):
            row[column] = str(not any(beats(other, own) for other in points))


if __name__ == "__main__":
    main()
