"""The fidelity checks: what the models say against witnesses that share nothing with them.

Six questions, each asked of many cases: does the textbook design reproduce SCALE-Sim, does a tensor core reproduce
Sparseloop, do the closed forms of the array agree with the register-level machine (one tile, tiles that overlap, k
split over columns, arrays that share a tile), does traffic agree with a walk of the loop nest, does a schedule played
as events agree with itself and with the closed forms, and do the shipped graphs have the multiply-accumulates that
torch counted. A mismatch is told with all that it takes to repeat it; nothing is averaged and nothing has a tolerance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...accel.specification import load_hardware
from ...configs import library
from ...training.graph import Stage, TrainingGraph
from ...training.graph_file import load_graph
from .array_agreement import check_case, check_split, check_tiles, check_units
from .machines.random_cases import random_case
from .machines.random_splits import random_split
from .machines.random_tiles import random_tiles
from .machines.random_units import random_units
from .peers import TEXTBOOK_DESIGN, scalesim_rows
from .sparseloop import SparseloopRow, sparseloop_rows
from .traffic_agreement import check_tiling, random_tiling

SCHEMA_VERSION = 1

SHOWN = 5
"""Mismatches of a check that are told whole; the rest are counted."""

Progress = Callable[[str, int, int], None]
"""Told the check's name, the cases done and the cases in all."""

Recount = Callable[[str, int], Mapping[str, int]]
"""Multiply-accumulates that torch counts, by pass, of a shipped workload at a batch size."""

_STAGES_OF = {"forward": (Stage.FORWARD,), "backward": (Stage.BACKWARD, Stage.WEIGHT_GRADIENT)}

_OWN_BATCH = 3
"""Samples at which workloads are counted besides their own batch; a stored count must hold at both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """One check, done.

    Attributes:
        name: what was compared with what.
        cases: compared.
        mismatches: of those.
        seconds: that it took.
        examples: the first mismatches, told whole.
        skipped: why it was not done, or empty.
    """

    name: str
    cases: int = 0
    mismatches: int = 0
    seconds: float = 0.0
    examples: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationResult:
    """All checks.

    Attributes:
        seed: the first of the consecutive seeds that random cases were drawn with.
        checks: in the order that they ran.
    """

    seed: int
    checks: tuple[CheckOutcome, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no mismatch."""
        return all(check.mismatches == 0 for check in self.checks)

    def document(self) -> dict[str, Any]:
        """The result as plain data, ready for JSON."""
        return {"schema_version": SCHEMA_VERSION, "passed": self.passed, **asdict(self)}


