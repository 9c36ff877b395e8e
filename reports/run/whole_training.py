"""A whole training run in words and tables; and of a recipe that changes over time, that one step is not the run."""

from __future__ import annotations

from collections.abc import Sequence

from ...sim.results.simulation_result import SimulationResult
from ...sim.results.training_figures import TrainingPhase, TrainingRun
from ..shared.against_dense import energy_words, speed_words
from ..shared.plain_text import aligned, capital, wrapped
from ..shared.quantities import duration, joules, seconds, times
from ..shared.table import Cell, Table, figure
from .answer import labels

PHASE_HEADINGS = ("phase", "steps", "ratio", "costs as", "a step", "energy of a step")


def training_sentence(training: TrainingRun) -> str:
    """What the run takes, beside dense training."""
    count = "1 step takes" if training.steps == 1 else f"{training.steps:,} steps take"
    return (
        f"The whole training run: {count} {duration(training.seconds)} and {joules(training.joules)}, "
        f"{speed_words(training.speedup_vs_dense)}, at {energy_words(training.energy_ratio_vs_dense)}."
    )


def training_run_text(training: TrainingRun) -> str:
    """A run for a terminal: the sentence, a row a phase, the notes."""
    rows = [[*PHASE_HEADINGS], *phase_rows(training)]
    notes = [line for note in training_notes(training) for line in wrapped(note)]
    return "\n".join([*wrapped(training_sentence(training)), *aligned(rows), *notes])


def training_notes(training: TrainingRun) -> list[str]:
    """What must be known to read the phases; empty where they speak for themselves."""
    notes = [f"{capital(phase_name(phase))}: {phase.reason}." for phase in training.phases if phase.reason]
    if training.switch_step is None:
        return notes
    if training.switch_assumed:
        notes.append(f"The switch is taken to come at its latest, after {training.switch_step:,} steps.")
    if not any(phase.optimizer.startswith("adam") for phase in training.phases):
        notes.append(f"The switch waits for Adam's variance, but these updates are {training.phases[0].optimizer}'s.")
    return notes


def phase_name(phase: TrainingPhase) -> str:
    """A phase in a word, a frame with its ratio."""
    return f"frame {phase.sparsity}" if phase.kind == "frame" else phase.kind


def phase_rows(training: TrainingRun) -> list[list[str]]:
    """A row a phase, as text."""
    return [
        [
            phase.kind,
            f"{phase.steps:,}",
            phase.sparsity,
            phase.costs_as,
            seconds(phase.step_seconds),
            joules(phase.step_joules),
        ]
        for phase in training.phases
    ]


def phase_table(result: SimulationResult) -> Table | None:
    """A row a phase, and the run; None where only a step was simulated."""
    training = result.training
    if training is None:
        return None
    rows: list[tuple[Cell, ...]] = [
        (
            Cell(phase.kind),
            Cell(f"{phase.steps:,}"),
            Cell(phase.sparsity),
            Cell(phase.costs_as),
            figure(phase.step_seconds, seconds),
            figure(phase.step_joules, joules),
            figure(phase.steps * phase.step_seconds, duration),
            figure(phase.steps * phase.step_joules, joules),
        )
        for phase in training.phases
    ]
    whole = (figure(training.seconds, duration), figure(training.joules, joules))
    rows.append((Cell("total"), Cell(f"{training.steps:,}"), *[Cell("")] * 4, *whole))
    return Table(headings=(*PHASE_HEADINGS, "time", "energy"), rows=tuple(rows), words=frozenset({0, 2, 3}), total=True)


def training_comparison(results: Sequence[SimulationResult]) -> Table | None:
    """A row for each run whose whole training was simulated; None when there is none."""
    rows = [
        (
            Cell(name),
            Cell(f"{training.steps:,}"),
            figure(training.seconds, duration),
            Cell(times(training.speedup_vs_dense), f"{training.speedup_vs_dense:.6g}"),
            figure(training.joules, joules),
            Cell(times(training.energy_ratio_vs_dense), f"{training.energy_ratio_vs_dense:.6g}"),
        )
        for name, training in _trainings(results)
    ]
    headings = ("whole run", "steps", "time", "speedup", "energy", "energy ratio")
    return Table(headings=headings, rows=tuple(rows)) if rows else None


def last_phase_sentence(results: Sequence[SimulationResult]) -> str | None:
    """Of recipes that change over a run, that a step is of their last phase; None where nothing more is to be said."""
    names = [
        name
        for name, result in zip(labels(results), results, strict=True)
        if result.changes_over_time and result.training is None
    ]
    if not names:
        return None
    many = len(names) > 1
    return (
        f"{', '.join(names)} change{'' if many else 's'} over a training run: this is a step of "
        f"{'their last phases' if many else 'its last phase'}. The whole run: --training-steps N."
    )


def _trainings(results: Sequence[SimulationResult]) -> list[tuple[str, TrainingRun]]:
    pairs = zip(labels(results), results, strict=True)
    return [(name, result.training) for name, result in pairs if result.training is not None]
