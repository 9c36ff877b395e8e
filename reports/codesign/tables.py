"""The tables of a co-design study, worded once for the page and the Markdown."""

from __future__ import annotations

from ...configs.sums import sum_in_order
from ...sim.studies.codesign.accuracy_front import TARGET_SHARES, pareto_front, target_accuracy, time_to_accuracy
from ...sim.studies.codesign.codesign import Codesign, CodesignPoint, PhaseCost
from ..shared.provenance import hashes_table
from ..shared.quantities import duration, joules, percent, seconds, times
from ..shared.table import Cell, Table, figure
from .words import accuracy_words, difference_words, loss_words, point_name, share, verdict

_NONE = Cell("–")


def comparison_table(study: Codesign) -> Table:
    """A row a point: accuracy and its difference to dense, time and energy of the training."""
    headings = (
        "point",
        "test accuracy",
        "against dense, points",
        "the interval says",
        "test loss, nats",
        "against dense",
        "training time",
        "speedup",
        "energy",
        "energy ratio",
        "on the front",
    )
    front = pareto_front(study.points)
    rows = tuple(_comparison(point, study, point in front) for point in study.points)
    return Table(headings=headings, rows=rows, words=frozenset({0, 3, 10}))


def _comparison(point: CodesignPoint, study: Codesign, on_front: bool) -> tuple[Cell, ...]:
    difference, loss = point.accuracy_difference, point.loss_difference
    return (
        Cell(point_name(point, study)),
        Cell(accuracy_words(point.accuracy), f"{point.accuracy.mean:.6g}"),
        _NONE if point.baseline else Cell(difference_words(difference), f"{difference.mean:.6g}"),
        Cell(verdict(point)),
        Cell(f"{point.loss.mean:.3f}", f"{point.loss.mean:.6g}"),
        _NONE if point.baseline else Cell(loss_words(loss, signed=True), f"{loss.mean:.6g}"),
        figure(point.training_seconds, duration),
        Cell(times(point.speedup_vs_dense), f"{point.speedup_vs_dense:.6g}"),
        figure(point.training_joules, joules),
        Cell(times(point.energy_ratio_vs_dense), f"{point.energy_ratio_vs_dense:.6g}"),
        Cell("yes" if on_front else ""),
    )


def target_table(study: Codesign) -> Table:
    """How soon each point reaches shares of dense's final validation accuracy, and in what share of its time."""
    targets = [target_accuracy(study, each) for each in TARGET_SHARES]
    headings = ["point"]
    for each, target in zip(TARGET_SHARES, targets, strict=True):
        headings += [f"epochs to {percent(target)} ({percent(each)} of dense's last)", "simulated time", "of dense's"]
    headings.append("validation accuracy at the end")
    rows = []
    for point in study.points:
        cells = [Cell(point_name(point, study))]
        for target in targets:
            cells += _reached(point, study.baseline, target)
        cells.append(Cell(f"{100 * point.curve[-1].validation_accuracy:.2f}%"))
        rows.append(tuple(cells))
    return Table(headings=tuple(headings), rows=tuple(rows))


def _reached(point: CodesignPoint, baseline: CodesignPoint, target: float) -> list[Cell]:
    own, dense = time_to_accuracy(point, target), time_to_accuracy(baseline, target)
    if own is None:
        return [Cell("never"), _NONE, _NONE]
    ratio = own.seconds / dense.seconds if dense is not None and dense.seconds else None
    return [
        Cell(str(own.epoch)),
        figure(own.seconds, duration),
        _NONE if ratio is None else Cell(share(ratio), f"{ratio:.6g}"),
    ]


def phases_table(study: Codesign) -> Table:
    """What the steps of each point cost, a row a phase."""
    headings = ("point", "phase", "trains with", "costs as", "steps", "time of a step", "energy of a step", "why")
    rows = tuple(
        _phase(point_name(point, study) if number == 0 else "", point, phase)
        for point in study.points
        for number, phase in enumerate(point.phases)
    )
    return Table(headings=headings, rows=rows, words=frozenset({0, 1, 2, 3, 7}))


def _phase(name: str, point: CodesignPoint, phase: PhaseCost) -> tuple[Cell, ...]:
    whole = float(phase.steps).is_integer()
    return (
        Cell(name),
        Cell(phase.kind),
        Cell(phase.sparsity),
        Cell(phase.costs_as),
        Cell(f"{phase.steps:,.0f}" if whole else f"{phase.steps:,.1f}", f"{phase.steps / point.steps:.4g} of all"),
        figure(phase.step_seconds, seconds),
        figure(phase.step_joules, joules),
        Cell(phase.reason),
    )


