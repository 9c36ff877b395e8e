"""What slicing the residual stream of a trained GPT costs, beside dropping channels as they are: loss on a test split.

python examples/accuracy/slicegpt.py --data pydoc-100k.txt --seeds 5 --out runs/slicegpt

A GPT of width 32 with a head of its own is trained a seed; then its stream is turned and sliced as the shipped recipe
says, with other shares of the channels in it, and nothing is trained after. Bases come of four batches of the training
split. Beside it the channels of the largest norm stay, in the basis that the network has.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import sys
from pathlib import Path

import torch
from bisparse.training.data import load_data
from bisparse.training.graph import TrainingGraph
from bisparse.training.loop.calibrating import calibration_of
from bisparse.training.loop.evaluation import evaluate
from bisparse.training.loop.own_graph import captured
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.rewrites.in_torch import Widths, slice_stream
from bisparse.training.settings import TrainingSettings
from bisparse.training.trainable import build
from torch import nn

import bisparse

MODEL = f"{Path(__file__).parent / 'sized_gpt.py'}:untied_width_32"
SHARES = (1.0, 0.9, 0.75, 0.5)


def main() -> None:
    """Train what is missing, slice it, and print a row a share and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="pydoc")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", default="runs/slicegpt")
    told = parser.parse_args()
    torch.set_num_threads(1)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(("seed", "channels", "loss", "perplexity", "accuracy", "loss_unturned", "perplexity_unturned"))
    for seed in range(told.seeds):
        directory = Path(told.out) / f"seed-{seed}"
        settings = bisparse.train(
            MODEL,
            told.data,
            "dense",
            out=str(directory),
            seed=seed,
            epochs=told.epochs,
            batch=8,
            optimizer="adam",
            learning_rate=0.01,
            weight_decay=0.01,
            warmup_epochs=0.25,
        ).settings
        for row in sliced(settings, directory):
            rows.writerow((seed, *row))
            sys.stdout.flush()


def sliced(settings: TrainingSettings, directory: Path) -> list[tuple[float | str, ...]]:
    """The rows of one network."""
    data, device = load_data(settings.data), torch.device("cpu")
    model = build(settings.model, data)
    model.load_state_dict(torch.load(directory / "weights.pt", weights_only=True))

    def take(module: nn.Module) -> TrainingGraph:
        return captured(module, settings, data)

    graph = take(model)
    looked_at = calibration_of(settings, data, device, 4)
    rotations, keep = load_recipe("slicegpt").model.rewrites
    found = []
    for share in SHARES:
        entry = keep.model_copy(update={"channels": share})
        turned = evaluate(slice_stream(model, [rotations, entry], graph, looked_at, take), data, "test", device)
        plain = copy.deepcopy(model)
        chosen = entry.model_copy(update={"chosen_by": "magnitude"})
        Widths.of(plain, graph).narrow(plain, chosen, calibration=looked_at)
        dropped = evaluate(plain, data, "test", device)
        numbers = (turned.loss, math.exp(turned.loss), turned.accuracy, dropped.loss, math.exp(dropped.loss))
        found.append((share, *(f"{each:.4f}" for each in numbers)))
    return found


if __name__ == "__main__":
    main()
