"""What a study found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from ...sim.options import OF_PASSES
from ...sim.studies.explore.choices import ENERGY_DELAY
from ...sim.studies.explore.dense_or_sparse import Pair, fronts_shared, is_hardware
from ...sim.studies.explore.dense_or_sparse import pair as pair_of
from ...sim.studies.explore.figures import ACCURACY
from ...sim.studies.explore.part_figures import about
from ..shared.against_dense import EVEN
from ..shared.quantities import percent, significant, times
from .findings import Findings
from .words import figure_name, figure_text, listed, many, settings_text

SAME, LITTLE = 0.001, 0.02
"""A loss below the first is none, below the second little."""


def count_sentence(findings: Findings) -> str:
    """How many designs, how many can run the step, how many are on the front."""
    chosen, all_designs = findings.chosen, len(findings.table)
    feasible = len(chosen.feasible)
    goals = listed([f"{'highest' if more else 'lowest'} {figure_name(name)}"
                    for name, more in zip(findings.goals.figures, findings.goals.maximise, strict=True)])  # fmt: skip
    if not feasible:
        return f"None of {many(all_designs, 'design')} is feasible."
    tried = f"{many(all_designs, 'design')}, " + (
        "all feasible" if feasible == all_designs else f"{feasible:,} feasible"
    )
    scenarios = findings.space.scenarios()
    judged = f", each judged on {many(len(scenarios), 'scenario')}" if len(scenarios) > 1 else ""
    front = len(chosen.front)
    found = f"{tried}{judged}; {front:,} {'is' if front == 1 else 'are'} on the Pareto front of {goals}."
    return f"{found}{_passes(findings)}{_rewrites(findings)}"


def _passes(findings: Findings) -> str:
    """What of the network every design runs, where the base says so; what axes say stands in the tables."""
    own = findings.space.sweep.base.options
    said = [f"{name.rstrip('_')} {own[name]}" for name in OF_PASSES if name in own]
    return f" Every step is one of {listed(said)}." if said else ""


def _rewrites(findings: Findings) -> str:
    """Which recipes change the network's layers, and how; nothing where none does."""
    said = [
        f" {recipe.model.name} rewrites layers: {'; '.join(entry.title for entry in recipe.model.rewrites)}."
        for recipe in findings.space.recipes()
        if recipe.model.rewrites
    ]
    return "".join(said)


def best_sentence(findings: Findings) -> str:
    """What the best design is and what it gains over the base design."""
    if not len(findings.chosen.best):
        return ""
    row = int(findings.chosen.best[0])
    return f"The {best_name(findings)} is {_described(findings, row)}.{_as_good(findings)}{ratio_caveat(findings)}"


def _as_good(findings: Findings) -> str:
    """Axes whose other values would do as well, for the best design and any other."""
    ties = [findings.labels[findings.axes[at].name] for at in findings.varied if _unmoved(findings, at)]
    return f" Any {' or '.join(ties)} would do as well." if ties else ""


def ratio_caveat(findings: Findings) -> str:
    """That the best design and the base differ in ratio or recipe, whose cost in accuracy is not among the figures."""
    base = findings.base
    if base is None or ACCURACY in findings.goals.figures:
        return ""
    row, front = int(findings.chosen.best[0]), findings.chosen.front.tolist()
    said, everywhere = [], True
    for at in findings.varied:
        name = findings.axes[at].name
        own = findings.settings(row).get(name)
        if name in ("sparsity", "recipe") and own != base.settings.get(name):
            everywhere = everywhere and all(findings.settings(other).get(name) == own for other in front)
            said.append(f"{findings.labels[name]} {own} where the base has {base.settings.get(name)}")
    if not said:
        return ""
    front_too = ", as has the whole front" if everywhere else ""
    return (
        f" It has {listed(said)}{front_too}: part of what it gains is the method's, and what that costs in accuracy is "
        "not among these figures."
    )


def best_name(findings: Findings) -> str:
    """What the best design is best in."""
    figure, more = findings.goals.ranking
    return f"design with the {'highest' if more else 'lowest'} {figure_name(figure)}"


def knee_sentence(findings: Findings) -> str:
    """What the knee is, or that it is the best design too."""
    knee = findings.chosen.knee
    if knee is None or len(findings.goals.figures) < 2:
        return ""
    if knee == findings.chosen.best[0]:
        return "It is the knee of the front too: past it, a little of one objective costs much of another."
    return f"The knee, past which a little of one objective costs much of another, is {_described(findings, knee)}."


