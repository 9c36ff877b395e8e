"""What designs that agree with claims come to, in words."""

from __future__ import annotations

from ...sim.results.answer_range import Interval
from ...sim.studies.consistency.consistency import ClaimResult, Consistency, Region, Telling
from ..shared.quantities import percent, significant

NOTABLE = 0.1
"""Spread that is gone, or would be, below which a number is not spoken of."""

_NAMED = 3

_LARGE = 1000.0
"""From here on numbers have no decimals."""


def between(interval: Interval) -> str:
    """From where to where nine in ten lie."""
    return f"{significant(interval.low)} to {significant(interval.high)}"


def consistency_answer(found: Consistency) -> str:
    """How many designs agree, on what, and what would tell more."""
    left = len(found.survivors)
    able = len(found.designs) - found.refused
    if not left:
        return f"None of {able} drawn designs agrees with all {len(found.claims)} claims. {excluding_words(found)}"
    answers = "; ".join(
        f"{each.name} {between(each.after)} ({between(each.before)} before the claims)"
        for each in found.answers[:_NAMED]
        if each.after is not None
    )
    told = [each for each in found.telling if each.reduction >= NOTABLE][:1]
    more = f" What would tell most, were it published: {telling_words(told[0])}." if told else ""
    return (
        f"{left} of {able} drawn designs agree with all {len(found.claims)} claims. {excluding_words(found)} "
        f"They answer: {answers}.{more}"
    )


def excluding_words(found: Consistency) -> str:
    """Which claim excludes most, and what comes nearest where nothing agrees."""
    hardest = found.hardest
    if hardest is None:
        return "Nothing is claimed."
    able = len(found.designs) - found.refused
    said = f"The claim that excludes most is {hardest.name!r}: {able - hardest.agree} of them"
    if not hardest.agree:
        said += f", which have {significant(hardest.seen.least)} to {significant(hardest.seen.most)}"
    if found.survivors or found.nearest is None:
        return f"{said}."
    return f"{said}. The nearest design misses a claim by {percent(max(found.nearest.misses))}."


def telling_words(told: Telling) -> str:
    """A number, and how much less the answers would differ."""
    return f"{told.name} (answers would spread {percent(told.reduction)} less)"


def bounds_words(claim: ClaimResult) -> str:
    """What a claim allows."""
    if claim.least is not None and claim.least == claim.most:
        return significant(claim.least)
    if claim.least is None or claim.most is None:
        one, words = (claim.most, "at most") if claim.least is None else (claim.least, "at least")
        assert one is not None, "a claim has a bound"
        return f"{words} {significant(one)}"
    return f"{significant(claim.least, 4)} to {significant(claim.most, 4)}"


def before_words(region: Region) -> str:
    """What an unknown may be."""
    words = [_word(each) for each in region.choices]
    return " to ".join(words) if region.within else ", ".join(words)


def after_words(region: Region) -> str:
    """What is left of it: the ends, or each value with the share of its designs that agree."""
    if region.within:
        return "–" if region.least is None or region.most is None else f"{_word(region.least)} to {_word(region.most)}"
    counted = sorted(region.drawn.items(), key=_rank)
    return ", ".join(f"{value}: {region.survivors.get(value, 0)} of {count}" for value, count in counted)


def _rank(entry: tuple[str, int]) -> tuple[float, str]:
    """Numbers as numbers."""
    try:
        return float(entry[0]), ""
    except ValueError:
        return 0.0, entry[0]


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not value.is_integer() and abs(value) < _LARGE:
        return significant(value)
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)
