"""``bisparse validate``: the fidelity checks and their agreement table."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs.errors import ConfigError
from ..configs.needs import install_line
from . import options
from .terminal import Progress, print_json, print_table

if TYPE_CHECKING:
    from ..sim.witness.validation import Recount, ValidationResult

_SEEDS = 2**32


Seed = Annotated[
    int | None,
    options.whole(
        "--seed", metavar="S", at_least=0, example=1, help="First seed of the random cases, to repeat a run. [fresh]"
    ),
]
Gemms = Annotated[
    int,
    options.whole(
        "--gemms",
        metavar="COUNT",
        at_least=0,
        example=1000,
        help="Random products on the register-level machine; a tenth as many times tiles in a row there.",
    ),
]
Tilings = Annotated[
    int,
    options.whole("--tilings", metavar="COUNT", at_least=0, example=500, help="Random tilings for the loop-nest walk."),
]
Schedules = Annotated[
    int,
    options.whole(
        "--schedules",
        metavar="COUNT",
        at_least=0,
        example=100,
        help="Random schedules for the event engine: with and without fast-forward, channels as one and apart, and "
        "against the closed forms.",
    ),
]
Torch = Annotated[
    bool | None, typer.Option("--torch/--no-torch", help="Count with torch again. [where it is installed]")
]


def validate(
    seed: Seed = None,
    gemms: Gemms = 1000,
    tilings: Tilings = 500,
    schedules: Schedules = 100,
    torch: Torch = None,
    as_json: options.Json = False,
) -> None:
    """Check the models against their witnesses.

    SCALE-Sim's measured cycles, a register-level machine that computes the products it is timed on, a walk of the
    loop nest, steps played as events, and torch's own counts. Exit code 1 on any mismatch. About half a minute.
    """
    from ..sim.witness.validation import validate as run_checks

    with Progress() as progress:
        result = run_checks(
            seed=secrets.randbelow(_SEEDS) if seed is None else seed,
            gemms=gemms,
            tilings=tilings,
            schedules=schedules,
            recount=_recount(torch),
            progress=progress,
        )
    if as_json:
        print_json(result.document())
    else:
        _print_checks(result)
    if not result.passed:
        raise typer.Exit(1)


def _recount(wanted: bool | None) -> Recount | None:
    """Torch's counter; None where it is not wanted or not there."""
    from importlib.util import find_spec

    installed = find_spec("torch") is not None
    if wanted and not installed:
        raise ConfigError(f"--torch: got no torch, need it installed; try {install_line('torch')}")
    if wanted is False or not installed:
        return None

    def recount(workload: str, batch: int) -> dict[str, int]:
        # On the first call: importing torch takes seconds, which belong to the check that asks.
        from ..training.capture.recount import recount_macs

        return recount_macs(workload, batch)

    return recount


def _print_checks(result: ValidationResult) -> None:
    rows = [("check", "cases", "mismatches", "seconds")]
    for check in result.checks:
        figures = (str(check.cases), str(check.mismatches), f"{check.seconds:.1f}")
        rows.append((check.name, *(("-", "-", check.skipped) if check.skipped else figures)))
    print_table(rows, right=(1, 2, 3))
    for check in result.checks:
        for example in check.examples:
            print(f"MISMATCH: {check.name}: {example}")
        if check.mismatches > len(check.examples):
            print(f"MISMATCH: {check.name}: {check.mismatches - len(check.examples)} more")
    verdict = "all agree" if result.passed else "there are mismatches"
    print(f"{verdict}; repeat with --seed {result.seed}")