def _described(findings: Findings, row: int) -> str:
    """A design's settings, its objectives, and each over the base design's."""
    settings = {findings.axes[at].name for at in findings.varied}
    own = {name: value for name, value in findings.settings(row).items() if name in settings}
    base = findings.base.figures if findings.base else None
    figures, owner = [], " the base design's"
    for name in findings.goals.figures:
        value = findings.figure(row, name)
        over = f" ({times(value / base[name])}{owner})" if base and base[name] else ""
        # Whose the ratio is over is said once.
        owner = "" if over else owner
        figures.append(f"{_told(name, value)}{over}")
    return f"{settings_text(own, findings.labels) or 'the only one'}: {listed(figures)}"


def _told(figure: str, value: float) -> str:
    """A figure, with its name where its unit does not tell it.

    >>> _told("step_seconds", 0.1), _told("samples_per_joule", 24.0), _told("pe_count", 512)
    ('100 ms', '24.0 samples a joule', '512 processing elements')
    """
    text = figure_text(figure, value)
    if about(figure).unit in ("s", "J"):
        return text
    if about(figure).unit == "B":
        return f"{text} {figure_name(figure)}"
    return f"{text.removesuffix(about(figure).unit.removeprefix('1')).strip()} {figure_name(figure)}"


def edge_sentence(findings: Findings) -> str:
    """Which axes the best design has at an end of their range, where the space may end too soon."""
    if not len(findings.chosen.best):
        return ""
    row, ends = int(findings.chosen.best[0]), []
    for at in findings.varied:
        axis = findings.axes[at]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in axis.values)
        if numbers and len(axis.values) > 1 and not _unmoved(findings, at):
            value = findings.settings(row).get(axis.name)
            if value in (min(axis.values), max(axis.values)):
                ends.append(f"{'largest' if value == max(axis.values) else 'smallest'} {findings.labels[axis.name]}")
    return f"The first has the {listed(ends)} of the space: a better one may lie beyond." if ends else ""


def base_sentence(findings: Findings) -> str:
    """Where the base design stands to the front."""
    base, stands = findings.base, findings.standing
    if base is None:
        return ""
    if base.figures is None:
        return f"The base design, {base.name}, cannot run the step: {base.reason}."
    if stands is None:
        return ""
    if not stands.beaten_by:
        beyond = stands.all_at_once is not None and stands.all_at_once < 1 - 1e-9
        where = "beyond the front: no design of the study beats it" if beyond else "on the front"
        return f"The base design, {base.name}, lies {where}."
    reached = [
        f"{times(factor if more else 1 / factor)} its {figure_name(name)}"
        for name, more, factor in zip(findings.goals.figures, findings.goals.maximise, stands.factors, strict=True)
        if factor is not None and factor > 1 + EVEN
    ]
    said = f"The base design, {base.name}, is beaten by {stands.beaten_by:,} of the front"
    if reached:
        said += f": with all else no worse, {' or '.join(reached)} is in reach"
    if stands.all_at_once is not None and stands.all_at_once > 1:
        said += f"; one design is better by {significant(stands.all_at_once)}x in every objective at once"
    return f"{said}."


def sparsity_answer(findings: Findings) -> str:
    """Whether sparsity changes the hardware that one should build."""
    if not findings.pairs:
        return ""
    pair = findings.pairs[0]
    figure = figure_name(pair.figure)
    where = _home_words(findings)
    if pair.dense in pair.sparse_alike:
        return (
            f"Sparsity does not change the hardware with the lowest {figure}{where}: it is the same for the dense step."
            f"{_elsewhere(findings)}"
        )
    changed = " and ".join(_changes(findings, pair))
    cost = f"the sparse step loses {percent(pair.sparse_loss)} of {figure} on the hardware best for the dense one"
    if pair.sparse_loss < SAME:
        return f"Sparsity hardly changes the best hardware{where}: {cost}."
    verdict = (
        "Sparsity changes the best hardware a little"
        if pair.sparse_loss < LITTLE
        else "Sparsity changes the best hardware"
    )
    return f"{verdict}{where}: {changed}; {cost}."


def _elsewhere(findings: Findings) -> str:
    """Groups of another recipe or ratio in which sparsity does change the hardware."""
    names = [findings.axes[at].name for at in findings.varied if not is_hardware(findings.axes[at].name)]
    told = []
    for group in findings.groups:
        loss = 0.0 if group is findings.home else pair_of(findings.table, group.rows, ENERGY_DELAY, False).sparse_loss
        if loss > SAME:
            own = {name: group.settings[name] for name in names}
            told.append(f"{settings_text(own, findings.labels)} ({percent(loss)} of energy-delay product lost)")
    return f" It does at {listed(told)}." if told else ""


