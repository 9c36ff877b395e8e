"""``report.md``: the answer and the main tables, compact, for an issue, a chat or a README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...sim.results.simulation_result import SimulationResult
from ..shared.markdown_text import escaped, table_lines
from ..shared.provenance import inputs_table, parameters, status_words
from ..shared.subject import workload_name
from . import tables
from .answer import answer, comparison, fastest, labels
from .memory import memory_warning
from .pass_words import details
from .remarks import remarks
from .run_view import RunView
from .sections import sections_of
from .splits import split_heading, split_table, split_words, splits_of
from .whole_training import beyond_the_step, training_comparison


def markdown(results: Sequence[SimulationResult], *, command: str) -> str:
    """The report as Markdown.

    Args:
        results: one, or several to stand side by side.
        command: what a reader types to repeat the run.
    """
    return "\n".join(_lines(results, command)) + "\n"


def _lines(results: Sequence[SimulationResult], command: str) -> Iterator[str]:
    names = labels(results)
    best = fastest(results)
    if len(results) == 1:
        yield from (
            f"# {escaped(names[0])}: {escaped(workload_name(results[0]))}{escaped(details(results[0]))}",
            "",
            escaped(answer(results[0])),
            "",
        )
        yield from _remarks(results)
    else:
        yield from (f"# {escaped(workload_name(results[0]))}: {len(results)} runs compared", "")
        yield from (escaped(comparison(results)), "")
        yield from _remarks(results)
        yield from table_lines(tables.comparison_table(results))
        whole = training_comparison(results)
        if whole is not None:
            yield from table_lines(whole)
        for number, splits in enumerate(splits_of(results)):
            yield from (f"## {split_heading(splits)}", "")
            yield from (escaped(split_words(results)), "") if number == 0 else ()
            yield from table_lines(split_table(splits))
        yield from (f"## {escaped(names[best])} in detail", "", escaped(answer(results[best])), "")
    yield from _detail(RunView(name=names[best], result=results[best], results=results))
    yield from (
        "## What it rests on",
        "",
        f"{status_words(parameters(results))} parameters; `result.json` lists each.",
        "",
    )
    yield from ("## To repeat it", "", *(f"    {line}" for line in command.splitlines()), "")
    yield from table_lines(inputs_table(results))
    yield (
        "Cycles are of the design's one clock. "
        "Utilisation is useful MACs / (rows x columns x cycles), of the step or of the tensor engine while it runs; "
        "skipped ones never count. "
        "The `gemm` scope is the tensor engine with its waits, `step` is everything. An energy ratio below 1 saves."
    )


def _remarks(results: Sequence[SimulationResult]) -> Iterator[str]:
    for sentence in remarks(results):
        yield from (f"> **{escaped(sentence)}**", "")


def _detail(view: RunView) -> Iterator[str]:
    result = view.result
    if result.unknown_operators:
        listed = ", ".join(f"`{name}`" for name in result.unknown_operators)
        yield from (f"> **Priced as a generic pass, for want of a formula:** {listed}", "")
    warning = memory_warning(result.memory) if result.memory else None
    if warning:
        yield from (f"> **The step {warning}.** Its figures are those of a card with memory enough.", "")
    beyond = beyond_the_step([result])
    if beyond:
        yield from (escaped(beyond), "")
    yield from table_lines(tables.settings_table(result))
    for section in sections_of(view):
        for part in section.markdown:
            yield from part.lines()
