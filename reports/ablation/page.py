"""The page of an ablation: one file that needs no network, the answer first."""

from __future__ import annotations

from ...sim.studies.ablation.ablation import SCHEMA_VERSION, Ablation
from ..shared.html import figures_json, render, script_json
from ..shared.provenance import by_group, inputs_table, parameters, statuses
from ..shared.subject import label, workload_name
from .figures import gains_figure, time_figure
from .tables import causes_table, gains_table, left_out_table, settings_table
from .words import ablation_answer, row_name


def ablation_page(ablation: Ablation, *, command: str) -> bytes:
    """The page as UTF-8 HTML.

    Args:
        ablation: the result.
        command: what a reader types to repeat the run.
    """
    rests_on = parameters([ablation])
    drawings = {"ablation": {"time": time_figure(ablation), "gains": gains_figure(ablation)}}
    return render(
        "ablation.html.jinja",
        title=f"{workload_name(ablation)}: what each optimisation buys {label(ablation)}",
        answer=ablation_answer(ablation),
        base=row_name(ablation.base),
        gains_table=gains_table(ablation),
        settings_table=settings_table(ablation),
        left_out_table=left_out_table(ablation),
        causes_table=causes_table(ablation),
        assumptions=by_group(rests_on),
        statuses=statuses(rests_on),
        inputs_table=inputs_table([ablation]),
        command=command,
        schema_version=SCHEMA_VERSION,
        bisparse_version=ablation.bisparse_version,
        figures_json=figures_json(drawings),
        columns_json=script_json([]),
    )
