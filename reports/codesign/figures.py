"""The pictures of a co-design study: accuracy against time and energy, and learning curves over simulated time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...sim.studies.codesign.accuracy_front import (
    TARGET_SHARES,
    pareto_front,
    target_accuracy,
    training_joules,
    training_seconds,
)
from ...sim.studies.codesign.codesign import Codesign, CodesignPoint
from ..shared.plotly_data import DENSE, Figure, plain
from ..shared.quantities import axis_scale, duration, joules, percent
from .words import accuracy_words, difference_words, point_name, share, verdict

COLOURS = 12
"""Colours of recipes, ``--recipe1`` and so on, enough for all that are shipped; then they begin again."""

SYMBOLS = ("circle", "square", "triangle-up", "pentagon", "star", "hexagon")
"""Of the ratios, in the order in which they were asked for."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""Of the ratios, in the same order."""


def time_figure(study: Codesign) -> Figure:
    """Test accuracy against simulated training time."""
    scale = _time_scale(study)
    return _scatter(study, training_seconds, f"simulated training time, {scale[1]}", scale[0], duration)


def energy_figure(study: Codesign) -> Figure:
    """Test accuracy against simulated training energy."""
    divisor, prefix = axis_scale(map(training_joules, study.points))
    return _scatter(study, training_joules, f"simulated training energy, {prefix}J", divisor, joules)


def _time_scale(study: Codesign) -> tuple[float, str]:
    """Divisor and unit that suit the longest training."""
    longest = max(map(training_seconds, study.points))
    for length, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if longest >= 2 * length:
            return length, unit
    divisor, prefix = axis_scale([longest])
    return divisor, f"{prefix}s"


def _scatter(
    study: Codesign, cost: Callable[[CodesignPoint], float], title: str, divisor: float, words: Callable[[float], str]
) -> Figure:
    front = pareto_front(study.points, cost)
    traces = [_front_line(front, cost, divisor)]
    for recipe in dict.fromkeys(point.recipe for point in study.sparse):
        traces.append(_recipe_dots(study, recipe, front, cost, divisor, words))
    traces += [_dense_dot(study, point, cost, divisor, words) for point in study.points if point.baseline]
    traces += _ratio_keys(study)
    costs = [cost(point) / divisor for point in study.points]
    room = (max(costs) - min(costs)) or max(costs) or 1.0
    across = [max(min(costs) - 0.22 * room, 0), max(costs) + 0.1 * room]
    upwards = _accuracy_range(study)
    return {
        "data": traces,
        "layout": {
            "height": 470,
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": {
                "title": {"text": title},
                "range": across,
                "automargin": True,
                "zeroline": False,
            },
            "yaxis": {"title": {"text": "test accuracy, %"}, "range": upwards, "automargin": True},
            "shapes": [_dense_line(study.baseline.accuracy.mean)],
            "annotations": _front_names(
                [(point_name(point, study), cost(point) / divisor, 100 * point.accuracy.mean) for point in front],
                width=across[1] - across[0],
                height=upwards[1] - upwards[0],
            ),
            "showlegend": True,
            "hovermode": "closest",
        },
    }


def _accuracy_range(study: Codesign) -> list[float]:
    """What the accuracies and their intervals take; an interval far wider than all accuracies lie apart is cut."""
    means = [100 * point.accuracy.mean for point in study.points]
    apart = max(max(means) - min(means), 0.2)
    widths = [min(100 * (point.accuracy_difference.half_width or 0.0), 2 * apart) for point in study.points]
    low = min(mean - width for mean, width in zip(means, widths, strict=True))
    high = max(mean + width for mean, width in zip(means, widths, strict=True))
    room = max(high - low, 0.2)
    return [low - 0.08 * room, high + 0.1 * room]


def _dense_line(accuracy: float) -> Figure:
    return _level(100 * accuracy, {"color": DENSE, "width": 1.5, "dash": "dot"})


def _front_line(front: Sequence[CodesignPoint], cost: Callable[[CodesignPoint], float], divisor: float) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Pareto front",
        "x": [cost(point) / divisor for point in front],
        "y": [100 * point.accuracy.mean for point in front],
        # What the best choice at each cost reaches: nothing lies between two points of the front.
        "line": {"color": "@quiet", "width": 2, "shape": "hv"},
        "hoverinfo": "skip",
    }


def _front_names(front: Sequence[tuple[str, float, float]], *, width: float, height: float) -> list[Figure]:
    """Names above and to the left of their points: on the front, no other point lies there. None covers another."""
    drawn: list[tuple[float, float]] = []
    names = []
    for name, x, y in front:
        if any(abs(x - other) < 0.25 * width and abs(y - its) < 0.07 * height for other, its in drawn):
            continue
        drawn.append((x, y))
        names.append(
            {
                "x": x,
                "y": y,
                "text": plain(name),
                "showarrow": False,
                "xanchor": "right",
                "yanchor": "bottom",
                "xshift": -8,
                "yshift": 6,
                "bgcolor": "@paper",
                "borderpad": 1,
                "font": {"size": 12},
            }
        )
    return names


