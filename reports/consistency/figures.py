"""The picture of designs that agree with claims: what each answer was before the claims, and is after."""

from __future__ import annotations

from ...sim.studies.consistency.consistency import AnswerResult, Consistency
from ..shared.plotly_data import DENSE, SPARSE, Figure, plain, wrapped
from ..shared.quantities import significant


def answers_figure(found: Consistency) -> Figure:
    """Two bars an answer, in parts of what the drawn designs reach."""
    shown = found.answers
    series = (
        ("drawn designs", DENSE, [(each.before.low, each.before.high) for each in shown]),
        ("those that agree", SPARSE, [_after(each) for each in shown]),
    )
    ticks = [wrapped(plain(each.name)) for each in shown]
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": name,
                "y": ticks,
                "base": [_part(each, low) for each, (low, _) in zip(shown, ends, strict=True)],
                "x": [(high - low) / _whole(each) for each, (low, high) in zip(shown, ends, strict=True)],
                "customdata": [f"{significant(low)} to {significant(high)}" for low, high in ends],
                "marker": {"color": colour},
                "hovertemplate": "%{y}: %{customdata}<extra></extra>",
            }
            for name, colour, ends in series
        ],
        "layout": {
            "height": 110 + 46 * len(shown),
            "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
            "barmode": "group",
            "bargap": 0.3,
            "xaxis": {
                "title": {"text": "from the least to the most of any drawn design"},
                "range": [0, 1],
                "tickformat": ".0%",
                "automargin": True,
                "fixedrange": True,
            },
            "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": ""},
            "showlegend": True,
        },
    }


def _after(answer: AnswerResult) -> tuple[float, float]:
    """Nine in ten of those that agree; nothing where none do."""
    kept = answer.after
    return (answer.before.low, answer.before.low) if kept is None else (kept.low, kept.high)


def _whole(answer: AnswerResult) -> float:
    return answer.before.most - answer.before.least or 1.0


def _part(answer: AnswerResult, value: float) -> float:
    return (value - answer.before.least) / _whole(answer)
