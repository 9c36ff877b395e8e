"""The page of a study: one file that needs no network, the answer first, pictures before tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...sim.results.simulation_result import Assumption
from ..shared.html import figures_json, render, script_json
from ..shared.provenance import by_group, hashes_table, parameters_of, statuses
from ..shared.quantities import percent, times
from . import answer as answers
from . import tables as tables
from .figures import MOST_LINES, SERIES, effects_figures, parallel_figure, parallel_width, sensitivity_figures
from .findings import Findings
from .front_figure import MOST_POINTS, front_figure, pair_figures
from .words import figure_name, figure_text, many


def explore_page(
    findings: Findings,
    *,
    command: str,
    version: str,
    assumptions: Sequence[Assumption],
    inputs: Mapping[str, tuple[str, str]],
    best_commands: Sequence[str],
    base_link: str = "",
    files: Sequence[str] = (),
) -> bytes:
    """The page as UTF-8 HTML.

    Args:
        findings: of the study.
        command: what repeats it.
        version: of bisparse.
        assumptions: of the base design.
        inputs: name and hash of what went in, by role.
        best_commands: what simulates each of the best designs.
        base_link: page of the base design, or empty.
        files: tables of the study beside the page.
    """
    rests_on = parameters_of(assumptions)
    some = bool(len(findings.chosen.feasible))
    figures: dict[str, Any] = {}
    pairs = effects = sensitivity = {}
    if some:
        pairs, effects, sensitivity = pair_figures(findings), effects_figures(findings), sensitivity_figures(findings)
        figures = {
            "front": front_figure(findings),
            "parallel": parallel_figure(findings),
            **pairs,
            **effects,
            **sensitivity,
        }
    thinned = some and len(findings.chosen.feasible) - len(findings.chosen.front) > MOST_POINTS
    return render(
        "explore.html.jinja",
        title=answers.title(findings),
        answer=answers.page_opening(findings),
        headline=tables.headline_table(findings) if some else None,
        caveat=answers.caveat(findings) if some else "",
        highlights=highlights(findings),
        some=some,
        objectives=[
            {"name": figure_name(name), "colour": SERIES[at].removeprefix("@"), "more": more}
            for at, (name, more) in enumerate(zip(findings.goals.figures, findings.goals.maximise, strict=True))
        ],
        pairs=list(pairs),
        thinned=thinned,
        better=better_words(findings),
        standing=tables.standing_table(findings) if some else None,
        base_sentence=answers.base_sentence(findings),
        base_link=base_link,
        parallel_width=parallel_width(findings),
        lines=MOST_LINES if len(findings.chosen.feasible) - len(findings.chosen.front) > MOST_LINES else 0,
        effects=list(effects),
        sensitivity=list(sensitivity),
        axes_sentence=answers.axes_sentence(findings) if some else "",
        shares_words=answers.shares_words(findings),
        shares_table=tables.shares_table(findings) if some else None,
        sparsity_answer=answers.sparsity_answer(findings),
        shared=answers.shared_sentence(findings) if findings.pairs else "",
        pair_tables=[tables.pair_table(findings, pair) for pair in findings.pairs],
        groups_table=tables.groups_table(findings),
        groups_left=max(0, len(findings.groups) - tables.MOST_GROUPS),
        search=findings.search,
        search_table=tables.search_table(findings),
        knee=answers.knee_sentence(findings),
        best_rule=answers.ten_best_rule(findings),
        edge=answers.edge_sentence(findings),
        best_table=tables.best_table(findings) if some else None,
        best_links=[findings.links.get(findings.key(row), "") for row in findings.chosen.best.tolist()],
        best_commands=best_commands,
        scenarios=len(findings.space.scenarios()),
        front_table=tables.front_table(findings) if some else None,
        front_size=len(findings.chosen.front),
        reasons=tables.reasons_table(findings) if findings.reasons else None,
        infeasible=len(findings.table) - len(findings.chosen.feasible),
        designs=len(findings.table),
        axes_table=tables.axes_table(findings),
        assumptions=by_group(rests_on),
        statuses=statuses(rests_on),
        inputs_table=hashes_table((role, *each) for role, each in inputs.items()),
        command=command,
        files=files,
        bisparse_version=version,
        links_json=script_json(dict(findings.links)),
        figures_json=figures_json({"explore": figures}),
        columns_json=script_json([]),
    )


def better_words(findings: Findings) -> str:
    """Where in the picture of the front the better designs are."""
    across, upwards = (findings.drawn.maximise[at] for at in findings.drawn_pairs[0])
    return f"Better is {'right' if across else 'left'} and {'up' if upwards else 'down'}."


def highlights(findings: Findings) -> list[dict[str, str]]:
    """The big numbers: the best design against the base, its figures, the front and the feasible designs."""
    chosen = findings.chosen
    counted = {
        "value": f"{len(chosen.feasible):,}",
        "name": f"feasible of {many(len(findings.table), 'design')}",
        "beside": f"{len(chosen.front):,} on the Pareto front",
    }
    if not len(chosen.best):
        return [counted]
    best, base = int(chosen.best[0]), findings.base.figures if findings.base else None
    found = []
    figure = findings.goals.ranking[0]
    names = list(dict.fromkeys((figure, *findings.goals.figures)))[:3]
    for name in names:
        value = findings.figure(best, name)
        if base and base[name]:
            found.append(
                {
                    "value": times(value / base[name]),
                    "name": f"the base design's {figure_name(name)}",
                    "beside": f"best {figure_name(figure)}: {figure_text(name, value)}, base "
                    f"{figure_text(name, base[name])}",
                }
            )
        else:
            found.append({"value": figure_text(name, value), "name": figure_name(name), "beside": "of the best design"})
    found[0]["lead"] = "lead"
    if findings.pairs and len(found) < 3:
        found.append(_loss(findings))
    return [*found, counted]


def _loss(findings: Findings) -> dict[str, str]:
    pair = findings.pairs[0]
    return {
        "value": percent(pair.sparse_loss),
        "name": f"of {figure_name(pair.figure)} lost by the sparse step",
        "beside": "on the hardware best for the dense one",
    }
