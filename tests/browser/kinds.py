"""A report of every kind, made once for all tests: small networks, and studies that need no training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bisparse.reports import write_ablation, write_codesign, write_consistency, write_run
from bisparse.reports.explore import designs
from bisparse.reports.explore.directory import write_exploration

import bisparse

from ..unit.reports.codesign import codesign_sample
from ..unit.reports.consistency import consistency_sample
from ..unit.reports.explore import explore_sample

KINDS = ("run", "compare", "event", "ablation", "codesign", "consistency", "explore", "design")
"""Of pages; ``design`` is that of one design of a study, which shares its library with the others of it."""

SMALL = {"model_or_name": "resnet9-cifar10", "batch": 16}


def write_every_kind(directory: Path) -> dict[str, Path]:
    """The page of each kind, in folders of their own."""
    dense, sparse, other = (bisparse.simulate(**SMALL, recipe=recipe) for recipe in ("dense", "bdwp", "sr-ste"))
    # A name as a file may have it: no page may take it for markup, nor break under its length.
    named = replace(sparse, unknown_operators=("<b>aten</b>::" + "very_long_" * 6 + "name",))
    played = bisparse.simulate(**SMALL, hardware="edge-16x16", engine="event", timeline=True)
    ablation = bisparse.ablate("resnet9-cifar10", hardware="edge-16x16", batch=16)
    space = explore_sample.space_of()
    # Each design that gets a report is simulated: one is enough.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(designs, "MOST_BYTES", 0)
        write_exploration(
            explore_sample.study_of(space),
            space,
            directory / "explore",
            version=explore_sample.VERSION,
            command="bisparse explore sat-shape",
        )
    design = next(directory.glob("explore/designs/*/report.html"))
    return {
        "run": write_run([named], directory / "run", command="bisparse simulate resnet9-cifar10 --batch 16"),
        "compare": write_run([dense, sparse, other], directory / "compare", command="bisparse compare resnet9-cifar10"),
        "event": write_run([played], directory / "event", command="bisparse simulate resnet9-cifar10 --engine event"),
        "ablation": write_ablation(ablation, directory / "ablation", command="bisparse ablate resnet9-cifar10"),
        "codesign": write_codesign(codesign_sample.study(), directory / "codesign", command="bisparse codesign"),
        "consistency": write_consistency(
            consistency_sample.study(), directory / "consistency", command="bisparse consistent sample"
        ),
        "explore": directory / "explore" / "report.html",
        "design": design,
    }
