"""The page of a co-design study: one file that needs no network, the answer first."""

from __future__ import annotations

from ...sim.studies.codesign.codesign import SCHEMA_VERSION, Codesign
from ..shared.html import figures_json, render, script_json
from ..shared.provenance import by_group, parameters_of, statuses
from ..shared.quantities import duration, joules, times
from . import tables as codesign_tables
from .figures import curves_figure, energy_figure, time_figure
from .words import (
    accuracy_words,
    codesign_answer,
    deciding_words,
    difference_words,
    headline,
    measured_words,
    pairing_words,
    point_name,
    share,
    verdict,
)


def codesign_page(study: Codesign, *, command: str) -> bytes:
    """The page as UTF-8 HTML.

    Args:
        study: the result.
        command: what a reader types to repeat the study.
    """
    rests_on = parameters_of(study.assumptions)
    figures = {"time": time_figure(study), "energy": energy_figure(study), "curves": curves_figure(study)}
    return render(
        "codesign.html.jinja",
        title=f"{study.model} on {study.data}: accuracy beside training time",
        answer=codesign_answer(study),
        highlights=_highlights(study),
        measured=measured_words(study),
        pairing=pairing_words(study),
        deciding=deciding_words(study),
        comparison_table=codesign_tables.comparison_table(study),
        target_table=codesign_tables.target_table(study),
        phases_table=codesign_tables.phases_table(study),
        layers_table=codesign_tables.layers_table(study),
        seeds_table=codesign_tables.seeds_table(study),
        settings_table=codesign_tables.settings_table(study),
        recipes={point.recipe: point.title for point in study.points},
        assumptions=by_group(rests_on),
        statuses=statuses(rests_on),
        inputs_table=codesign_tables.inputs_table(study),
        command=command,
        schema_version=SCHEMA_VERSION,
        bisparse_version=study.bisparse_version,
        figures_json=figures_json({"codesign": figures}),
        columns_json=script_json([]),
    )


def _highlights(study: Codesign) -> list[dict[str, str]]:
    """The big numbers: those of the point that the answer begins with, and dense's accuracy."""
    base, best = study.baseline, headline(study)
    dense = {
        "value": f"{100 * base.accuracy.mean:.2f}%",
        "name": "test accuracy, dense",
        "beside": f"{duration(base.training_seconds)}, {joules(base.training_joules)}",
    }
    if best is None:
        return [dense]
    name, opponent = point_name(best, study), study.baseline_of(best)
    return [
        {
            "value": share(best.time_share),
            "name": f"of dense's time, {name}",
            "beside": f"{times(best.speedup_vs_dense)} as fast: {duration(best.training_seconds)} in place of "
            f"{duration(opponent.training_seconds)}",
            "lead": "lead",
        },
        {
            "value": share(best.energy_ratio_vs_dense),
            "name": f"of dense's energy, {name}",
            "beside": f"{joules(best.training_joules)} in place of {joules(opponent.training_joules)}",
            "lead": "lead",
        },
        {
            "value": difference_words(best.accuracy_difference),
            "name": f"points of accuracy, {name}",
            "beside": f"{accuracy_words(best.accuracy)}; {verdict(best)}",
        },
        dense,
    ]