def _home_words(findings: Findings) -> str:
    home = findings.home
    varied = {findings.axes[at].name for at in findings.varied}
    own = {name: value for name, value in home.settings.items() if name in varied} if home else {}
    return f" ({settings_text(own, findings.labels)})" if own else ""


def _changes(findings: Findings, pair: Pair) -> Iterator[str]:
    for at in findings.varied:
        name = findings.axes[at].name
        dense, sparse = (findings.codes[row, at] for row in (pair.dense, pair.sparse))
        if is_hardware(name) and dense != sparse:
            texts = findings.level_texts[at]
            yield f"{findings.labels[name]} {texts[sparse]} in place of {texts[dense]}"


def shared_sentence(findings: Findings) -> str:
    """How much of the sparse step's front is on the dense step's."""
    if findings.home is None:
        return ""
    shared = fronts_shared(findings.table, findings.home.rows, findings.goals)
    if shared is None:
        return ""
    sparse, dense, both = shared
    return (
        f"Of the {many(sparse, 'design')} on the front of the sparse step{_home_words(findings)}, {both:,} "
        f"{'is' if both == 1 else 'are'} on that of the dense step too, which has {dense:,}."
    )


def axes_sentence(findings: Findings) -> str:
    """Which axis matters most for each objective."""
    said = []
    for name, shares in zip(findings.goals.figures, findings.shares, strict=True):
        if shares and max(share.first if share.total is None else share.total for share in shares) > 0:
            lead = [f"{findings.labels[each.axis]} ({percent(each.first)})" for each in shares[:2]]
            said.append(f"{figure_name(name)} by {listed(lead)}")
    unmoved = [findings.labels[findings.axes[at].name] for at in findings.varied if _unmoved(findings, at)]
    text = f"Most is explained, alone, of {listed(said)}." if said else ""
    if unmoved:
        text += f" No objective moves with {listed(unmoved)}."
    return text.strip()


_NOTHING = 1e-9
"""A share of variance that is none but for rounding."""


def _unmoved(findings: Findings, at: int) -> bool:
    """Whether no objective moves with an axis at all: something that only the whole space can tell."""
    own = [share.total for shares in findings.shares for share in shares if share.axis == findings.axes[at].name]
    return all(total is not None and total < _NOTHING for total in own)


def shares_words(findings: Findings) -> str:
    """How the shares are computed."""
    kind = "the logarithm of an objective"
    if findings.exhaustive:
        text = (
            f"Shares of the variance of {kind} over the feasible designs. Alone: of the means by the axis's value. "
            "With interactions: what is left of the variance with all other axes held still; shares of that kind sum "
            "to more than all where axes act together."
        )
        missing = 1 - len(findings.chosen.feasible) / max(len(findings.table), 1)
        if missing > 0:
            text += f" {percent(missing)} of the combinations are infeasible: axes that share this gap share what "
            text += "they explain, and alone may exceed the other a little."
        return text
    return (
        f"Shares of the variance of {kind} over the designs that were tried: of the means by the axis's value (of "
        "many values, by groups of neighbours), less what as many groups of random designs would explain. A sample "
        "does not tell interactions, so there is no total. A search looks longest where designs are good: its shares "
        "speak of that region."
    )


def ten_best_rule(findings: Findings) -> str:
    """How the best designs were chosen."""
    figure, more = findings.goals.ranking
    number = len(findings.chosen.best)
    few = f" There are only {number} different ones." if number < 10 else ""
    return f"Of the designs on the front, those with the {'highest' if more else 'lowest'} {figure_name(figure)}.{few}"


def title(findings: Findings) -> str:
    """What the study is called."""
    sweep = findings.space.sweep
    return str(sweep.title or sweep.name)


def page_opening(findings: Findings) -> str:
    """The answer of the page, where a table names the designs."""
    return " ".join(filter(None, (count_sentence(findings), sparsity_answer(findings))))


def caveat(findings: Findings) -> str:
    """What must be known of the best design besides its figures."""
    return f"{_as_good(findings)}{ratio_caveat(findings)}".strip() if len(findings.chosen.best) else ""


def opening(findings: Findings) -> str:
    """The answer that every report opens with."""
    sentences = (count_sentence, best_sentence, knee_sentence, sparsity_answer)
    return " ".join(filter(None, (sentence(findings) for sentence in sentences)))
