"""Many points evaluated at once: grouped by what they share, searched and timed side by side.

What ``simulate`` does for one point is done here for all that differ in numbers only. Points that need what is not
done side by side (the event engine, another objective of the search, measured densities, normalisations applied on the
way in) are simulated one by one, and so are those that cannot run, for ``simulate`` knows best how to say why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ....accel.energy import EnergyModel
from ....accel.energy_table import EnergyTable, energy_table_of
from ....accel.specification import Policy
from ....configs.arrays import BoolArray, IntArray
from ....configs.errors import BisparseError, MappingError
from ....configs.library import is_path
from ....dataflow.design_table import DesignTable, kind_of
from ....dataflow.formats.skipped import met_by
from ....dataflow.forms import BestForms, best_form, search_forms
from ....dataflow.gemm import Gemm
from ....dataflow.objective import BYTES_ALONE, TIME
from ....dataflow.residency import Resident
from ...step.against_dense import AgainstDense
from ...step.analytic import time_all
from ...step.costs import Asked, CostCache
from ...step.planned_step import PlannedStep
from ...step.step_figures import StepFigures
from ...step.step_numbers import StepNumbers
from .figures import figures_of
from .one_by_one import simulate_point
from .outlines import Step, StepKey, outlined
from .point import Outcome, Point

_FEWEST = 3
"""Fewer points of a kind than these are simulated sooner one by one."""


Told = Callable[[int], None]
"""Is told how many points are done."""


def evaluate(points: Sequence[Point], version: str, told: Told = lambda done: None) -> list[Outcome]:
    """Simulate many points; neighbours that share most go fastest.

    Args:
        points: in any order.
        version: of bisparse.
        told: how far it is, while products are searched, which takes most of the time.

    Returns:
        An outcome a point, in the same order: the figures that ``simulate`` gives, or why there are none.
    """
    outcomes: dict[int, Outcome] = {}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, point in enumerate(points):
        if _side_by_side(point):
            groups.setdefault(_kind(point), []).append(number)
        else:
            outcomes[number] = simulate_point(point, version)
    for numbers in groups.values():
        if len(numbers) < _FEWEST:
            outcomes |= {number: simulate_point(points[number], version) for number in numbers}
            continue
        told_of_group = partial(_told_of_group, told, len(outcomes), len(numbers))
        group = _Group(points=[points[number] for number in numbers], version=version, told=told_of_group)
        try:
            found = group.outcomes()
        except OverflowError:
            # Numbers beyond 64 bits somewhere among them.
            found = [simulate_point(points[number], version) for number in numbers]
        outcomes |= dict(zip(numbers, found, strict=True))
    return [outcomes[number] for number in range(len(points))]


def _told_of_group(told: Told, before: int, points: int, share: float) -> None:
    told(before + int(share * points))


_HONOURED = frozenset(
    ("batch", "optimizer", "dataflows", "interleave", "engine", "objective", "densities", *Policy.model_fields)
)
"""Options that what follows knows of. A point that sets any other is simulated by itself: none is passed over."""


def _side_by_side(point: Point) -> bool:
    options = point.options
    # Nothing stays on chip beside vector work that runs beside products: asked for both, ``simulate`` says so.
    torn = options.keep_on_chip and options.policy(point.hardware.model).overlap_vector
    others = (each for each in fields(options) if each.name not in _HONOURED)
    return (
        options.engine == "analytic"
        and options.objective == "time"
        and options.densities is None
        and not torn
        # The tables of designs know nothing of lanes before the buffers, nor of gated products.
        and not point.hardware.model.vector_engine.fused_application
        and not (point.recipe.model.activations and point.hardware.model.tensor_engine.zero_gating)
        and all(getattr(options, each.name) == each.default for each in others)
    )


def _kind(point: Point) -> tuple[Any, ...]:
    """What points of one group have in common."""
    options = point.options
    return (*kind_of(point.hardware.model), options.dataflows, options.interleave)


_outlined: dict[tuple[object, ...], Step | None] = {}
"""Outlines of steps, by what designs share and the steps depend on, for groups to come."""

_OUTLINES_KEPT = 64
"""More than a study has steps, mostly."""


@dataclass(kw_only=True)
class _Group:
    """Points that differ in numbers only, whatever they run."""

    points: Sequence[Point]
    version: str
    told: Callable[[float], None]
    _steps: dict[tuple[object, ...], Step | None] = field(default_factory=dict)

    def outcomes(self) -> list[Outcome]:
        """An outcome a point."""
        points = self.points
        hardware, rows = self._distinct_hardware()
        prices = self._prices(hardware)
        # Designs that lack a price are not searched.
        known = EnergyModel.beside([each or BYTES_ALONE for each in prices])
        table = DesignTable(designs=[each.hardware.model for each in hardware], energy=known)
        keys = [StepKey.of(point) for point in points]
        found: list[Outcome | None] = [None] * len(points)
        for number, point in enumerate(points):
            if prices[rows[number]] is None or not self._runs(point, keys[number]):
                found[number] = simulate_point(point, self.version)
        waiting = [number for number, outcome in enumerate(found) if outcome is None]
        searches = self._search(table, rows, keys, waiting)
        everywhere = self._mapped_everywhere(keys, waiting, searches, len(hardware))
        for number in waiting:
            if not all(everywhere[key][rows[number]] for key in keys[number]):
                found[number] = self._impossible(points[number], int(rows[number]), keys[number], searches)
        waiting = [number for number in waiting if found[number] is None]
        costs = CostCache(mapped_on=lambda product, on, stays: searches[product.gemm.shape_key].mapped(on, stays))
        steps = self._timed(self._planned(self._by_step(keys, waiting), table, rows, costs), rows, prices)
        for number in waiting:
            found[number] = self._outcome(points[number], int(rows[number]), *(steps[key] for key in keys[number]))
        return [outcome for outcome in found if outcome is not None]

    def _distinct_hardware(self) -> tuple[list[Point], IntArray]:
        """A point with each hardware and each table of prices, and which of them every point has."""
        known: dict[tuple[Any, ...], int] = {}
        chosen: list[Point] = []
        rows: list[int] = []
        for point in self.points:
            # The same words may name another table beside another file.
            own = (point.hardware.sha256, *_table_of(point))
            if own not in known:
                known[own] = len(chosen)
                chosen.append(point)
            rows.append(known[own])
        return chosen, np.array(rows, dtype=np.int64)

    # Steps -----------------------------------------------------------------------------------------------------------

    def _step(self, key: StepKey, point: Point) -> Step | None:
        """The step of a key, for a point that has it; None when there is none."""
        known = key.outline
        if known not in self._steps:
            kind = kind_of(point.hardware.model), known
            try:
                # Chunks of one study outline the same steps.
                self._steps[known] = _outlined[kind] if kind in _outlined else outlined(key, point)
            except BisparseError:
                self._steps[known] = None
            while len(_outlined) >= _OUTLINES_KEPT:
                _outlined.popitem()
            _outlined[kind] = self._steps[known]
        return self._steps[known]

    def _runs(self, point: Point, keys: tuple[StepKey, StepKey]) -> bool:
        """Whether nothing is known yet that keeps a point from running its steps."""
        steps = [self._step(key, point) for key in keys]
        hardware = point.hardware.model
        engine, buffers = hardware.tensor_engine, hardware.buffers
        return all(
            step is not None
            and all(engine.takes(pattern) for pattern in step.patterns)
            and step.largest_group <= hardware.reduction_engine.largest_group
            for step in steps
        ) and all(each.capacity_bytes >= each.banks for each in (buffers.west, buffers.north, buffers.output))

    def _search(
        self,
        table: DesignTable,
        rows: IntArray,
        keys: Sequence[tuple[StepKey, StepKey]],
        waiting: Sequence[int],
    ) -> dict[tuple[object, ...], BestForms]:
        """Every product's mappings, on the designs that run it."""
        gemms: dict[tuple[object, ...], Gemm] = {}
        wanted: dict[tuple[object, ...], set[int]] = {}
        for key, members in self._by_step(keys, waiting).items():
            step = self._step(key, self.points[members[0]])
            assert step is not None, "members run it"
            has_it = {int(rows[number]) for number in members}
            for product in step.products():
                gemms.setdefault(product.gemm.shape_key, product.gemm)
                wanted.setdefault(product.gemm.shape_key, set()).update(has_it)
        options = self.points[0].options
        found: dict[tuple[object, ...], BestForms] = {}
        for number, (shape, gemm) in enumerate(gemms.items()):
            self.told(number / len(gemms))
            on = np.array(sorted(wanted[shape]))
            found[shape] = search_forms(gemm, table, on, dataflows=options.dataflows, interleave=options.interleave)
        return found

    def _by_step(self, keys: Sequence[tuple[StepKey, StepKey]], waiting: Sequence[int]) -> dict[StepKey, list[int]]:
        """Points by the steps that they run."""
        members: dict[StepKey, list[int]] = {}
        for number in waiting:
            for key in keys[number]:
                members.setdefault(key, []).append(number)
        return members

    def _mapped_everywhere(
        self,
        keys: Sequence[tuple[StepKey, StepKey]],
        waiting: Sequence[int],
        searches: dict[tuple[object, ...], BestForms],
        designs: int,
    ) -> dict[StepKey, BoolArray]:
        """Of each step on which designs of the table all of its products have a mapping."""
        found, everywhere = {}, np.ones(designs, dtype=np.bool_)
        for key, members in self._by_step(keys, waiting).items():
            step = self._step(key, self.points[members[0]])
            assert step is not None, "members run it"
            shapes = {product.gemm.shape_key for product in step.products()}
            # A step without products has a mapping of all that it has.
            found[key] = np.logical_and.reduce([everywhere, *(searches[shape].feasible for shape in shapes)])
        return found

    def _impossible(
        self,
        point: Point,
        row: int,
        keys: tuple[StepKey, StepKey],
        searches: dict[tuple[object, ...], BestForms],
    ) -> Outcome | None:
        """The outcome of a point that cannot map a product, in the words of the search for one; None when it can."""
        for key in keys:
            step = self._step(key, point)
            assert step is not None, "it runs"
            for product in step.products():
                if not searches[product.gemm.shape_key].feasible[row]:
                    return self._refused(product.gemm, point)
        return None

    def _refused(self, gemm: Gemm, point: Point) -> Outcome:
        """The outcome of a point on which the search found no mapping of a product."""
        options = point.options
        try:
            best_form(
                met_by(gemm, point.hardware.model),
                point.hardware.model,
                objective=TIME,
                dataflows=options.dataflows,
                interleave=options.interleave,
            )
        except MappingError as error:
            return Outcome(figures=None, reason=str(point.hardware.placed(error)))
        # Times that no search over many designs can tell apart from none: a step of years.
        return simulate_point(point, self.version)

    # Figures ---------------------------------------------------------------------------------------------------------

    def _prices(self, hardware: Sequence[Point]) -> list[EnergyModel | None]:
        """Prices of each design's actions; None where its table lacks one."""
        tables: dict[tuple[Any, ...], EnergyTable | None] = {}
        found: list[EnergyModel | None] = []
        for point in hardware:
            model = point.hardware.model
            key = (*_table_of(point), model.tensor_engine.precision, model.dram.technology)
            if key not in tables:
                tables[key] = _energy_table(point)
            table = tables[key]
            found.append(None if table is None else EnergyModel.of(model, table))
        return found

    def _planned(
        self, by_step: dict[StepKey, list[int]], table: DesignTable, rows: IntArray, costs: CostCache
    ) -> dict[StepKey, PlannedStep]:
        """The steps of points, each planned on all designs whose points run it."""
        chosen = {key: np.unique(rows[members]) for key, members in by_step.items()}
        steps = {key: self._steps[key.outline] for key in by_step}
        costs.foresee(
            Asked(products=tuple(step.products()), rows=chosen[key], stays=None, epilogue=None)
            for key, step in steps.items()
            if step is not None and key.policy.keeps_tensors
        )
        return {
            key: PlannedStep.of_designs(step.outline, table, chosen[key], costs, policy=key.policy)
            for key, step in steps.items()
            if step is not None
        }

    def _timed(
        self, plans: dict[StepKey, PlannedStep], rows: IntArray, prices: Sequence[EnergyModel | None]
    ) -> dict[StepKey, _TimedStep]:
        """Steps on the designs that they are planned on."""
        timed = time_all(list(plans.values()))
        return {
            key: self._told(key, StepFigures(plan=plan, step=step, energy=self._energy(plan.rows, prices)))
            for (key, plan), step in zip(plans.items(), timed, strict=True)
        }

    @staticmethod
    def _energy(rows: IntArray, prices: Sequence[EnergyModel | None]) -> EnergyModel:
        return EnergyModel.beside([price for price in (prices[row] for row in rows) if price is not None])

    def _told(self, key: StepKey, figures: StepFigures) -> _TimedStep:
        """What points take of a step's figures."""
        plan, step = figures.plan, self._steps[key.outline]
        assert step is not None, "it is planned"
        residence = plan.residence
        assert isinstance(residence, Resident)
        tensors, saved = residence.tensors.tolist(), residence.saved_in_all_bytes.tolist()
        numbers = StepNumbers.of_designs(figures, len(plan.rows))
        return _TimedStep(
            batch=key.batch,
            peak_bytes=step.peak_bytes,
            by_row={
                int(row): (own, tensors[at], saved[at])
                for at, (row, own) in enumerate(zip(plan.rows, numbers, strict=True))
            },
        )

    @staticmethod
    def _outcome(point: Point, row: int, sparse: _TimedStep, dense: _TimedStep) -> Outcome:
        own, tensors, saved = sparse.by_row[row]
        both = AgainstDense(
            hardware=point.hardware.model,
            batch=sparse.batch,
            step=own,
            dense=dense.by_row[row][0],
            peak_bytes=sparse.peak_bytes,
            resident_tensors=tensors,
            saved_bytes=saved,
        )
        return Outcome(figures=figures_of(both))


@dataclass(frozen=True, slots=True, kw_only=True)
class _TimedStep:
    """A step on the designs that run it.

    Attributes:
        batch: samples.
        peak_bytes: of the card's memory.
        by_row: of each row of the table: figures, tensors that stay on chip, bytes that they save.
    """

    batch: int
    peak_bytes: int
    by_row: dict[int, tuple[StepNumbers, int, int]]


def _table_of(point: Point) -> tuple[str, str]:
    """What names a point's energy table: a name, or a path from beside a file, or the content of one of its own."""
    if point.prices is not None:
        return point.prices.model.name, point.prices.sha256
    name = point.hardware.model.energy_table
    return name, str(Path(point.hardware.document.place_of(("energy_table",)).file).parent) if is_path(name) else ""


def _energy_table(point: Point) -> EnergyTable | None:
    if point.prices is not None:
        return point.prices.model
    try:
        return energy_table_of(point.hardware).model
    except BisparseError:
        return None
