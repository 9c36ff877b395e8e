"""Many points evaluated at once: grouped by what they share, searched and timed side by side.

What ``simulate`` does for one point is done here for all that differ in numbers only. Points that need what is not
done side by side (the event engine, another objective of the search, vector work beside products, measured densities)
are simulated one by one, and so are those that cannot run, for ``simulate`` knows best how to say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ....accel.energy import EnergyModel
from ....accel.energy_table import EnergyTable, energy_table_of
from ....configs.arrays import IntArray
from ....configs.errors import BisparseError, MappingError
from ....configs.library import is_path
from ....dataflow.design_table import DesignTable, kind_of
from ....dataflow.gemm import Gemm
from ....dataflow.objective import TIME
from ....dataflow.search import best_mapping
from ....dataflow.search_many import BestMappings, search_many
from ...step.against_dense import ratio
from .costs_many import CostsMany
from .figures import FIGURES, derived_figures, hardware_figures, word
from .one_by_one import simulate_point
from .outlines import Step, outlined
from .point import Figures, Outcome, Point
from .step_many import Prices, StepMany
from .step_times import StepTimes

_FEWEST = 3
"""Fewer points of a kind than these are simulated sooner one by one."""


def evaluate(points: Sequence[Point], version: str) -> list[Outcome]:
    """Simulate many points; neighbours that share most go fastest.

    Args:
        points: in any order.
        version: of bisparse.

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
        group = _Group(points=[points[number] for number in numbers], version=version)
        try:
            found = group.outcomes()
        except OverflowError:
            # Numbers beyond 64 bits somewhere among them.
            found = [simulate_point(points[number], version) for number in numbers]
        outcomes |= dict(zip(numbers, found, strict=True))
    return [outcomes[number] for number in range(len(points))]


def _side_by_side(point: Point) -> bool:
    options = point.options
    beside = options.policy(point.hardware.model).overlap_vector
    return options.engine == "analytic" and options.objective == "time" and options.densities is None and not beside


def _kind(point: Point) -> tuple[Any, ...]:
    """What points of one group have in common."""
    options = point.options
    return (*kind_of(point.hardware.model), options.dataflows, options.interleave)


