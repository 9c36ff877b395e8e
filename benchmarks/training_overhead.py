"""What a recipe adds to a training step in torch, as a ratio to the same step trained dense.

Steps of dense training and of every recipe are taken in turn, so that whatever else the machine does falls on all
alike; the ratio is of medians. ResNet-9 for CIFAR-10 at batch 128, images drawn at random: time does not depend on
their content.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bisparse.configs.pattern import Pattern
from bisparse.training.models.resnet import resnet9
from bisparse.training.recipes.declaration import load_recipe
from bisparse.training.recipes.in_torch import apply
from measuring import markdown_table, provenance, three_digits
from torch.nn import functional

RESULT = Path(__file__).parent / "results" / "training-overhead.md"
RECIPES = ("dense", "sr-ste", "sdgp", "sdwp", "bdwp", "transposable", "bi-mask")


def main() -> None:
    """Time every recipe and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128, help="images a step (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=12, help="steps of each recipe (default: %(default)s)")
    parser.add_argument("--sparsity", default="2:8", help="N:M (default: %(default)s)")
    given = parser.parse_args()
    steps = {name: _step(name, given.sparsity, given.batch) for name in RECIPES}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(given.rounds):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    rows = [[name, three_digits(each), three_digits(each / medians["dense"])] for name, each in medians.items()]
    versions = {name: importlib.metadata.version(name) for name in ("bisparse", "torch")}
    text = "\n\n".join(
        [
            "# Training overhead of the recipes",
            provenance(versions),
            markdown_table(["recipe", "s a step", "times dense"], rows),
            f"ResNet-9 at batch {given.batch}, {given.sparsity}, {torch.get_num_threads()} threads; medians of "
            f"{given.rounds} steps taken in turn. A step is forward, backward and update; masks are made anew in each.",
        ]
    )
    print(text)
    RESULT.write_text(text + "\n", encoding="utf-8")


def _step(recipe: str, sparsity: str, batch: int) -> Callable[[], None]:
    torch.manual_seed(0)
    model = resnet9()
    images, labels = torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    apply(model, load_recipe(recipe).model, Pattern.parse(sparsity)).attach(optimizer)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