def validate(
    *,
    seed: int,
    gemms: int = 1000,
    tilings: int = 500,
    schedules: int = 100,
    recount: Recount | None = None,
    progress: Progress | None = None,
) -> ValidationResult:
    """Run every check.

    Args:
        seed: of the random cases.
        gemms: random products for the register-level machine; of a tenth as many each, tiles that overlap, k split,
            and several arrays.
        tilings: random tilings and loop orders for the loop-nest walker.
        schedules: random schedules for the event engine.
        recount: counts with torch; None where torch is not installed.
        progress: told how far it is.
    """
    tell = progress or _tell_nobody
    seeds = range(seed, seed + max(gemms, tilings, schedules))
    return ValidationResult(
        seed=seed,
        checks=(
            _scalesim(tell),
            _run("Sparseloop, tensor core and 2:4", list(sparseloop_rows(exact=True)), _sparseloop, tell),
            _run("register-level machine, random GEMMs", seeds[:gemms], _machine_disagreement, tell),
            _run("register-level machine, tiles that overlap", seeds[: gemms // 10], _tiles_disagreement, tell),
            _run("register-level machine, k split over columns", seeds[: gemms // 10], _split_disagreement, tell),
            _run("register-level machine, arrays that share", seeds[: gemms // 10], _units_disagreement, tell),
            _run("loop-nest walk, random tilings and orders", seeds[:tilings], _walk_disagreement, tell),
            _run("event engine, random schedules", seeds[:schedules], _play_disagreement, tell),
            _counts(tell),
            _torch_counts(recount, tell),
        ),
    )


def _tell_nobody(_name: str, _done: int, _cases: int) -> None:
    return


def _run(name: str, cases: Sequence[Any], check: Callable[[Any], str | None], tell: Progress) -> CheckOutcome:
    """Ask ``check`` of every case; it answers with what is wrong, or None."""
    started = time.perf_counter()
    wrong: list[str] = []
    for done, case in enumerate(cases):
        tell(name, done, len(cases))
        found = check(case)
        if found is not None:
            wrong.append(found)
    tell(name, len(cases), len(cases))
    return CheckOutcome(
        name=name,
        cases=len(cases),
        mismatches=len(wrong),
        seconds=time.perf_counter() - started,
        examples=tuple(wrong[:SHOWN]),
    )


def _scalesim(tell: Progress) -> CheckOutcome:
    textbook = load_hardware(TEXTBOOK_DESIGN).model
    name = f"SCALE-Sim 3.0.0 cycles, {TEXTBOOK_DESIGN}"
    return _run(name, list(scalesim_rows()), lambda row: row.disagreement(textbook), tell)


def _sparseloop(row: SparseloopRow) -> str | None:
    return row.disagreement()


def _machine_disagreement(seed: int) -> str | None:
    found = check_case(random_case(seed))
    return None if found is None else f"random_case({seed}): {found}"


def _tiles_disagreement(seed: int) -> str | None:
    found = check_tiles(random_tiles(seed))
    return None if found is None else f"random_tiles({seed}): {found}"


def _split_disagreement(seed: int) -> str | None:
    found = check_split(random_split(seed))
    return None if found is None else f"random_split({seed}): {found}"


def _units_disagreement(seed: int) -> str | None:
    found = check_units(random_units(seed))
    return None if found is None else f"random_units({seed}): {found}"


def _walk_disagreement(seed: int) -> str | None:
    return check_tiling(random_tiling(seed))


def _play_disagreement(seed: int) -> str | None:
    # Imported here: who checks something else does not wait for simpy.
    from .event_agreement import check_schedule

    return (
        check_schedule(seed)
        or check_schedule(seed, tile_overlap=True)
        or check_schedule(seed, split_depth=True)
        or check_schedule(seed, several=True)
    )


def _counts(tell: Progress) -> CheckOutcome:
    """Multiply-accumulates of the operators against those stored when the graph was captured."""
    cases = [(graph, batch) for graph in _workloads() for batch in (graph.default_batch, _OWN_BATCH)]

    def check(case: tuple[TrainingGraph, int]) -> str | None:
        graph, batch = case
        stored = {name: size.at(batch) for name, size in graph.counted_macs.items()}
        return _difference(graph, batch, "stored", stored)

    return _run("MACs of each graph against its stored counts", cases, check, tell)


def _torch_counts(recount: Recount | None, tell: Progress) -> CheckOutcome:
    """The same against a fresh count by torch."""
    name = "MACs of each graph, counted again by torch"
    if recount is None:
        return CheckOutcome(name=name, skipped="torch is not used")

    def check(graph: TrainingGraph) -> str | None:
        return _difference(graph, _OWN_BATCH, "torch", recount(graph.name, _OWN_BATCH))

    return _run(name, list(_workloads()), check, tell)


def _workloads() -> Iterator[TrainingGraph]:
    for name in library.names("workloads"):
        yield load_graph(library.find("workloads", name))


def _difference(graph: TrainingGraph, batch: int, witness: str, counted: Mapping[str, int]) -> str | None:
    wrong = list(_differing(graph, batch, witness, counted))
    return f"{graph.name} at batch {batch}: {'; '.join(wrong)}" if wrong else None


def _differing(graph: TrainingGraph, batch: int, witness: str, counted: Mapping[str, int]) -> Iterable[str]:
    for name, stages in _STAGES_OF.items():
        found = graph.macs(batch, *stages)
        if counted.get(name) != found:
            yield f"{name}: graph {found} MACs, {witness} {counted.get(name)}"