@dataclass(kw_only=True)
class _Group:
    """Points that differ in numbers only, whatever they run."""

    points: Sequence[Point]
    version: str
    _steps: dict[tuple[Any, ...], Step | None] = field(default_factory=dict)

    def outcomes(self) -> list[Outcome]:
        """An outcome a point."""
        points = self.points
        hardware, rows = self._distinct_hardware()
        table = DesignTable(designs=[each.hardware.model for each in hardware])
        prices = self._prices(hardware)
        keys = [self._keys(point) for point in points]
        found: list[Outcome | None] = [None] * len(points)
        for number, point in enumerate(points):
            if prices[rows[number]] is None or not self._runs(point, keys[number]):
                found[number] = simulate_point(point, self.version)
        waiting = [number for number, outcome in enumerate(found) if outcome is None]
        searches = self._search(table, rows, keys, waiting)
        for number in waiting:
            found[number] = self._impossible(points[number], int(rows[number]), keys[number], searches)
        waiting = [number for number in waiting if found[number] is None]
        costs = CostsMany(found=searches)
        reports: dict[tuple[Any, ...], _Report] = {}
        for key, members in self._by_step(keys, waiting).items():
            reports[key] = self._report(key, members, table, rows, costs, prices)
        for number in waiting:
            found[number] = self._outcome(number, keys[number], reports)
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

    def _keys(self, point: Point) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Of the sparse step and of the dense one: what an outline depends on, and what is done with it."""
        options = point.options
        policy = options.policy(point.hardware.model)
        batch = options.batch or point.workload.graph.default_batch
        shared = (point.workload.sha256, batch, options.optimizer, policy.overlap_update, policy.keep_on_chip)
        return (*shared, point.recipe.sha256, point.pattern, policy.pre_generation), (*shared, "dense")

    def _step(self, key: tuple[Any, ...], point: Point) -> Step | None:
        """The step of a key, for a point that has it; None when there is none."""
        known = (*key[:3], *key[5:])
        if known not in self._steps:
            try:
                self._steps[known] = outlined(key, point)
            except BisparseError:
                self._steps[known] = None
        return self._steps[known]

    def _runs(self, point: Point, keys: tuple[tuple[Any, ...], tuple[Any, ...]]) -> bool:
        """Whether nothing is known yet that keeps a point from running its steps."""
        steps = [self._step(key, point) for key in keys]
        hardware = point.hardware.model
        engine, buffers = hardware.tensor_engine, hardware.buffers
        return all(
            step is not None
            and all(engine.supports(pattern) for pattern in step.patterns)
            and step.largest_group <= hardware.reduction_engine.largest_group
            for step in steps
        ) and all(each.capacity_bytes >= each.banks for each in (buffers.west, buffers.north, buffers.output))

    def _search(
        self,
        table: DesignTable,
        rows: IntArray,
        keys: Sequence[tuple[tuple[Any, ...], tuple[Any, ...]]],
        waiting: Sequence[int],
    ) -> dict[tuple[object, ...], BestMappings]:
        """Every product's mappings, on the designs that run it."""
        gemms: dict[tuple[object, ...], Gemm] = {}
        wanted: dict[tuple[object, ...], set[int]] = {}
        for key, members in self._by_step(keys, waiting).items():
            step = self._step(key, self.points[members[0]])
            assert step is not None, "members run it"
            on = {int(rows[number]) for number in members}
            for gemm in step.products():
                gemms.setdefault(gemm.shape_key, gemm)
                wanted.setdefault(gemm.shape_key, set()).update(on)
        options = self.points[0].options
        return {
            key: search_many(
                gemm,
                table,
                np.array(sorted(wanted[key])),
                dataflows=options.dataflows,
                interleave=options.interleave,
            )
            for key, gemm in gemms.items()
        }

    def _by_step(
        self, keys: Sequence[tuple[tuple[Any, ...], tuple[Any, ...]]], waiting: Sequence[int]
    ) -> dict[tuple[Any, ...], list[int]]:
        """Points by the steps that they run."""
        members: dict[tuple[Any, ...], list[int]] = {}
        for number in waiting:
            for key in keys[number]:
                members.setdefault(key, []).append(number)
        return members

    def _impossible(
        self,
        point: Point,
        row: int,
        keys: tuple[tuple[Any, ...], tuple[Any, ...]],
        searches: dict[tuple[object, ...], BestMappings],
    ) -> Outcome | None:
        """The outcome of a point that cannot map a product, in the words of the search for one; None when it can."""
        for key in keys:
            step = self._step(key, point)
            assert step is not None, "it runs"
            for gemm in step.products():
                if not searches[gemm.shape_key].feasible[row]:
                    return self._refused(gemm, point)
        return None

    def _refused(self, gemm: Gemm, point: Point) -> Outcome:
        """The outcome of a point on which the search found no mapping of a product."""
        options = point.options
        try:
            best_mapping(
                gemm, point.hardware.model, objective=TIME, dataflows=options.dataflows, interleave=options.interleave
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

    def _report(
        self,
        key: tuple[Any, ...],
        members: Sequence[int],
        table: DesignTable,
        rows: IntArray,
        costs: CostsMany,
        prices: Sequence[EnergyModel | None],
    ) -> _Report:
        step = self._step(key, self.points[members[0]])
        assert step is not None, "members run it"
        chosen = np.unique(rows[members])
        overlap, keeps = key[3:5]
        own = [price for price in (prices[row] for row in chosen) if price is not None]
        times = StepTimes(
            outline=step.outline, table=table, rows=chosen, overlap_update=overlap, keep_on_chip=keeps, costs=costs
        )
        many = StepMany(
            times=times,
            prices=Prices(
                pj={name: np.array([each.prices_pj[name] for each in own]) for name in own[0].prices_pj},
                static_watts=np.array([each.static_watts for each in own]),
            ),
        )
        return _Report(
            step=many, peak_bytes=step.peak_bytes, place={int(row): at for at, row in enumerate(chosen)}, rows=rows
        )

    def _outcome(
        self, number: int, keys: tuple[tuple[Any, ...], tuple[Any, ...]], reports: dict[tuple[Any, ...], _Report]
    ) -> Outcome:
        point = self.points[number]
        sparse, dense = (reports[key] for key in keys)
        hardware = point.hardware.model
        found: Figures = hardware_figures(hardware)
        found |= sparse.own("", number) | dense.own("dense.", number)
        batch = sparse.step.times.outline.batch
        found |= derived_figures("", found, batch) | derived_figures("dense.", found, batch)
        found["speedup_vs_dense"] = ratio(found["dense.total_cycles"], found["total_cycles"])
        found["energy_ratio_vs_dense"] = ratio(found["energy_joules"], found["dense.energy_joules"])
        found["flop_bound_speedup"] = ratio(sparse.step.dense_macs, sparse.step.useful_macs)
        found["useful_macs"], found["issued_macs"] = sparse.step.useful_macs, sparse.step.issued_macs
        of_gemm, of_dense = sparse.gemm(number), dense.gemm(number)
        found["gemm.total_cycles"], found["gemm.energy_joules"] = of_gemm
        found["gemm.speedup_vs_dense"] = ratio(of_dense[0], of_gemm[0])
        found["gemm.energy_ratio_vs_dense"] = ratio(of_gemm[1], of_dense[1])
        found["memory.peak_bytes"] = sparse.peak_bytes
        found["memory.free_bytes"] = hardware.dram.capacity_bytes - sparse.peak_bytes
        found |= sparse.on_chip(number)
        return Outcome(figures={name: found[name] for name in FIGURES})


def _table_of(point: Point) -> tuple[str, str]:
    """What names a point's energy table: a name, or a path from beside a file."""
    name = point.hardware.model.energy_table
    return name, str(Path(point.hardware.document.place_of(("energy_table",)).file).parent) if is_path(name) else ""


def _energy_table(point: Point) -> EnergyTable | None:
    try:
        return energy_table_of(point.hardware).model
    except BisparseError:
        return None


@dataclass(kw_only=True)
class _Report:
    """A step's figures on the designs that run it.

    Attributes:
        step: on distinct hardware.
        peak_bytes: of the card's memory.
        place: where each row of the table stands in it.
        rows: the table's row of each point of the group.
    """

    step: StepMany
    peak_bytes: int
    place: dict[int, int]
    rows: IntArray
    _columns: dict[str, Any] = field(default_factory=dict)

    def own(self, of: str, number: int) -> Figures:
        """The figures of one point that both the step and the dense step have."""
        at = self.place[int(self.rows[number])]
        return {of + name: values[at] for name, values in self.columns().items()}

    def columns(self) -> dict[str, list[Any]]:
        """Those of all, as plain numbers."""
        if not self._columns:
            step = self.step
            arrays: dict[str, npt.NDArray[Any]] = {
                "total_cycles": step.total_cycles,
                "step_seconds": step.seconds,
                "energy_joules": step.energy_joules,
                "dram_read_bytes": step.dram_bytes[0],
                "dram_write_bytes": step.dram_bytes[1],
                "array_utilisation": step.array_utilisation,
            }
            for group, figures in (
                ("by_stage", step.by_stage),
                ("by_engine", step.by_engine),
                ("stalls", step.causes),
                ("energy_by_component", step.energy_by_component),
            ):
                arrays |= {f"{group}.{word(name)}": values for name, values in figures.items()}
            self._columns = {name: values.tolist() for name, values in arrays.items()}
        return self._columns

    def gemm(self, number: int) -> tuple[int, float]:
        """Cycles and energy of the products alone."""
        at = self.place[int(self.rows[number])]
        return int(self.step.gemm_cycles[at]), float(self.step.gemm_energy_joules[at])

    def on_chip(self, number: int) -> Figures:
        """What stays on chip."""
        at, residence = self.place[int(self.rows[number])], self.step.times.residence
        return {"on_chip.tensors": int(residence.tensors[at]), "on_chip.saved_bytes": int(residence.saved_bytes[at])}
