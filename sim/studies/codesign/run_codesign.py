"""Running a co-design study: train what it plans, simulate the training of each run, and set the two side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ....accel.specification import Hardware
from ....configs.schema import Loaded
from ....training.run_summary import RunSummary
from ...results.simulation_result import Assumption, Input
from ...results.training_figures import TrainingRun
from ...simulation import Simulator
from ...step.against_dense import ratio
from ...trained import trained_simulator
from ...training_run import simulate_training
from ..statistics import Estimate, estimate, paired_difference
from .codesign import Codesign, CodesignPoint, EpochMean, PhaseCost
from .plan import ADAM_LEARNING_RATE, PlannedPoint

RUNS = "runs"
"""The folder of a study's training runs."""

RunDone = Callable[[RunSummary, int, int], None]
StepsDone = Callable[[int, int], None]


def run_study(
    planned: Sequence[PlannedPoint],
    directory: Path,
    hardware: Loaded[Hardware],
    *,
    version: str,
    jobs: int | None = None,
    device: str = "cpu",
    done: RunDone | None = None,
    steps_done: StepsDone | None = None,
    given: Sequence[str] = (),
) -> Codesign:
    """Train every run of a plan that is not finished yet, and simulate them all.

    Args:
        planned: what to train, see ``codesign_plan.plan``.
        directory: of the study; interrupted, it goes on from there.
        hardware: the design.
        version: of bisparse.
        jobs: runs at a time; as many as cores when None, or 1 on a GPU.
        device: of torch.
        done: given each summary as it comes, how many are done and how many there are.
        steps_done: given now and then how many steps all runs have done, and how many they have.
        given: names of the settings that the user chose; the others are the model's own.

    Raises:
        ConfigError: torch is missing, or the directory holds runs of other settings.
        BisparseError: what a training run or a simulation raised.
    """
    from ....configs.needs import check_torch

    check_torch()
    from ....training.loop.study import train_all

    folders = [directory / RUNS / folder for point in planned for folder in point.folders]
    settings = [each for point in planned for each in point.runs]
    runs = list(zip(settings, folders, strict=True))
    summaries = iter(train_all(runs, version=version, jobs=jobs, device=device, done=done, steps_done=steps_done))
    return assemble(
        [TrainedPoint(plan=point, summaries=tuple(next(summaries) for _ in point.runs)) for point in planned],
        directory,
        hardware,
        version=version,
        given=given,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPoint:
    """A planned point, trained."""

    plan: PlannedPoint
    summaries: tuple[RunSummary, ...]


def assemble(
    trained: Sequence[TrainedPoint],
    directory: Path,
    hardware: Loaded[Hardware],
    *,
    version: str,
    given: Sequence[str] = (),
) -> Codesign:
    """A study from finished runs; arguments as for ``run_study``."""
    base = trained[0]
    simulators: dict[str, Simulator] = {}
    baselines: dict[str, tuple[TrainedPoint, CodesignPoint]] = {}
    points = []
    for each in trained:
        optimizer = each.plan.runs[0].optimizer
        if optimizer not in simulators:
            run = directory / RUNS / each.plan.folders[0]
            simulators[optimizer] = trained_simulator(each.summaries[0], run, hardware, version=version)
        point = _point(each, simulators[optimizer], baselines.get(optimizer))
        if each.plan.baseline:
            baselines[optimizer] = (each, point)
        points.append(point)
    first, simulator = base.summaries[0], next(iter(simulators.values()))
    dense = simulator.run(base.plan.recipe, base.plan.pattern)
    left_out = ("recipe", "sparsity", "seed")
    return Codesign(
        bisparse_version=version,
        model=first.settings.model,
        data=first.settings.data,
        hardware=hardware.model.name,
        inputs=_inputs(trained, dense.inputs),
        title={"hardware": hardware.model.title},
        settings={name: value for name, value in first.settings.document().items() if name not in left_out},
        parameters=first.parameters,
        layers=tuple(dict.fromkeys(each.module for each in simulator.workload.graph.products)),
        steps_per_epoch=first.steps_per_epoch,
        precision_simulated=hardware.model.tensor_engine.precision,
        points=tuple(points),
        assumptions=(
            *_methods(trained),
            *_training(base, len(simulators) > 1, given),
            *(each for each in dense.assumptions if each.parameter != "recipe"),
        ),
    )


# A point -------------------------------------------------------------------------------------------------------------


def _point(
    trained: TrainedPoint, simulator: Simulator, paired: tuple[TrainedPoint, CodesignPoint] | None
) -> CodesignPoint:
    plan, summaries = trained.plan, trained.summaries
    first = summaries[0]
    costs: dict[int | None, TrainingRun] = {}
    for summary in summaries:
        if summary.switch_step not in costs:
            costs[summary.switch_step] = simulate_training(
                simulator, plan.recipe, plan.pattern, summary.training_steps, switch_step=summary.switch_step
            )
    runs = [costs[summary.switch_step] for summary in summaries]
    # The first layer's weight may be pruned for a backward product that the step does not have.
    places = {(each.module, each.stage.value) for each in simulator.workload.graph.products}
    seconds, joules = fmean(run.seconds for run in runs), fmean(run.joules for run in runs)
    accuracy = tuple(summary.test_accuracy for summary in summaries)
    loss = tuple(summary.test_loss for summary in summaries)
    opponents = (trained if paired is None else paired[0]).summaries
    base_seconds = seconds if paired is None else paired[1].training_seconds
    base_joules = joules if paired is None else paired[1].training_joules
    return CodesignPoint(
        recipe=plan.recipe.model.name,
        title=plan.recipe.model.title,
        sparsity=str(plan.pattern) if plan.recipe.model.prunes else "dense",
        optimizer=first.settings.optimizer,
        learning_rate=first.settings.learning_rate,
        baseline=plan.baseline,
        seeds=tuple(summary.settings.seed for summary in summaries),
        test_accuracy=accuracy,
        test_loss=loss,
        accuracy=estimate(accuracy),
        loss=estimate(loss),
        accuracy_difference=_difference(accuracy, [other.test_accuracy for other in opponents], paired is None),
        loss_difference=_difference(loss, [other.test_loss for other in opponents], paired is None),
        switch_steps=tuple(summary.switch_step for summary in summaries),
        steps=first.steps,
        step_seconds=seconds / first.steps,
        training_seconds=seconds,
        training_joules=joules,
        speedup_vs_dense=ratio(base_seconds, seconds),
        energy_ratio_vs_dense=ratio(joules, base_joules),
        phases=tuple(_phases(runs)),
        curve=tuple(_curve(summaries, runs)),
        patterns=_of_the_step(first.patterns, places),
        dense_reasons={place: why for place, why in first.dense_reasons.items() if _parted(place) in places},
        trained_seconds=fmean(summary.train_seconds for summary in summaries),
    )


def _of_the_step(patterns: dict[str, dict[str, str]], places: set[tuple[str, str]]) -> dict[str, dict[str, str]]:
    kept = {
        layer: {stage: own for stage, own in stages.items() if (layer, stage) in places}
        for layer, stages in patterns.items()
    }
    return {layer: stages for layer, stages in kept.items() if stages}


def _parted(place: str) -> tuple[str, str]:
    layer, _, stage = place.rpartition(":")
    return layer, stage


def _difference(values: Sequence[float], opponents: Sequence[float], itself: bool) -> Estimate:
    return Estimate(mean=0.0, half_width=None) if itself else paired_difference(values, opponents)


def _phases(runs: Sequence[TrainingRun]) -> Iterator[PhaseCost]:
    """The phases of the runs; those that only some of them have count for none in the others."""
    steps: dict[tuple[str, str], int] = {}
    known = {}
    for run in runs:
        for phase in run.phases:
            key = (phase.kind, phase.sparsity)
            steps[key] = steps.get(key, 0) + phase.steps
            known[key] = phase
    for key in sorted(known, key=lambda each: known[each].first_step):
        phase = known[key]
        yield PhaseCost(
            kind=phase.kind,
            sparsity=phase.sparsity,
            costs_as=phase.costs_as,
            reason=phase.reason,
            steps=steps[key] / len(runs),
            step_seconds=phase.step_seconds,
            step_joules=phase.step_joules,
        )


def _curve(summaries: Sequence[RunSummary], runs: Sequence[TrainingRun]) -> Iterator[EpochMean]:
    for results in zip(*(summary.epochs for summary in summaries), strict=True):
        yield EpochMean(
            epoch=results[0].epoch,
            seconds=fmean(run.seconds_after(each.step) for run, each in zip(runs, results, strict=True)),
            joules=fmean(run.joules_after(each.step) for run, each in zip(runs, results, strict=True)),
            validation_accuracy=fmean(each.validation_accuracy for each in results),
            validation_loss=fmean(each.validation_loss for each in results),
        )


# What it rests on ----------------------------------------------------------------------------------------------------


def _inputs(trained: Sequence[TrainedPoint], simulated: dict[str, Input]) -> dict[str, Input]:
    first = trained[0].summaries[0]
    recipes = {each.plan.recipe.model.name: each.plan.recipe.sha256 for each in trained}
    return {
        **{role: simulated[role] for role in ("hardware", "energy_table")},
        "graph": simulated["workload"],
        "data": Input(name=first.settings.data, sha256=first.data_sha256),
        **{f"recipe {name}": Input(name=name, sha256=sha256) for name, sha256 in recipes.items()},
    }


def _methods(trained: Sequence[TrainedPoint]) -> Iterator[Assumption]:
    for recipe in {each.plan.recipe.model.name: each.plan.recipe.model for each in trained}.values():
        yield Assumption(
            parameter=f"recipe.{recipe.name}", value=recipe.name, status=recipe.definition, source=recipe.source
        )


def _training(base: TrainedPoint, extra_baseline: bool, given: Sequence[str]) -> Iterator[Assumption]:
    settings = base.plan.runs[0].document()
    for name, value in settings.items():
        if name in ("model", "data", "recipe", "sparsity", "seed"):
            continue
        yield _assumed(name, value, given=name in given)
    if extra_baseline:
        yield Assumption(
            parameter="training.adam_learning_rate",
            value=ADAM_LEARNING_RATE,
            status="assumed",
            source="of recipes that need Adam and the dense runs paired with them: torch's default, not searched for",
        )
    yield Assumption(
        parameter="training.outside_of_steps",
        value="not counted",
        status="assumed",
        source="validation, loading of data and the host take no simulated time and no energy",
    )
    yield Assumption(
        parameter="training.zeros",
        value="multiplied",
        status="assumed",
        source="zeros that the network makes itself (after a ReLU) save nothing; see --densities of bisparse simulate",
    )


_CHOSEN = ("epochs", "batch", "optimizer", "learning_rate", "weight_decay", "warmup_epochs")
"""Settings that a model has its own of, see ``training.trainable``."""


def _assumed(name: str, value: Any, *, given: bool) -> Assumption:
    source = "the model's default, chosen for dense training" if name in _CHOSEN else "the default"
    return Assumption(
        parameter=f"training.{name}",
        value=value,
        status="given" if given else "assumed",
        source="given for this study" if given else source,
    )
