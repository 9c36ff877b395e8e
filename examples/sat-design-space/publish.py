"""The study's report as it stands in docs/sat-design-space/: page, Markdown, the ten best, and the front as CSV.

bisparse explore examples/sat-design-space/sweep.yaml --out runs/sat-design-space
python examples/sat-design-space/publish.py runs/sat-design-space
"""

from __future__ import annotations

import sys
from pathlib import Path

from bisparse.reports import write_exploration
from bisparse.sim.studies.explore.choices import Goals
from bisparse.sim.studies.explore.front import pareto_mask
from bisparse.sim.studies.explore.loading import load_space
from bisparse.sim.studies.explore.running import load

import bisparse

SWEEP = "examples/sat-design-space/sweep.yaml"
DOCS = Path("docs/sat-design-space")


def main() -> None:
    """Write the files; the study's directory is the first argument."""
    space = load_space(SWEEP, version=bisparse.__version__)
    study = load(Path(sys.argv[1]), space, version=bisparse.__version__)
    command = f"bisparse explore {SWEEP} --out runs/sat-design-space"
    write_exploration(study, space, DOCS, version=bisparse.__version__, command=command, single_reports=False)
    goals = Goals(
        figures=tuple(goal.figure for goal in space.objectives),
        maximise=tuple(goal.maximise for goal in space.objectives),
    )
    feasible = study.table[study.table["feasible"].astype(bool)]
    front = feasible[pareto_mask(goals.values(feasible), goals.maximise)]
    columns = [axis.name for axis in space.axes if not axis.scenario]
    columns += [*goals.figures, "energy_delay_joule_seconds", "speedup_vs_dense", "key"]
    front[columns].to_csv(DOCS / "front.csv", index=False)


if __name__ == "__main__":
    main()
