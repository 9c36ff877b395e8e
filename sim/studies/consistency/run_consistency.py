"""Drawing designs, simulating them, and holding each against the claims.

Runs are kept as they come in a store like that of an exploration, by all that determines them: a study that was
interrupted goes on, and so does one whose claims, answers or number of draws are others, with the runs that it shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ....configs.errors import BisparseError, ConfigError
from ....configs.library import content_hash
from ....configs.schema import Loaded
from ....dataflow import search_compiled
from ..explore.axis_values import Settings, Value
from ..explore.evaluation import evaluate
from ..explore.point import Figures, Outcome
from ..explore.probing import check_points
from ..explore.running import WORTH_COMPILING, Told, cores
from ..explore.space import Space
from ..explore.store import RunRow, Store
from ..explore.sweep import Sweep
from ..explore.workers import Chunk, InProcess, Pool
from ..sensitivity.run_sensitivity import interval_of
from .claims import Claims
from .consistency import AnswerResult, ClaimResult, Consistency, DrawnDesign
from .drawn_designs import DrawnDesigns, Unknown
from .judging import Judge, Judged
from .narrowing import region_of, told_by

STORE_FILE = "consistent.sqlite"

_TOGETHER = 12
"""Draws whose runs are evaluated together: neighbours share most."""


def _silent(task: str, done: int, of: int) -> None:
    """Nobody is told."""


def consistent(
    loaded: Loaded[Claims],
    sweep: Loaded[Sweep],
    out: Path | None,
    *,
    version: str,
    draws: int | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    resume: bool = False,
    told: Told = _silent,
) -> Consistency:
    """Which drawn designs agree with all claims, and what they agree on.

    Args:
        loaded: the claims.
        sweep: that they make, see ``load_claims``.
        out: directory of the store; None keeps it in memory.
        version: of bisparse.
        draws: designs drawn; as the file says when None.
        seed: likewise.
        jobs: processes; as many as cores when None.
        resume: use what the directory's store holds.
        told: is told how far it is.

    Raises:
        ConfigError: the files go wrong together, the directory holds runs and ``resume`` is not set, or no drawn design
            can run.
    """
    space = Space(sweep, version=version)
    check_points(space)
    designs = DrawnDesigns(space, ranges=loaded.model.ranges)
    judge = Judge(loaded, space.scenarios())
    seed = loaded.model.seed if seed is None else seed
    drawn = list(designs.draws(loaded.model.draws if draws is None else draws, seed))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with Store(None if out is None else out / STORE_FILE, version=version) as store:
        if not resume and len(store):
            raise ConfigError(
                f"{out}: got a store with {len(store)} runs, need an empty directory; try --resume to use them, or "
                "another --out"
            )
        running = _Running(designs=designs, store=store, version=version, jobs=jobs or cores(), told=told)
        runs = running.follow(drawn)
        study = _Study(judge=judge, designs=designs, drawn=drawn, runs=runs, version=version)
        return study.consistency(loaded, seed)


@dataclass(frozen=True, kw_only=True)
class _Running:
    designs: DrawnDesigns
    store: Store
    version: str
    jobs: int
    told: Told

    def follow(self, drawn: Sequence[Settings]) -> list[list[Outcome]]:
        """What becomes of every design under every run."""
        scenarios = self.designs.space.scenarios()
        settings = [[each | scenario for scenario in scenarios] for each in drawn]
        keys = [[self._key(one) for one in every] for every in settings]
        flat = [key for every in keys for key in every]
        there = self.store.has(flat)
        lacking = len({*flat} - there)
        if lacking >= WORTH_COMPILING and search_compiled.is_lacking():
            self.told("compiling the mapping search, once on this machine", 0, 1)
            search_compiled.build()
        if lacking:
            self._compute(settings, keys, there, lacking)
        found = self.store.outcomes(flat)
        return [[found[key] for key in every] for every in keys]

    def _compute(self, settings: list[list[Settings]], keys: list[list[str]], there: set[str], lacking: int) -> None:
        workers = (
            InProcess(self.designs, self.version, lacking)
            if self.jobs == 1
            else Pool(self.designs, self.version, self.jobs, lacking)
        )
        task, done = f"{self.designs.space.sweep.name}: runs", 0
        self.told(task, done, lacking)
        try:
            for chunk, outcomes in workers.outcomes(self._chunks(settings, keys, there)):
                rows = zip(chunk.keys, chunk.settings, outcomes, strict=True)
                self.store.write([RunRow(key=key, settings=one, outcome=outcome) for key, one, outcome in rows])
                done += len(outcomes)
                self.told(task, done, lacking)
        finally:
            workers.close()

    def _key(self, settings: Settings) -> str:
        try:
            return self.designs.key(self.designs.point(settings))
        except BisparseError as error:
            return content_hash(["none", settings, str(error), self.version])

    @staticmethod
    def _chunks(settings: list[list[Settings]], keys: list[list[str]], there: set[str]) -> Iterator[Chunk]:
        """What the store lacks: neighbouring designs under all of their runs."""
        sent = set(there)
        for start in range(0, len(keys), _TOGETHER):
            some: dict[str, Settings] = {}
            for own, own_keys in zip(settings[start : start + _TOGETHER], keys[start : start + _TOGETHER], strict=True):
                some |= {key: one for key, one in zip(own_keys, own, strict=True) if key not in sent}
            if some:
                sent |= set(some)
                yield Chunk(keys=tuple(some), settings=tuple(some.values()))


@dataclass(frozen=True, kw_only=True)
class _Study:
    judge: Judge
    designs: DrawnDesigns
    drawn: list[Settings]
    runs: list[list[Outcome]]
    version: str

    def consistency(self, loaded: Loaded[Claims], seed: int) -> Consistency:
        """Hold everything against the claims."""
        told = [self._design(settings, outcomes) for settings, outcomes in zip(self.drawn, self.runs, strict=True)]
        judged = [found for _, found in told if found is not None]
        designs = [design for design, _ in told]
        able = [each for each in designs if not each.reason]
        if not able:
            raise ConfigError(f"{loaded.model.name}: got no drawn design that runs ({designs[0].reason}), need some")
        assumed_claims, assumed_answers = self._assumed()
        left = [each for each in designs if each.agrees]
        asked = [each.name for each in self.judge.asked]
        unknowns = self.designs.unknowns
        answers = {name: [each.answers[at] for each in left] for at, name in enumerate(asked)}
        candidates: dict[str, Sequence[Value]] = {
            each.name: [design.settings[each.name] for design in left]
            for each in unknowns
            if all(each.name in design.settings for design in left)
        }
        return Consistency(
            name=loaded.model.name,
            title=loaded.model.title,
            sha256=loaded.sha256,
            hardware=self.designs.base.hardware.model.name,
            bisparse_version=self.version,
            seed=seed,
            claims=tuple(
                self._claim(at, [each[at] for each in judged], able, assumed_claims[at])
                for at in range(len(self.judge.claims))
            ),
            regions=tuple(sorted((region_of(each, designs) for each in unknowns), key=lambda each: -each.narrowed)),
            answers=tuple(
                AnswerResult(
                    name=name,
                    assumed=assumed_answers[at],
                    before=interval_of([each.answers[at] for each in able]),
                    after=interval_of(answers[name]) if left else None,
                )
                for at, name in enumerate(asked)
            ),
            telling=told_by({**candidates, **answers}, answers, apart=self._kinds(designs, unknowns)),
            designs=tuple(designs),
        )

    @staticmethod
    def _kinds(designs: Sequence[DrawnDesign], unknowns: Sequence[Unknown]) -> dict[str, int]:
        """How many kinds of designs agree, by the unknowns that are the same in all of a kind."""
        shared = [each.name for each in unknowns if not each.is_number]
        kinds = {tuple(each.settings.get(name) for name in shared) for each in designs if each.agrees}
        return dict.fromkeys(shared, len(kinds))

    def _design(self, settings: Settings, outcomes: Sequence[Outcome]) -> tuple[DrawnDesign, list[Judged] | None]:
        figures = [each.figures for each in outcomes if each.figures is not None]
        if len(figures) < len(outcomes):
            reason = next(each.reason for each in outcomes if each.figures is None)
            return DrawnDesign(settings=dict(settings), reason=reason or "it cannot run"), None
        point = partial(self.designs.point, settings | self.judge.scenarios[0])
        found = [self.judge.judged(at, figures, point) for at in range(len(self.judge.claims))]
        answers = tuple(self.judge.answered(each, figures, point) for each in self.judge.asked)
        design = DrawnDesign(settings=dict(settings), misses=tuple(each.miss for each in found), answers=answers)
        return design, found

    def _assumed(self) -> tuple[list[Judged], list[float]]:
        """Claims and answers of the design as its files have it."""
        space = self.designs.space
        points = [space.base_point(each) for each in self.judge.scenarios]
        figures: list[Figures] = []
        for outcome in evaluate(points, self.version):
            if outcome.figures is None:
                raise ConfigError(f"{space.place_of('base')}: got a design that cannot run ({outcome.reason})")
            figures.append(outcome.figures)
        claims = [self.judge.judged(at, figures, lambda: points[0]) for at in range(len(self.judge.claims))]
        return claims, [self.judge.answered(each, figures, lambda: points[0]) for each in self.judge.asked]

    def _claim(self, at: int, found: Sequence[Judged], able: Sequence[DrawnDesign], assumed: Judged) -> ClaimResult:
        claim, value, _ = self.judge.claims[at]
        others = [any(miss for other, miss in enumerate(each.misses) if other != at) for each in able]
        return ClaimResult(
            name=claim.name,
            source=claim.source,
            value=value.text,
            least=claim.least,
            most=claim.most,
            seen=interval_of([each.value for each in found]),
            agree=sum(not each.miss for each in found),
            alone_excludes=sum(bool(each.misses[at]) and not torn for each, torn in zip(able, others, strict=True)),
            assumed=assumed.value,
            assumed_agrees=not assumed.miss,
        )
