"""A whole training run in words and tables; and of a recipe that changes over time, that one step is not the run."""

from __future__ import annotations

from collections.abc import Sequence

from ...accel.engines import ENGINES
from ...configs.sums import sum_in_order
from ...sim.results.simulation_result import SimulationResult
from ...sim.results.training_figures import TrainingEvent, TrainingPhase, TrainingRun
from ..shared.against_dense import energy_words, speed_words
from ..shared.plain_text import aligned, capital, wrapped
from ..shared.quantities import duration, joules, percent, seconds, times
from ..shared.table import Cell, Table, figure
from .answer import labels

PHASE_HEADINGS = ("phase", "steps", "ratio", "costs as", "a step", "energy of a step")
EVENT_HEADINGS = ("beside the steps", "engine", "every", "times", "each", "of time", "of energy")


def training_sentence(training: TrainingRun) -> str:
    """What the run takes, beside dense training."""
    count = "1 step takes" if training.steps == 1 else f"{training.steps:,} steps take"
    if training.all_steps != training.steps:
        count = f"{training.all_steps:,} steps, trained again and again for {training.steps:,} of dense training, take"
    return (
        f"The whole training run: {count} {duration(training.seconds)} and {joules(training.joules)}, "
        f"{speed_words(training.speedup_vs_dense)}, at {energy_words(training.energy_ratio_vs_dense)}."
    )


def training_run_text(training: TrainingRun) -> str:
    """A run for a terminal: the sentence, a row a phase and a row an event, the notes."""
    rows = [[*PHASE_HEADINGS], *phase_rows(training)]
    notes = [line for note in training_notes(training) for line in wrapped(note)]
    events = event_table(training)
    beside = (
        []
        if events is None
        else aligned([list(events.headings), *([cell.text for cell in row] for row in events.rows)])
    )
    return "\n".join([*wrapped(training_sentence(training)), *aligned(rows), *beside, *notes])


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
    if phase.name:
        return phase.name if phase.sparsity == "dense" else f"{phase.name} at {phase.sparsity}"
    return f"frame {phase.sparsity}" if phase.kind == "frame" else phase.kind


def _heading(phase: TrainingPhase) -> str:
    """What the row of a phase is called."""
    forward = " (forward passes)" if phase.pass_ == "inference" else ""
    return (phase.name or phase.kind) + forward


def _steps(phase: TrainingPhase) -> str:
    return f"{phase.steps:,}" if phase.times == 1 else f"{phase.times} x {phase.steps:,}"


def phase_rows(training: TrainingRun) -> list[list[str]]:
    """A row a phase, as text."""
    return [
        [
            _heading(phase),
            _steps(phase),
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
            Cell(_heading(phase)),
            Cell(_steps(phase)),
            Cell(phase.sparsity),
            Cell(phase.costs_as),
            figure(phase.step_seconds, seconds),
            figure(phase.step_joules, joules),
            *((figure(phase.event_seconds, duration),) if training.events else ()),
            figure(phase.seconds, duration),
            figure(phase.joules, joules),
        )
        for phase in training.phases
    ]
    beside = (figure(sum_in_order(phase.event_seconds for phase in training.phases), duration),)
    whole = (*(beside if training.events else ()), figure(training.seconds, duration), figure(training.joules, joules))
    rows.append((Cell("total"), Cell(f"{training.all_steps:,}"), *[Cell("")] * 4, *whole))
    headings = (*PHASE_HEADINGS, *(("beside the steps",) if training.events else ()), "time", "energy")
    return Table(headings=headings, rows=tuple(rows), words=frozenset({0, 2, 3}), total=True)


def event_table(training: TrainingRun) -> Table | None:
    """A row for all that is not in every step; None where nothing is."""
    if not training.events:
        return None
    rows = tuple(
        (
            Cell(event.name),
            Cell(ENGINES[event.engine]),
            Cell(_frequency(event)),
            Cell(f"{event.times:,}"),
            figure(event.seconds / event.times, seconds),
            Cell(percent(event.seconds / training.seconds), f"{event.seconds / training.seconds:.6g}"),
            Cell(percent(event.joules / training.joules), f"{event.joules / training.joules:.6g}"),
        )
        for event in training.events
    )
    return Table(headings=EVENT_HEADINGS, rows=rows, words=frozenset({0, 1, 2}))


def _frequency(event: TrainingEvent) -> str:
    if not event.every_steps:
        return "once"
    return f"{event.every_steps:,} steps" if event.every_steps > 1 else "step"


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


def beyond_the_step(results: Sequence[SimulationResult]) -> str | None:
    """What a step does not show of methods whose whole run was not simulated; None where it shows all."""
    told = [
        f"{name}: {', '.join(result.left_to_run)}"
        for name, result in zip(labels(results), results, strict=True)
        if result.left_to_run and result.training is None
    ]
    left = f"Beside such steps: {'; '.join(told)}. The whole run: --training-steps N." if told else None
    return " ".join(filter(None, (last_phase_sentence(results), left))) or None


def _trainings(results: Sequence[SimulationResult]) -> list[tuple[str, TrainingRun]]:
    pairs = zip(labels(results), results, strict=True)
    return [(name, result.training) for name, result in pairs if result.training is not None]
