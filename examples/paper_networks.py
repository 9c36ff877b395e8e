"""BDWP at 2:8 on the paper's five networks: the FLOP bound, the prediction, and what stands between.

    python examples/paper_networks.py [--hardware sat-vcu1525] [--sparsity 2:8] [--also 2:4 1:8]

Prints the Markdown tables of docs/validation.md. Nothing is fitted: the parameters are those of the hardware file.
"""

from __future__ import annotations

import argparse
from statistics import geometric_mean, mean

from bisparse.accel.specification import load_hardware
from bisparse.configs.pattern import Pattern
from bisparse.sim.simulation import Options, Simulator
from bisparse.training.recipes.declaration import load_recipe

import bisparse
from bisparse import SimulationResult
from bisparse.api import load_workload

NETWORKS = ("resnet9-cifar10", "vit-cifar10", "vgg19-cifar100", "resnet18-tinyimagenet", "resnet50-imagenet")
RECIPES = ("dense", "sr-ste", "sdgp", "sdwp", "bdwp")
PUBLISHED_AVERAGE = 1.75
"""Average speedup over dense training at 2:8, arXiv 2309.13015 (abstract)."""


def speedup_without(result: SimulationResult, *stages: str) -> float:
    """Speedup over dense when the exposed cycles of some stages are left out on both sides."""

    def rest(by_stage: dict[str, int]) -> int:
        return sum(cycles for stage, cycles in by_stage.items() if stage not in stages)

    return rest(result.dense.by_stage) / rest(result.by_stage)


def breakdown(result: SimulationResult) -> list[float]:
    """Speedups from the FLOP bound down to the whole step, one more cost counted each time."""
    return [
        result.flop_bound_speedup,
        result.by_scope["gemm"].speedup_vs_dense,
        speedup_without(result, "update", "reduction"),
        result.speedup_vs_dense,
    ]


def row(name: str, figures: list[float]) -> str:
    """A Markdown table row."""
    return f"| {name} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |"


def tables(results: dict[str, dict[str, SimulationResult]], sparsity: str, hardware: str) -> None:
    """Print the tables of one ratio; results by network, then by recipe."""
    print(f"Speedup over dense of the whole step, {sparsity} on {hardware}:\n")
    print("| network | " + " | ".join(RECIPES) + " | FLOP bound of BDWP |")
    print("|---" * (len(RECIPES) + 2) + "|")
    for network, by_recipe in results.items():
        speedups = [by_recipe[recipe].speedup_vs_dense for recipe in RECIPES]
        print(row(network, [*speedups, by_recipe["bdwp"].flop_bound_speedup]))
    averages = [mean(results[network][recipe].speedup_vs_dense for network in NETWORKS) for recipe in RECIPES]
    bound = mean(results[network]["bdwp"].flop_bound_speedup for network in NETWORKS)
    print(row("**average**", [*averages, bound]))
    spread = geometric_mean(results[network]["bdwp"].speedup_vs_dense for network in NETWORKS)
    print(f"\nBDWP, geometric mean: {spread:.3f}. Published average at 2:8: {PUBLISHED_AVERAGE}.\n")
    print("What stands between the bound and the step, BDWP:\n")
    print("| network | FLOP bound | products on the array | + vector work | + update and reduction |")
    print("|---|---|---|---|---|")
    for network, by_recipe in results.items():
        print(row(network, breakdown(by_recipe["bdwp"])))
    print("\nBDWP's step by stage, in percent of its cycles, and its energy against dense:\n")
    print("| network | FF | BP | WU | vector | update | reduction | energy ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for network, by_recipe in results.items():
        result = by_recipe["bdwp"]
        shares = [100 * result.by_stage[stage] / result.total_cycles for stage in ("FF", "BP", "WU", "vector")]
        rest = [100 * result.by_stage[stage] / result.total_cycles for stage in ("update", "reduction")]
        cells = " | ".join(f"{share:.1f}" for share in (*shares, *rest))
        print(f"| {network} | {cells} | {result.energy_ratio_vs_dense:.3f} |")


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hardware", default="sat-vcu1525")
    parser.add_argument("--sparsity", default="2:8")
    parser.add_argument("--also", nargs="*", default=[], metavar="N:M", help="ratios whose tables follow")
    arguments = parser.parse_args()
    design = load_hardware(arguments.hardware)
    # One simulator a network: what a dense product or step is does not depend on the ratio.
    simulators = {
        network: Simulator(
            workload=load_workload(network), hardware=design, options=Options(), version=bisparse.__version__
        )
        for network in NETWORKS
    }
    recipes = [load_recipe(recipe) for recipe in RECIPES]
    for position, sparsity in enumerate([arguments.sparsity, *arguments.also]):
        if position:
            print()
        pattern = Pattern.parse(sparsity)
        results = {
            network: {recipe.model.name: simulator.run(recipe, pattern) for recipe in recipes}
            for network, simulator in simulators.items()
        }
        tables(results, sparsity, arguments.hardware)


if __name__ == "__main__":
    main()
