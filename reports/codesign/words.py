"""What a co-design study says: the names of its points, its figures in words, and the answer its reports open with."""

from __future__ import annotations

from collections.abc import Sequence

from ...sim.studies.codesign.accuracy_front import training_seconds
from ...sim.studies.codesign.codesign import Codesign, CodesignPoint
from ...sim.studies.statistics import MOST_SEEDS, Estimate, seeds_to_resolve
from ..shared.against_dense import EVEN

MINUS, PLUS_MINUS = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}"


def point_name(point: CodesignPoint, study: Codesign) -> str:
    """A point's name among all of the study."""
    if not point.baseline:
        return point.recipe if point.sparsity == "dense" else f"{point.recipe} {point.sparsity}"
    return point.recipe if point is study.baseline else f"{point.recipe}, {point.optimizer}"


def points_of(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign.

    >>> points_of(-0.0042), points_of(0.0042), points_of(0.0)
    ('−0.42', '+0.42', '0.00')
    """
    text = f"{100 * abs(difference):.2f}"
    if text == "0.00":
        return text
    return f"{MINUS if difference < 0 else '+'}{text}"


def difference_words(difference: Estimate) -> str:
    """A difference with its interval, in percentage points.

    >>> difference_words(Estimate(mean=-0.0042, half_width=0.003))
    '−0.42 ± 0.30'
    """
    return points_of(difference.mean) + _interval(difference, 100)


def accuracy_words(accuracy: Estimate) -> str:
    """A share with its interval, in per cent.

    >>> accuracy_words(Estimate(mean=0.9731, half_width=0.0022))
    '97.31% ± 0.22'
    """
    return f"{100 * accuracy.mean:.2f}%{_interval(accuracy, 100)}"


def loss_words(loss: Estimate, *, signed: bool = False) -> str:
    """A loss, or with ``signed`` a difference of losses, with its interval, in nats.

    >>> loss_words(Estimate(mean=0.1234, half_width=0.01))
    '0.123 ± 0.010'
    >>> loss_words(Estimate(mean=-0.02, half_width=None), signed=True)
    '−0.020'
    """
    sign = "" if not signed or abs(loss.mean) < 0.0005 else MINUS if loss.mean < 0 else "+"
    interval = "" if loss.half_width is None else f" {PLUS_MINUS} {loss.half_width:.3f}"
    return f"{sign}{abs(loss.mean):.3f}{interval}"


def _interval(estimate: Estimate, scale: float) -> str:
    return "" if estimate.half_width is None else f" {PLUS_MINUS} {scale * estimate.half_width:.2f}"


def verdict(point: CodesignPoint) -> str:
    """What the interval of a point's difference to dense allows to say of it."""
    if point.baseline:
        return "baseline"
    if len(point.seeds) == 1:
        return "one seed"
    if point.accuracy_difference.half_width == 0:
        return "no spread"
    if not point.resolved:
        return "unresolved"
    return "lower" if point.accuracy_difference.mean < 0 else "higher"


def share(ratio: float) -> str:
    """A share of dense's time or energy.

    >>> share(0.6231)
    '0.62'
    """
    return f"{ratio:.2f}"


def loses(point: CodesignPoint) -> bool:
    """Whether a loss of accuracy is resolved."""
    return point.resolved and point.accuracy_difference.mean < 0


def fastest(points: Sequence[CodesignPoint]) -> CodesignPoint | None:
    """The point that trains soonest; None of none."""
    return min(points, key=training_seconds, default=None)


def headline(study: Codesign) -> CodesignPoint | None:
    """The point that the answer begins with: the fastest without a resolved loss, else the fastest."""
    safe = fastest([point for point in study.sparse if not loses(point) and _gains(point)])
    return safe or fastest(study.sparse)


def _gains(point: CodesignPoint) -> bool:
    return point.speedup_vs_dense > 1 + EVEN


def codesign_answer(study: Codesign) -> str:
    """The answer in a few sentences: what the best point saves and what it costs, and what is faster."""
    best, quickest = headline(study), fastest(study.sparse)
    where = f"{study.model} on {study.data}"
    dense = f"Dense reaches {accuracy_words(study.baseline.accuracy)} of the test split"
    if best is None or quickest is None:
        return f"{dense} ({_seeds(study.baseline)}), {where}. Nothing sparse was trained."
    name = point_name(best, study)
    first = (
        f"{name} trains {where} in {share(best.time_share)} of dense's time on {study.hardware}, at "
        f"{share(best.energy_ratio_vs_dense)} of its energy and {_at(best)}."
    )
    sentences = [first]
    if not _gains(best):
        sentences.append(f"None of the {len(study.sparse)} points is faster than dense.")
    elif loses(best):
        sentences.append("Every point that is faster than dense loses accuracy.")
    elif quickest is not best:
        sentences.append(
            f"Faster still, at a resolved loss: {point_name(quickest, study)} in {share(quickest.time_share)} of the "
            f"time, at {difference_words(quickest.accuracy_difference)} points."
        )
    sentences.append(f"{dense}.")
    return " ".join(sentences)


def _at(point: CodesignPoint) -> str:
    said = f"{difference_words(point.accuracy_difference)} points of test accuracy"
    if len(point.seeds) == 1:
        return f"{said} (one seed, so no interval)"
    known = f"{_seeds(point)}, 95% interval"
    return f"{said} ({known})" if point.resolved else f"{said} ({known}: unresolved)"


def _seeds(point: CodesignPoint) -> str:
    return "one seed" if len(point.seeds) == 1 else f"{len(point.seeds)} seeds"


def measured_words(study: Codesign) -> str:
    """What was measured and what was simulated, for a reader who sees only this page."""
    settings, base = study.settings, study.baseline
    design = study.title.get("hardware", study.hardware)
    return (
        f"Accuracy is measured: {_seeds(base)} a point, {settings['epochs']} epochs of {study.steps_per_epoch} steps "
        f"at batch {settings['batch']}. Time and energy are simulated for {design}, "
        "training steps alone."
    )


def deciding_words(study: Codesign) -> str:
    """How many seeds would tell the unresolved points from dense; empty where all are told, or nothing is known."""
    needed, never = [], 0
    for point in study.sparse:
        if verdict(point) != "unresolved":
            continue
        seeds = seeds_to_resolve(point.test_accuracy, study.baseline_of(point).test_accuracy)
        if seeds is None:
            never += 1
        else:
            needed.append((seeds, point_name(point, study)))
    if not needed and not never:
        return ""
    said = [f"about {seeds} for {name}" for seeds, name in sorted(needed)]
    if never:
        said.append(f"more than {MOST_SEEDS} for {never} of the points")
    return (
        "Seeds that would decide the unresolved, were mean and spread of the differences those seen, an estimate as "
        f"rough as {len(study.baseline.seeds)} seeds make it: {', '.join(said)}."
    )


def pairing_words(study: Codesign) -> str:
    """How points are paired with dense."""
    seeds = len(study.baseline.seeds)
    text = "Every run is paired with a dense run of the same seed: the same initial weights and order of data. "
    if seeds == 1:
        return f"{text}One seed gives no interval."
    others = [point for point in study.points if point.baseline and point is not study.baseline]
    text += (
        f"Intervals are Student's, 95%, over {seeds} seeds, each point for itself: among many, one in twenty misses; "
        "they speak of seeds, not of another test split. Unresolved: the interval includes 0, so they do not "
        "tell a loss from a gain; it is no proof of equality."
    )
    for other in others:
        own = ", ".join(point_name(point, study) for point in study.sparse if study.baseline_of(point) is other)
        text += (
            f" Recipes that need {other.optimizer} are paired with {point_name(other, study)} (learning rate "
            f"{other.learning_rate:g}, other settings alike): {own}."
        )
    return text
