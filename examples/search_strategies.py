"""Searches beside the whole space, where it is small enough to enumerate: the tables in docs/exploration.md.

    python examples/search_strategies.py

The shipped sweep ``sat-shape``: all of its designs, then so many by an even spread and by two searches, three seeds
each. How much of the true front did each find, and how much of what it beats?
"""

from __future__ import annotations

import sys
from statistics import median

from bisparse.configs.library import find
from bisparse.configs.strict_yaml import parse
from bisparse.sim.studies.explore.choices import Goals
from bisparse.sim.studies.explore.front import hypervolume, pareto_mask, share_found
from bisparse.sim.studies.explore.loading import space_of_data
from bisparse.sim.studies.explore.running import run
from bisparse.sim.studies.explore.space import Space
from bisparse.sim.studies.explore.study import Study

import bisparse

SWEEP, SEEDS = "sat-shape", (0, 1, 2)
BUDGETS = {"sobol": (240, 720), "nsga2": (240, 720), "tpe": (120, 240)}
"""TPE's own model takes minutes beyond some hundred designs."""
STRATEGIES = {
    "sobol": lambda budget, seed: {"name": "sobol", "points": budget, "seed": seed},
    "nsga2": lambda budget, seed: {"name": "nsga2", "evaluations": budget, "population": 48, "seed": seed},
    "tpe": lambda budget, seed: {"name": "tpe", "evaluations": budget, "batch": 24, "seed": seed},
}


def explored(strategy: dict[str, object] | None) -> tuple[Study, Space]:
    """The sweep with another strategy, run in memory."""
    data = dict(parse(find("sweeps", SWEEP)).data)
    if strategy is not None:
        data["strategy"] = strategy
    space = space_of_data(data, version=bisparse.__version__)
    return run(space, None, version=bisparse.__version__), space


def main() -> None:
    """Print the table."""
    whole, space = explored(None)
    goals = Goals(
        figures=tuple(goal.figure for goal in space.objectives),
        maximise=tuple(goal.maximise for goal in space.objectives),
    )
    feasible = whole.table[whole.table["feasible"].astype(bool)]
    everything = goals.values(feasible)
    front = everything[pareto_mask(everything, goals.maximise)]
    most = hypervolume(front, goals.maximise, everything)
    print(f"{len(whole.table):,} designs, {len(feasible):,} feasible, {len(front)} on the front\n")
    print("| strategy | designs | share of the front found | share of its hypervolume |")
    print("|---|--:|--:|--:|")
    for name, of in STRATEGIES.items():
        for budget in BUDGETS[name]:
            found = []
            for seed in SEEDS:
                print(f"{name}, {budget}, seed {seed} ...", file=sys.stderr)
                study, _ = explored(of(budget, seed))
                values = goals.values(study.table[study.table["feasible"].astype(bool)])
                own = values[pareto_mask(values, goals.maximise)]
                share = hypervolume(own, goals.maximise, everything) / most
                found.append((share_found(own, front), share))
            shares, volumes = (sorted(each) for each in zip(*found, strict=True))
            print(
                f"| {name} | {budget} | {median(shares):.0%} ({shares[0]:.0%} to {shares[-1]:.0%}) "
                f"| {median(volumes):.2%} ({volumes[0]:.2%} to {volumes[-1]:.2%}) |"
            )


if __name__ == "__main__":
    main()