def layers_table(study: Codesign) -> Table:
    """What was pruned: a row a layer and stage, a column a recipe."""
    recipes = list(dict.fromkeys(point.recipe for point in study.sparse))
    places = list(dict.fromkeys(place for point in study.sparse for place in _places(point)))
    rows = tuple(
        (
            Cell(layer),
            Cell(stage),
            *(Cell(_pruned([each for each in study.sparse if each.recipe == name], layer, stage)) for name in recipes),
        )
        for layer, stage in sorted(places, key=lambda place: _order(study, place))
    )
    return Table(headings=("layer", "stage", *recipes), rows=rows, words=frozenset(range(2 + len(recipes))))


def _places(point: CodesignPoint) -> list[tuple[str, str]]:
    pruned = [(layer, stage) for layer, stages in point.patterns.items() for stage in stages]
    reasons = [key.rpartition(":") for key in point.dense_reasons]
    return pruned + [(layer, stage) for layer, _, stage in reasons]


def _order(study: Codesign, place: tuple[str, str]) -> tuple[int, str, str]:
    """As the network has its layers; FF before BP."""
    layer, stage = place
    number = study.layers.index(layer) if layer in study.layers else len(study.layers)
    return number, layer, {"FF": "0", "BP": "1"}.get(stage, stage)


def _pruned(points: list[CodesignPoint], layer: str, stage: str) -> str:
    said = []
    for point in points:
        ratio, reason = point.patterns.get(layer, {}).get(stage), point.dense_reasons.get(f"{layer}:{stage}")
        said.append(ratio or (f"dense: {reason}" if reason else "dense"))
    return ", ".join(dict.fromkeys(said))


def seeds_table(study: Codesign) -> Table:
    """Test accuracy of every run, and the steps at which a recipe switched."""
    seeds = study.baseline.seeds
    switched = any(step is not None for point in study.points for step in point.switch_steps)
    headings = ("test accuracy", *(f"seed {seed}" for seed in seeds), *(["switched after step"] if switched else []))
    rows = []
    for point in study.points:
        cells = [Cell(point_name(point, study))]
        cells += [Cell(f"{100 * value:.2f}%", f"{value:.6g}") for value in point.test_accuracy]
        if switched:
            cells.append(Cell(", ".join(str(step) for step in point.switch_steps if step is not None)))
        rows.append(tuple(cells))
    return Table(headings=headings, rows=tuple(rows))


def settings_table(study: Codesign) -> Table:
    """What every run was told, and what it was simulated on."""
    settings = study.settings
    base = study.baseline
    rate, warmup = settings["learning_rate"], settings["warmup_epochs"]
    spent = sum_in_order(each.trained_seconds * len(each.seeds) for each in study.points)
    rows = {
        "model": f"{study.model}, {study.parameters:,} parameters",
        "data": study.data,
        "hardware": f"{study.hardware}: {study.title.get('hardware', '')}".rstrip(": "),
        "seeds": ", ".join(str(seed) for seed in base.seeds),
        "epochs": f"{settings['epochs']} of {study.steps_per_epoch} steps, {base.steps:,} steps in all",
        "batch": f"{settings['batch']} samples",
        "optimizer": f"{settings['optimizer']}, weight decay {settings['weight_decay']:g}",
        "learning rate": f"{rate:g}, cosine to 0; epochs of warm-up: {warmup:g}",
        "augmentation": _augmentation(settings["shift"], flip=settings["flip"]),
        "precision": f"trained in {settings['precision']}, simulated in {study.precision_simulated}",
        "training took": f"{duration(spent)} of steps on the machine that trained them, all runs together",
    }
    return Table(
        headings=("setting", "value"),
        rows=tuple((Cell(name), Cell(value)) for name, value in rows.items()),
        words=frozenset({0, 1}),
    )


def _augmentation(shift: int, *, flip: bool) -> str:
    said = [f"shifted by up to {shift} pixels"] if shift else []
    said += ["mirrored by chance"] if flip else []
    return ", ".join(said) or "none"


def inputs_table(study: Codesign) -> Table:
    """What went into the study, with the hash of its content."""
    return hashes_table(
        (role.split()[0].replace("_", " "), source.name, source.sha256) for role, source in study.inputs.items()
    )
