"""What designs agree with the claims, as plain data: how many, on what, and what would tell more."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ....configs.errors import ConfigError
from ...results.answer_range import Interval

SCHEMA_VERSION = 1

Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """A claim, and the drawn designs.

    Attributes:
        name: in a few words.
        source: where it is published.
        value: what it is about, an expression.
        least: that it allows; None where it has no lower bound.
        most: likewise.
        seen: what the drawn designs have of it.
        agree: designs that agree with it.
        alone_excludes: designs that agree with every other claim.
        assumed: what the design as its files have it gives.
        assumed_agrees: whether that agrees.
    """

    name: str
    source: str
    value: str
    least: float | None
    most: float | None
    seen: Interval
    agree: int
    alone_excludes: int
    assumed: float
    assumed_agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What is left of an unknown.

    Attributes:
        name: of the field.
        choices: what it may be: both ends of a range, else each value.
        within: whether it is a number within a range.
        least: among the designs that agree, of numbers; None where none do, and of what is no number.
        most: likewise.
        survivors: designs that agree, by value as text, of what is chosen from a list.
        drawn: all designs, likewise.
        narrowed: the share by which the spread of the designs that agree is smaller than of all; below 0 it is larger.
    """

    name: str
    choices: tuple[Value, ...]
    within: bool
    least: float | None
    most: float | None
    survivors: dict[str, int]
    drawn: dict[str, int]
    narrowed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerResult:
    """Something asked for.

    Attributes:
        name: in a few words.
        assumed: of the design as its files have it.
        before: over all drawn designs.
        after: over those that agree; None where none do.
    """

    name: str
    assumed: float
    before: Interval
    after: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A number that might be published.

    Attributes:
        name: of an unknown or an answer.
        reduction: the share by which the spread of the answers would be smaller, were it known; their mean.
        by_answer: of each.
    """

    name: str
    reduction: float
    by_answer: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnDesign:
    """A drawn design.

    Attributes:
        settings: its unknowns.
        misses: how far it is off each claim; 0 where it agrees. Empty where it cannot run.
        answers: what was asked, in their order; likewise.
        reason: why it cannot run; empty where it can.
    """

    settings: dict[str, Value]
    misses: tuple[float, ...] = ()
    answers: tuple[float, ...] = ()
    reason: str = ""

    @property
    def agrees(self) -> bool:
        """Whether it runs, and agrees with every claim."""
        return not self.reason and not any(self.misses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """A finished study.

    Attributes:
        name: of the claim file.
        title: of it.
        sha256: of what it says.
        hardware: the design that is unknown.
        bisparse_version: that ran it.
        seed: of the draws.
        claims: in the order of the file.
        regions: unknowns, those that the claims narrow most first.
        answers: in the order of the file.
        telling: what might be published, what would tell most first; empty where too few designs agree.
        designs: that were drawn.
    """

    name: str
    title: str
    sha256: str
    hardware: str
    bisparse_version: str
    seed: int
    claims: tuple[ClaimResult, ...]
    regions: tuple[Region, ...]
    answers: tuple[AnswerResult, ...]
    telling: tuple[Telling, ...]
    designs: tuple[DrawnDesign, ...]

    @property
    def survivors(self) -> tuple[DrawnDesign, ...]:
        """Designs that agree with every claim."""
        return tuple(each for each in self.designs if each.agrees)

    @property
    def refused(self) -> int:
        """Designs that cannot run."""
        return sum(bool(each.reason) for each in self.designs)

    @property
    def hardest(self) -> ClaimResult | None:
        """The claim that excludes most designs; None where there is no claim."""
        return min(self.claims, key=lambda each: each.agree, default=None)

    @property
    def nearest(self) -> DrawnDesign | None:
        """The design that is least off the claim that it is furthest off; None where none runs."""
        runs = [each for each in self.designs if not each.reason]
        return min(runs, key=lambda each: max(each.misses, default=0.0), default=None)

    def document(self) -> dict[str, Any]:
        """It as plain data, ready for JSON."""
        counts = {"draws": len(self.designs), "refused": self.refused, "agree": len(self.survivors)}
        return {"schema_version": SCHEMA_VERSION, **counts, **asdict(self)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Consistency:
        """The study that a document was made of; ``ConfigError`` when it is none."""
        try:
            return cls._whole(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"got a document that is not whole ({error}), need one of bisparse consistent") from None

    @classmethod
    def _whole(cls, document: dict[str, Any]) -> Consistency:
        said = {name: value for name, value in document.items() if name in cls.__dataclass_fields__}
        claims = tuple(ClaimResult(**each | {"seen": Interval(**each["seen"])}) for each in said["claims"])
        regions = tuple(Region(**each | {"choices": tuple(each["choices"])}) for each in said["regions"])
        answers = tuple(
            AnswerResult(
                **each
                | {
                    "before": Interval(**each["before"]),
                    "after": None if each["after"] is None else Interval(**each["after"]),
                }
            )
            for each in said["answers"]
        )
        designs = tuple(
            DrawnDesign(**each | {name: tuple(each[name]) for name in ("misses", "answers")})
            for each in said["designs"]
        )
        telling = tuple(Telling(**each) for each in said["telling"])
        return cls(
            **said | {"claims": claims, "regions": regions, "answers": answers, "designs": designs, "telling": telling}
        )
