"""The reference design with one thing changed, at 2:8, and where it stands: the tables in docs/sat-design-space.md.

python examples/sat-design-space/findings.py                          # one thing changed, evaluated now
python examples/sat-design-space/findings.py runs/sat-design-space    # and, of the study, the best beside the reference
python examples/sat-design-space/findings.py runs/sat-on-its-card     # or, of what fits the card, the best of each PE
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas
from bisparse.sim.studies.explore.base import combined
from bisparse.sim.studies.explore.loading import load_space
from bisparse.sim.studies.explore.workers import evaluate_settings

LANES = "hardware.vector_engine.lanes"
BASE = {
    "pe_budget": 1024,
    "hardware.tensor_engine.rows": 32,
    "hardware.buffers.west.capacity_bytes": 2 << 20,
    "hardware.buffers.north.capacity_bytes": 2 << 20,
    "hardware.buffers.output.capacity_bytes": 4 << 20,
    "hardware.dram.channels": 4,
    "hardware.reduction_engine.lanes": 32,
    LANES: 32,
    "sparsity": "2:8",
}
SILICON = (
    "pe_budget",
    *(name for name in BASE if name.startswith(("hardware.tensor", "hardware.buffers", "hardware.dram"))),
)
"""What the study varies beside the vector engine's lanes and the ratio."""

LEAST_BUFFERS = {
    "hardware.buffers.west.capacity_bytes": 512 << 10,
    "hardware.buffers.north.capacity_bytes": 512 << 10,
    "hardware.buffers.output.capacity_bytes": 1 << 20,
}
CHANGES: dict[str, dict[str, object]] = {
    "as it is": {},
    **{
        f"{rows} x {1024 // rows}": {"hardware.tensor_engine.rows": rows}
        for rows in (8, 16, 20, 24, 28, 40, 48, 64, 96, 128)
    },
    "three quarters of the PEs (32 x 24)": {"pe_budget": 768},
    "half of the PEs (32 x 16)": {"pe_budget": 512},
    "a quarter of the buffers": LEAST_BUFFERS,
    "one DRAM channel": {"hardware.dram.channels": 1},
    "one SORE lane": {"hardware.reduction_engine.lanes": 1},
    "all three": {**LEAST_BUFFERS, "hardware.dram.channels": 1, "hardware.reduction_engine.lanes": 1},
    "16 vector lanes": {LANES: 16},
    "64 vector lanes": {LANES: 64},
    "2:4": {"sparsity": "2:4"},
    "1:8": {"sparsity": "1:8"},
}
SHARE = "fit.vcu1525.share"
FIGURES = ("step_seconds", "energy_joules", "energy_delay_joule_seconds")


def main() -> None:
    """Print a row for each change; of a study that has been run, one for each number of vector lanes and each ratio."""
    rows = evaluated(CHANGES)
    base = rows["as it is"]
    print("| changed | PEs | step time | energy | energy-delay | speedup over dense there |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, row in rows.items():
        ratios = " | ".join(f"{row[figure] / base[figure]:.3f}" for figure in FIGURES)
        print(f"| {name} | {row['pe_count']:,.0f} | {ratios} | {row['speedup_vs_dense']:.3f} |")
    if len(sys.argv) > 1:
        table = pandas.read_parquet(Path(sys.argv[1]) / "designs.parquet")
        if SHARE in table:
            _print_fitting(table[table.feasible], base)
        else:
            _print_standing(table)


def _print_standing(table: pandas.DataFrame) -> None:
    """The reference beside the best of the study, where vector lanes and the ratio are the same."""
    time, _, product = FIGURES
    print(
        "\n| vector lanes | N:M | speedup | fastest | reference | least energy-delay | reference | best of dense | it |"
    )
    print("|--:|---|--:|---|--:|---|--:|---|--:|")
    for (lanes, ratio), own in table.groupby([LANES, "sparsity"]):
        reference = row_of(own, {name: BASE[name] for name in SILICON})
        fastest, least, dense = (own.loc[own[figure].idxmin()] for figure in (time, product, f"dense.{product}"))
        cells = [str(lanes), str(ratio), f"{reference['speedup_vs_dense']:.3f}"]
        # The best, and how far behind it another design is.
        for best, figure, other in ((fastest, time, reference), (least, product, reference), (dense, product, dense)):
            rows = best["hardware.tensor_engine.rows"]
            cells += [f"{rows:.0f} x {best['pe_budget'] // rows:.0f}", f"{other[figure] / own[figure].min() - 1:.1%}"]
        print(f"| {' | '.join(cells)} |")


def _print_fitting(table: pandas.DataFrame, base: Mapping[str, Any]) -> None:
    """Of each kind of PE and each ratio the fastest array that fits; at the base's ratio, over the base."""
    print("\n| N:M | sums a PE | ratios | array | fullest region | step time | energy | speedup over dense there |")
    print("|---|--:|---|---|--:|--:|--:|--:|")
    kinds = ["sparsity", "hardware.tensor_engine.register_depth", "hardware.tensor_engine.patterns"]
    for (ratio, depth, patterns), own in table.groupby(kinds):
        best = own.loc[own[FIGURES[0]].idxmin()]
        rows = int(best["hardware.tensor_engine.rows"])
        over = [f"{best[each] / base[each]:.3f}" if ratio == BASE["sparsity"] else "" for each in FIGURES[:2]]
        cells = [ratio, depth, patterns, f"{rows} x {int(best['pe_budget']) // rows}", f"{best[SHARE]:.0%}", *over]
        print(f"| {' | '.join(map(str, cells))} | {best['speedup_vs_dense']:.3f} |")


def evaluated(names: Mapping[str, object]) -> dict[str, Mapping[str, Any]]:
    """The same for some of the changes, evaluated on the five networks."""
    space = load_space(Path(__file__).with_name("sweep.yaml"), version="1")
    designs = [{**BASE, **CHANGES[name]} for name in names]
    outcomes = [
        evaluate_settings(space, [{**settings, **scenario} for settings in designs], "1")
        for scenario in space.scenarios()
    ]
    figures = [combined([outcome.figures for outcome in column]) for column in zip(*outcomes, strict=True)]
    return dict(zip(names, figures, strict=True))


def row_of(table: pandas.DataFrame, settings: dict[str, object]) -> pandas.Series:
    """The design of these settings."""
    chosen = table
    for axis, value in settings.items():
        chosen = chosen[chosen[axis] == value]
    assert len(chosen) == 1, settings
    return chosen.iloc[0]


if __name__ == "__main__":
    main()
