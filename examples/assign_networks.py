"""A ratio for each layer of shipped networks, beside uniform 2:8 at the same kept magnitude.

    python examples/assign_networks.py [WORKLOAD ...]

Prints the rows of docs/assignment.md. Shipped workloads have no weights: here every layer's are drawn from one normal
distribution, so that layers differ in cycles a weight alone.
"""

from __future__ import annotations

import math
import sys
from functools import cache

import numpy as np
from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.studies.assignment.assignment import Assignment, RatioStep
from bisparse.sim.studies.assignment.run_assignment import Assigner
from bisparse.training.layer_costs import LayerCost, LayerCosts
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse.api import load_workload

NETWORKS = ("resnet9-cifar10", "vgg19-cifar100", "resnet18-tinyimagenet", "vit-cifar10")
FEW = tuple(map(Pattern.parse, ("1:8", "2:8", "4:8")))
LIKE = Pattern(2, 8)


def main() -> None:
    """Print a row for each network that is named, or for all of the page."""
    for name in sys.argv[1:] or NETWORKS:
        design = load_hardware("sat-vcu1525")
        simulator = Simulator(
            workload=load_workload(name), hardware=design, options=Options(), version=bisparse.__version__
        )
        every = (*map(Pattern.parse, design.model.tensor_engine.patterns), Pattern(1, 1))
        few, all_of_them = (_assigned(simulator, ratios) for ratios in (FEW, every))
        uniform = few.best_uniform
        uniform = few.best_uniform
        assert uniform is not None, "2:8 is within its own budget"
        cells = [_cell(step) for step in (uniform, few.assigned, all_of_them.assigned)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _assigned(simulator: Simulator, ratios: tuple[Pattern, ...]) -> Assignment:
    assigner = Assigner(simulator=simulator, recipe=load_recipe("bdwp"), ratios=ratios)
    graph = simulator.workload.graph
    weights = {
        product.module: graph.tensors[product.parameter].elements(1)
        for product in graph.products
        if product.parameter is not None
    }
    rows = [
        LayerCost(
            module=module,
            stage=stage.value,
            sparsity=pattern,
            weights=weights[module],
            magnitude=weights[module] * math.sqrt(2 / math.pi),
            kept_magnitude=_kept(pattern),
        )
        for module, stage, pattern in assigner.places
    ]
    costs = LayerCosts(sha256="0" * 64, rows=tuple(rows))
    return assigner.assign(costs, proxy="magnitude", like=LIKE)[0]


@cache
def _kept(pattern: Pattern) -> float:
    """Share of the magnitude of normal weights that N:M keeps, of a hundred thousand groups."""
    groups = np.sort(np.abs(np.random.default_rng(0).standard_normal((100_000, pattern.group))), axis=1)
    return float(groups[:, -pattern.kept :].sum() / groups.sum())


def _cell(step: RatioStep) -> str:
    return f"{step.speedup_vs_dense:.2f}x, {step.energy_ratio_vs_dense:.2f}x"


if __name__ == "__main__":
    main()
