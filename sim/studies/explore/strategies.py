"""Which designs of a space are evaluated: all of them, an even spread, or those that a search asks for.

A strategy is a generator. It yields batches of designs, none of which it has asked for before, and is sent back what
became of each. The same seed and the same answers give the same questions, so that an interrupted search is replayed
from what was stored. Spreads and searches never ask for designs that fail a constraint which is known without
evaluation; the whole space has them, each with its reason.

Searches are optuna's: NSGA-II, and the tree-structured Parzen estimator over all axes jointly. Both choose an index
into the values of each axis; an axis that does not apply is dropped, and a design met again is answered from memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from ....configs.needs import check_package
from .axis_values import Axis, Settings
from .sweep import NonDominatedSorting, ParzenEstimator, Sobol

if TYPE_CHECKING:
    from .space import Space

BATCH = 1 << 14
"""Designs asked for at once where answers change no question."""

_MOST_IDLE = 30
"""Rounds in a row without a design that is new; then a search has come to rest."""

_MOST_DRAWS = 64
"""Times as many points of a Sobol sequence as designs are wanted; a space with as few that pass has no more to find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of a design.

    Attributes:
        settings: of the design, as asked.
        objectives: in the order of the space's; None when it is infeasible.
    """

    settings: Settings
    objectives: tuple[float, ...] | None


Asking = Generator[list[Settings], list[Judged], None]
"""Batches of designs out, what became of them in."""


def strategy(space: Space) -> Asking:
    """The strategy that a space's sweep names.

    Raises:
        ConfigError: a package that it needs is missing; on the first batch.
    """
    chosen = space.sweep.strategy
    if isinstance(chosen, Sobol):
        return _told_apart(_spread(space, chosen))
    if isinstance(chosen, NonDominatedSorting):
        return _search(space, chosen.evaluations, chosen.population, lambda: _breeding(chosen))
    if isinstance(chosen, ParzenEstimator):
        return _search(space, chosen.evaluations, chosen.batch, lambda: _modelling(chosen))
    return _told_apart(space.choices())


def _told_apart(designs: Iterable[Settings]) -> Asking:
    """Designs in batches, whatever became of those before."""
    rest = iter(designs)
    while batch := list(islice(rest, BATCH)):
        yield batch


# An even spread ------------------------------------------------------------------------------------------------------


def _spread(space: Space, chosen: Sobol) -> Iterator[Settings]:
    """Different designs along a Sobol sequence.

    As many as the sweep asks for, or fewer when the space has fewer or the sequence meets no more.
    """
    qmc: Any = _package("scipy.stats.qmc")
    axes = _design_axes(space)
    sequence = qmc.Sobol(d=len(axes), scramble=True, seed=chosen.seed)
    sizes = [len(axis.values) for axis in axes]
    seen: set[tuple[object, ...]] = set()
    found = drawn = 0
    while drawn < _MOST_DRAWS * max(chosen.points, 16):
        # The sequence is even in powers of two: each draw doubles what was drawn.
        power = (drawn.bit_length() - 1) if drawn else max((chosen.points - 1).bit_length(), 4)
        drawn += 2**power
        for place in sequence.random_base2(power):
            settings = space.settings([int(share * size) for share, size in zip(place, sizes, strict=True)])
            if (name := _identity(settings)) in seen:
                continue
            seen.add(name)
            if not space.violated(settings, None):
                yield settings
                found += 1
            if found == chosen.points or len(seen) == space.designs:
                return


# Searches ------------------------------------------------------------------------------------------------------------


def _breeding(chosen: NonDominatedSorting) -> Any:
    optuna = _package("optuna")
    return optuna.samplers.NSGAIISampler(population_size=chosen.population, seed=chosen.seed)


def _modelling(chosen: ParzenEstimator) -> Any:
    optuna = _package("optuna")
    # Told to keep away from designs that are asked for and not answered yet, which a batch is full of.
    return optuna.samplers.TPESampler(seed=chosen.seed, multivariate=True, constant_liar=True)


def _search(space: Space, evaluations: int, batch: int, sampler: Callable[[], Any]) -> Asking:
    """Ask for what a sampler proposes until so many designs were evaluated, or it proposes nothing new."""
    search = _Search(space, sampler)
    asked = idle = 0
    while asked < evaluations and idle < _MOST_IDLE and len(search.known) < space.designs:
        fresh = search.propose(batch, most=evaluations - asked)
        asked += len(fresh)
        idle = 0 if fresh else idle + 1
        search.learn((yield fresh) if fresh else [])


class _Search:
    """A sampler's study, and what is known of the designs that it proposed."""

    def __init__(self, space: Space, sampler: Callable[[], Any]) -> None:
        self.space = space
        self.known: dict[tuple[object, ...], tuple[float, ...] | None] = {}
        self._pending: list[tuple[Any, tuple[object, ...]]] = []
        self._signs = tuple(-1.0 if objective.maximise else 1.0 for objective in space.objectives)
        self._axes = _design_axes(space)
        optuna = _package("optuna")
        with _quiet(optuna):
            self._study = optuna.create_study(sampler=sampler(), directions=["minimize"] * len(self._signs))
        self._optuna = optuna
        self._distributions = {axis.name: self._distribution(axis) for axis in self._axes}

    def _distribution(self, axis: Axis) -> Any:
        # Numbers have an order, in which neighbours are alike; names have none.
        indices = range(len(axis.values))
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in axis.values):
            return self._optuna.distributions.IntDistribution(0, len(indices) - 1)
        return self._optuna.distributions.CategoricalDistribution(list(indices))

    def propose(self, batch: int, *, most: int) -> list[Settings]:
        """The designs of a round that nothing is known of, at most so many."""
        fresh: dict[tuple[object, ...], Settings] = {}
        with _quiet(self._optuna):
            for _ in range(batch):
                trial = self._study.ask(self._distributions)
                settings = self.space.settings([trial.params[axis.name] for axis in self._axes])
                name = _identity(settings)
                if name not in self.known and name not in fresh:
                    if self.space.violated(settings, None):
                        self.known[name] = None
                    elif len(fresh) < most:
                        fresh[name] = settings
                self._pending.append((trial, name))
        return list(fresh.values())

    def learn(self, answers: Sequence[Judged]) -> None:
        """Tell the sampler of the round."""
        for answer in answers:
            values = answer.objectives
            self.known[_identity(answer.settings)] = (
                None if values is None else tuple(sign * value for sign, value in zip(self._signs, values, strict=True))
            )
        worse = self._worse_than_all()
        with _quiet(self._optuna):
            for trial, name in self._pending:
                values = self.known.get(name) or worse
                if values is None or name not in self.known:
                    self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                else:
                    self._study.tell(trial, list(values))
        self._pending.clear()

    def _worse_than_all(self) -> tuple[float, ...] | None:
        """Objectives that stand for an infeasible design.

        Finite, for the estimator measures volumes, and worse than all that is known; None while nothing is.
        """
        feasible = [values for values in self.known.values() if values is not None]
        if not feasible:
            return None
        columns = list(zip(*feasible, strict=True))
        return tuple(max(column) + ((max(column) - min(column)) or abs(max(column)) or 1.0) for column in columns)


# Common --------------------------------------------------------------------------------------------------------------


def _design_axes(space: Space) -> list[Axis]:
    return [axis for axis in space.axes if not axis.scenario]


def _identity(settings: Settings) -> tuple[object, ...]:
    """What tells a design from others; True equals 1, but is another value."""
    return tuple((name, type(value) is bool, value) for name, value in settings.items())


def _package(module: str) -> Any:
    # Imported where it is used: most who explore enumerate.
    check_package(module.partition(".")[0], "strategy", extra="explore")
    return import_module(module)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without optuna's log, and its warnings that a feature may change: what it does for us is tested here."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
