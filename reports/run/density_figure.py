"""What measured densities leave of each layer's products: those issued whose two operands are both non-zero."""

from __future__ import annotations

from ...sim.results.simulation_result import SimulationResult
from ..shared.plotly_data import Figure, plain
from ..shared.quantities import count, percent
from .timeline_figure import STAGE_COLOURS, STAGE_NAMES

_SYMBOLS = {"FF": "circle", "BP": "square", "WU": "diamond"}


def density_figure(result: SimulationResult) -> Figure | None:
    """A dot a product, layers in the order of the forward pass; None without measured densities."""
    rows = [row for row in result.rows if row.effectual_macs is not None and row.issued_macs and row.module]
    # The first that names a layer is its forward product.
    places = {module: place for place, module in enumerate(dict.fromkeys(row.module for row in rows), start=1)}
    traces = []
    for stage, symbol in _SYMBOLS.items():
        own = [row for row in rows if row.stage == stage]
        if not own:
            continue
        shares = [(row.effectual_macs or 0) / row.issued_macs for row in own]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": STAGE_NAMES[stage],
                "x": [places[row.module] for row in own],
                "y": shares,
                "marker": {"color": STAGE_COLOURS[stage], "symbol": symbol, "size": 8},
                "text": [
                    f"<b>{plain(row.name)}</b><br>{percent(share)} of {count(row.issued_macs)} issued"
                    for row, share in zip(own, shares, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    if not traces:
        return None
    return {
        "data": traces,
        "layout": {
            "height": 300,
            "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
            "xaxis": {"title": {"text": "layer, in the order of the forward pass"}, "automargin": True},
            "yaxis": {
                "title": {"text": "both operands non-zero"},
                "range": [0, 1.04],
                "tickformat": ".0%",
                "automargin": True,
                "fixedrange": True,
            },
            "showlegend": True,
            "hovermode": "closest",
        },
    }
