"""What an ablation says: the names of its rows, what each switch buys, and the answer that its reports open with."""

from __future__ import annotations

from dataclasses import dataclass

from ...accel.specification import SIDES
from ...sim.studies.ablation.ablation import SWITCHES, Ablation, AblationRow, Group, Switch
from ..shared.against_dense import EVEN, energy_words
from ..shared.plain_text import capital
from ..shared.quantities import times
from ..shared.subject import label, subject

SWITCH_WORDS: dict[Switch, str] = {
    "interleave": "interleave",
    "pre_generation": "pre-generation",
    "dataflow_choice": "dataflow choice",
    "overlap_update": "update overlap",
}

GROUP_WORDS: dict[Group, str] = {
    "all off": "all off",
    "alone": "one on, the others off",
    "all but": "one off, the others on",
    "all on": "all on",
}

PARTS: dict[str, tuple[str, ...]] = {
    "array busy": ("busy",),
    "lanes that wait": ("imbalance",),
    "accumulate latency": ("bubble",),
    "fill and drain": ("fill_drain",),
    "ports and memory": SIDES,
    "vector work": ("dependence", "idle"),
    "update and reduction": ("update", "reduction"),
}
"""Causes of cycles, gathered for a picture: what the tensor engine did in them or waited for."""


def row_name(row: AblationRow) -> str:
    """A row's name among all of them."""
    match row.group:
        case "all off":
            return f"all off, {_only(row)}"
        case "alone":
            return f"{short_name(row)} alone"
        case "all but":
            return f"all but {short_name(row)}"
    return "all on"


def short_name(row: AblationRow) -> str:
    """A row's name under the heading of its group."""
    if row.switch == "":
        return _only(row) if row.group == "all off" else "all on"
    words = SWITCH_WORDS[row.switch]
    return f"{words}, {_only(row)}" if row.switch == "dataflow_choice" and row.group == "all but" else words


def _only(row: AblationRow) -> str:
    return f"{row.setting.dataflows[0].upper()} only"


def parts(row: AblationRow) -> dict[str, int]:
    """Cycles of a row by part; they sum to its total."""
    stalls = row.figures.stalls if row.figures else {}
    return {part: sum(stalls.get(cause, 0) for cause in causes) for part, causes in PARTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a switch buys, as a ratio of cycles; 1 is nothing.

    Attributes:
        switch: which.
        against: the only dataflow without the choice, for the choice of one.
        alone: when the others are off.
        last: when the others are on.
        reason: why there is neither.
    """

    switch: Switch
    against: str
    alone: float | None
    last: float | None
    reason: str

    @property
    def name(self) -> str:
        """The switch in words."""
        words = SWITCH_WORDS[self.switch]
        return f"{words}, against {self.against.upper()} only" if self.against else words

    @property
    def most(self) -> float:
        """The larger of the two."""
        return max(self.alone or 1.0, self.last or 1.0)


def gains(ablation: Ablation) -> tuple[Gain, ...]:
    """What each switch buys; the choice of a dataflow against each one alone, that of the base first."""
    found: list[Gain] = []
    for switch in SWITCHES:
        (alone,) = ablation.of("alone", switch)
        for last in ablation.of("all but", switch):
            against = last.setting.dataflows[0] if switch == "dataflow_choice" else ""
            first = alone.gain
            if against and against != ablation.base_dataflow:
                first = _alone_against(ablation, against, alone)
            reason = last.reason or alone.reason
            found.append(Gain(switch=switch, against=against, alone=first, last=last.gain, reason=reason))
    return tuple(found)


def _alone_against(ablation: Ablation, dataflow: str, choice: AblationRow) -> float | None:
    for row in ablation.of("all off"):
        if row.setting.dataflows == (dataflow,) and row.figures and choice.figures:
            return row.figures.total_cycles / choice.figures.total_cycles
    return None


def fine(ratio: float | None) -> str:
    """A ratio with the digits that a small gain needs.

    >>> fine(1.00062), fine(None)
    ('1.001x', '–')
    """
    return "–" if ratio is None else f"{ratio:.3f}x"


def ablation_answer(ablation: Ablation) -> str:
    """The answer in a few sentences: what all of them buy together, which of them matter, which do not."""
    base, on = ablation.base, ablation.all_on
    particular = f" ({ablation.passes.details})" if ablation.passes is not None else ""
    what = f"{label(ablation)}, {subject(ablation)}{particular}"
    if base.figures is None or on.figures is None:
        missing = base if base.figures is None else on
        return f"{what}: no figure for {row_name(missing)}, so no speedup: {missing.reason}."
    ratio = on.figures.energy_joules / base.figures.energy_joules if base.figures.energy_joules else 1.0
    speedup = times(on.speedup or 1.0)
    energy = energy_words(ratio)
    first = (
        f"{what}: with every optimisation on a step runs {speedup} as fast as with none ({_only(base)}), at {energy}."
    )
    own = [gain for gain in gains(ablation) if gain.against in ("", ablation.base_dataflow)]
    there = sorted((gain for gain in own if not gain.reason), key=lambda gain: -gain.most)
    matter = [gain for gain in there if _moves(gain)]
    sentences = [first, *(f"{capital(SWITCH_WORDS[gain.switch])} {_buys(gain)}." for gain in matter)]
    idle = [SWITCH_WORDS[gain.switch] for gain in there if not _moves(gain)]
    if idle:
        sentences.append(f"No gain here, within {EVEN:.1%}: {', '.join(idle)}.")
    sentences += [f"{capital(SWITCH_WORDS[gain.switch])}: {gain.reason}." for gain in own if gain.reason]
    return " ".join(sentences)


def _moves(gain: Gain) -> bool:
    return any(abs((ratio or 1.0) - 1) >= EVEN for ratio in (gain.alone, gain.last))


def _buys(gain: Gain) -> str:
    return f"buys {fine(gain.alone)} alone and {fine(gain.last)} when the others are on"