def _recipe_dots(
    study: Codesign,
    recipe: str,
    front: Sequence[CodesignPoint],
    cost: Callable[[CodesignPoint], float],
    divisor: float,
    words: Callable[[float], str],
) -> Figure:
    points = [point for point in study.sparse if point.recipe == recipe]
    colour = _colour(study, recipe)
    symbols = [_symbol(study, point) + ("" if point in front else "-open") for point in points]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(recipe),
        "x": [cost(point) / divisor for point in points],
        "y": [100 * point.accuracy.mean for point in points],
        # Around the mean stands the interval of the paired difference: it meets dense's line where it includes 0.
        "error_y": {
            "type": "data",
            "array": [100 * (point.accuracy_difference.half_width or 0.0) for point in points],
            "color": colour,
            "thickness": 1.3,
            "width": 4,
        },
        "marker": {"color": colour, "symbol": symbols, "size": 12, "line": {"width": 2, "color": colour}},
        "text": [_told(study, point, words(cost(point))) for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _dense_dot(
    study: Codesign,
    point: CodesignPoint,
    cost: Callable[[CodesignPoint], float],
    divisor: float,
    words: Callable[[float], str],
) -> Figure:
    own = point is study.baseline
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(point_name(point, study)),
        "x": [cost(point) / divisor],
        "y": [100 * point.accuracy.mean],
        "marker": {
            "symbol": "diamond" if own else "diamond-open",
            "size": 15,
            "color": DENSE,
            "line": {"width": 2, "color": "@ink" if own else DENSE},
        },
        "text": [_told(study, point, words(cost(point)))],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _ratio_keys(study: Codesign) -> list[Figure]:
    """What the shapes mean: entries of the legend without a point."""
    if len(_ratios(study)) < 2:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": ratio,
            "x": [None],
            "y": [None],
            "marker": {"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 11, "color": "@quiet"},
            "hoverinfo": "skip",
        }
        for number, ratio in enumerate(_ratios(study))
    ]


def _told(study: Codesign, point: CodesignPoint, cost: str) -> str:
    lines = [f"<b>{plain(point_name(point, study))}</b>", f"{accuracy_words(point.accuracy)}", cost]
    if not point.baseline:
        lines[1] += f", {difference_words(point.accuracy_difference)} points ({verdict(point)})"
        lines.append(f"{share(point.time_share)} of dense's time, {share(point.energy_ratio_vs_dense)} of its energy")
    return "<br>".join(lines)


def curves_figure(study: Codesign) -> Figure:
    """Mean validation accuracy against simulated time, a line a point, with the targets."""
    divisor, unit = _time_scale(study)
    high = max(100 * each.validation_accuracy for point in study.points for each in point.curve)
    # The first epochs of all points look alike and lie far below: the eye is for the rest.
    targets = [100 * target_accuracy(study, each) for each in TARGET_SHARES]
    low = min(*targets, *(100 * point.curve[-1].validation_accuracy for point in study.points))
    room = max(high - low, 0.5)
    return {
        "data": [_curve(study, point, divisor) for point in study.points],
        "layout": {
            "height": 470,
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": {
                "title": {"text": f"simulated time, {unit}"},
                "range": [0, max(point.training_seconds for point in study.points) / divisor * 1.03],
                "automargin": True,
            },
            "yaxis": {
                "title": {"text": "validation accuracy, %"},
                "range": [low - 0.08 * room, high + 0.06 * room],
                "automargin": True,
                "zeroline": False,
            },
            "shapes": [_target_line(target) for target in targets],
            "annotations": [
                {
                    "xref": "paper",
                    "x": 0,
                    "xanchor": "left",
                    "y": target,
                    "yanchor": "bottom",
                    "text": f"{percent(each)} of dense",
                    "showarrow": False,
                    "font": {"color": "@quiet", "size": 11},
                }
                for each, target in zip(TARGET_SHARES, targets, strict=True)
            ],
            "showlegend": True,
            # With many lines a reader wants to look at a few.
            "legend": {"itemclick": "toggle", "itemdoubleclick": "toggleothers"},
            "hovermode": "closest",
        },
    }


def _curve(study: Codesign, point: CodesignPoint, divisor: float) -> Figure:
    name = point_name(point, study)
    if point.baseline:
        colour, dash = DENSE, "solid" if point is study.baseline else "dash"
    else:
        colour, dash = _colour(study, point.recipe), DASHES[_ratios(study).index(point.sparsity) % len(DASHES)]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(point.curve) <= 30 else "lines",
        "name": plain(name),
        "x": [each.seconds / divisor for each in point.curve],
        "y": [100 * each.validation_accuracy for each in point.curve],
        "line": {"color": colour, "dash": dash, "width": 3 if point.baseline else 1.8},
        "marker": {"color": colour, "size": 4},
        "text": [f"epoch {each.epoch}, {duration(each.seconds)}" for each in point.curve],
        "hovertemplate": f"<b>{plain(name)}</b><br>%{{text}}: %{{y:.2f}}%<extra></extra>",
    }


def _target_line(target: float) -> Figure:
    return _level(target, {"color": "@quiet", "width": 1, "dash": "dot"})


def _level(value: float, line: Figure) -> Figure:
    """A line across the figure."""
    return {"type": "line", "layer": "below", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line}


def _ratios(study: Codesign) -> list[str]:
    return list(dict.fromkeys(point.sparsity for point in study.sparse))


def _symbol(study: Codesign, point: CodesignPoint) -> str:
    return SYMBOLS[_ratios(study).index(point.sparsity) % len(SYMBOLS)]


def _colour(study: Codesign, recipe: str) -> str:
    recipes = list(dict.fromkeys(point.recipe for point in study.sparse))
    return f"@recipe{recipes.index(recipe) % COLOURS + 1}"
