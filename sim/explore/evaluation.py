"""Many designs evaluated at once: grouped by what they share, searched and timed side by side.

What ``simulate`` does for one design is done here for all that differ in numbers only. Designs that need what is not
done side by side (the event engine, another objective of the search, vector work beside products, measured densities)
are simulated one by one, and so are those that cannot run, for ``simulate`` knows best how to say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...accel.energy import EnergyModel
from ...accel.energy_table import energy_table_of
from ...configs.errors import BisparseError, MappingError
from ...configs.pattern import Pattern
from ...dataflow.design_table import DesignTable, kind_of
from ...dataflow.footprint import MemoryPlan
from ...dataflow.gemm import Gemm
from ...dataflow.objective import TIME
from ...dataflow.schedule import TensorWork
from ...dataflow.scheduler import Outline, outline
from ...dataflow.search import best_mapping
from ...dataflow.search_many import Found, search_many
from ...training.recipes.annotation import annotate
from ...training.recipes.declaration import Recipe
from ..against_dense import ratio
from ..simulation import DENSE
from ..step_size import check_step_size
from .costs_many import CostsMany
from .design import Design, Figures, Outcome
from .figures import FIGURES, derived_figures, hardware_figures, word
from .one_by_one import simulate_design
from .step_many import Prices, StepMany
from .step_times import StepTimes

IntArray = npt.NDArray[np.int64]

_FEWEST = 3
"""Fewer designs of a kind than these are simulated sooner one by one."""


def evaluate(designs: Sequence[Design], version: str) -> list[Outcome]:
    """Simulate many designs; neighbours that share most go fastest.

    Args:
        designs: the points, in any order.
        version: of bisparse.

    Returns:
        An outcome a design, in the same order: the figures that ``simulate`` gives, or why there are none.
    """
    outcomes: dict[int, Outcome] = {}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, design in enumerate(designs):
        if _side_by_side(design):
            groups.setdefault(_kind(design), []).append(number)
        else:
            outcomes[number] = simulate_design(design, version)
    for numbers in groups.values():
        if len(numbers) < _FEWEST:
            outcomes |= {number: simulate_design(designs[number], version) for number in numbers}
            continue
        group = _Group(designs=[designs[number] for number in numbers], version=version)
        outcomes |= dict(zip(numbers, group.outcomes(), strict=True))
    return [outcomes[number] for number in range(len(designs))]


def _side_by_side(design: Design) -> bool:
    options, policy = design.options, design.hardware.model.policy
    beside = policy.overlap_vector if options.overlap_vector is None else options.overlap_vector
    return options.engine == "analytic" and options.objective == "time" and options.densities is None and not beside


def _kind(design: Design) -> tuple[Any, ...]:
    """What designs of one group have in common."""
    options = design.options
    return (*kind_of(design.hardware.model), options.dataflows, options.interleave)


@dataclass(frozen=True, kw_only=True)
class _Step:
    """The outline of a step, and what holds of it on any design of the group.

    Attributes:
        outline: of the step.
        peak_bytes: the most that lies in the card's memory at once.
        patterns: that the array must have.
        largest_group: that the reduction engine must sort.
    """

    outline: Outline
    peak_bytes: int
    patterns: frozenset[Pattern]
    largest_group: int

    def products(self) -> list[Gemm]:
        """In the order in which they are mapped."""
        works = (work for work in self.outline.works if isinstance(work, TensorWork))
        return [product.gemm for work in works for product in work.products]


@dataclass(kw_only=True)
class _Group:
    """Designs that differ in numbers only, whatever they run."""

    designs: Sequence[Design]
    version: str
    _steps: dict[tuple[Any, ...], _Step | None] = field(default_factory=dict)

    def outcomes(self) -> list[Outcome]:
        """An outcome a design."""
        designs = self.designs
        hardware, rows = self._distinct_hardware()
        table = DesignTable(designs=[each.hardware.model for each in hardware])
        keys = [self._keys(design) for design in designs]
        found: list[Outcome | None] = [None] * len(designs)
        for number, design in enumerate(designs):
            if not self._runs(design, keys[number]):
                found[number] = simulate_design(design, self.version)
        waiting = [number for number, outcome in enumerate(found) if outcome is None]
        searches = self._search(table, rows, keys, waiting)
        for number in waiting:
            found[number] = self._impossible(designs[number], int(rows[number]), keys[number], searches)
        waiting = [number for number in waiting if found[number] is None]
        costs = CostsMany(found=searches)
        prices = self._prices(hardware)
        reports: dict[tuple[Any, ...], _Report] = {}
        for key, members in self._by_step(keys, waiting).items():
            reports[key] = self._report(key, members, table, rows, costs, prices)
        for number in waiting:
            found[number] = self._outcome(number, keys[number], reports)
        return [outcome for outcome in found if outcome is not None]

    def _distinct_hardware(self) -> tuple[list[Design], IntArray]:
        """A design with each hardware and each table of prices, and which of them every design has."""
        known: dict[str, int] = {}
        chosen: list[Design] = []
        rows: list[int] = []
        for design in self.designs:
            if design.hardware.sha256 not in known:
                known[design.hardware.sha256] = len(chosen)
                chosen.append(design)
            rows.append(known[design.hardware.sha256])
        return chosen, np.array(rows, dtype=np.int64)

    # Steps -----------------------------------------------------------------------------------------------------------

    def _keys(self, design: Design) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Of the sparse step and of the dense one: what an outline depends on, and what is done with it."""
        options, hardware = design.options, design.hardware.model
        policy = hardware.policy
        pre_generation = policy.pre_generation if options.pre_generation is None else options.pre_generation
        overlap = policy.overlap_update if options.overlap_update is None else options.overlap_update
        keeps = policy.keep_on_chip if options.keep_on_chip is None else options.keep_on_chip
        batch = options.batch or design.workload.graph.default_batch
        shared = (design.workload.sha256, batch, options.optimizer, overlap, keeps)
        return (*shared, design.recipe.sha256, design.pattern, pre_generation), (*shared, "dense")

    def _step(self, key: tuple[Any, ...], design: Design) -> _Step | None:
        """The step of a key, for a design that has it; None when there is none."""
        known = (*key[:3], *key[5:])
        if known not in self._steps:
            try:
                self._steps[known] = _outlined(key, design)
            except BisparseError:
                self._steps[known] = None
        return self._steps[known]

    def _runs(self, design: Design, keys: tuple[tuple[Any, ...], tuple[Any, ...]]) -> bool:
        """Whether nothing is known yet that keeps a design from running its steps."""
        steps = [self._step(key, design) for key in keys]
        hardware = design.hardware.model
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
    ) -> dict[tuple[object, ...], Found]:
        """Every product's mappings, on the designs that run it."""
        gemms: dict[tuple[object, ...], Gemm] = {}
        wanted: dict[tuple[object, ...], set[int]] = {}
        for key, members in self._by_step(keys, waiting).items():
            step = self._step(key, self.designs[members[0]])
            assert step is not None, "members run it"
            on = {int(rows[number]) for number in members}
            for gemm in step.products():
                gemms.setdefault(gemm.shape_key, gemm)
                wanted.setdefault(gemm.shape_key, set()).update(on)
        options = self.designs[0].options
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
        """Designs by the steps that they run."""
        members: dict[tuple[Any, ...], list[int]] = {}
        for number in waiting:
            for key in keys[number]:
                members.setdefault(key, []).append(number)
        return members

    def _impossible(
        self,
        design: Design,
        row: int,
        keys: tuple[tuple[Any, ...], tuple[Any, ...]],
        searches: dict[tuple[object, ...], Found],
    ) -> Outcome | None:
        """The outcome of a design that cannot map a product, in the words of the search for one; None when it can."""
        for key in keys:
            step = self._step(key, design)
            assert step is not None, "it runs"
            for gemm in step.products():
                if not searches[gemm.shape_key].feasible[row]:
                    return Outcome(figures=None, reason=_refusal(gemm, design))
        return None

    # Figures ---------------------------------------------------------------------------------------------------------

    def _prices(self, hardware: Sequence[Design]) -> list[EnergyModel]:
        tables: dict[tuple[Any, ...], Any] = {}
        found = []
        for design in hardware:
            model = design.hardware.model
            file = design.hardware.document.place_of(("energy_table",)).file
            key = (model.energy_table, file, model.tensor_engine.precision, model.dram.technology)
            if key not in tables:
                tables[key] = energy_table_of(design.hardware).model
            found.append(EnergyModel.of(model, tables[key]))
        return found

    def _report(
        self,
        key: tuple[Any, ...],
        members: Sequence[int],
        table: DesignTable,
        rows: IntArray,
        costs: CostsMany,
        prices: Sequence[EnergyModel],
    ) -> _Report:
        step = self._step(key, self.designs[members[0]])
        assert step is not None, "members run it"
        chosen = np.unique(rows[members])
        overlap, keeps = key[3:5]
        own = [prices[row] for row in chosen]
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
        design = self.designs[number]
        sparse, dense = (reports[key] for key in keys)
        hardware = design.hardware.model
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


def _outlined(key: tuple[Any, ...], design: Design) -> _Step:
    hardware, batch, optimizer = design.hardware.model, key[1], key[2]
    check_step_size(design.workload.graph, batch)
    recipe, pattern, pre_generation = DENSE, Pattern(1, 1), hardware.policy.pre_generation
    if len(key) > 6:
        recipe, pattern, pre_generation = design.recipe.model, key[6], key[7]
    pruned = annotate(design.workload.graph, recipe, pattern, pre_generation=pre_generation)
    laid_out = outline(pruned, hardware, batch=batch, optimizer=optimizer)
    plan = MemoryPlan.of(pruned, hardware, optimizer)
    pruned_with = {pruning.pattern for pruning in pruned.prunings.values()}
    return _Step(
        outline=laid_out,
        peak_bytes=plan.footprint(batch).peak_bytes,
        patterns=frozenset(pruned_with | _asked(recipe, pattern)),
        largest_group=max((pattern.group for pattern in pruned_with), default=1),
    )


def _asked(recipe: Recipe, pattern: Pattern) -> set[Pattern]:
    """Patterns that a recipe asks of a design, whether an operator takes them or not."""
    if not recipe.prunes:
        return set()
    return {pattern, *(Pattern.parse(rule.sparsity) for rule in recipe.layers)}


def _refusal(gemm: Gemm, design: Design) -> str:
    options = design.options
    try:
        best_mapping(
            gemm, design.hardware.model, objective=TIME, dataflows=options.dataflows, interleave=options.interleave
        )
    except MappingError as error:
        return str(design.hardware.placed(error))
    raise AssertionError(f"{gemm.name}: two searches disagree on whether a mapping is there")


@dataclass(kw_only=True)
class _Report:
    """A step's figures on the designs that run it.

    Attributes:
        step: on distinct hardware.
        peak_bytes: of the card's memory.
        place: where each row of the table stands in it.
        rows: the table's row of each design of the group.
    """

    step: StepMany
    peak_bytes: int
    place: dict[int, int]
    rows: IntArray
    _columns: dict[str, Any] = field(default_factory=dict)

    def own(self, of: str, number: int) -> Figures:
        """The figures of one design that both the step and the dense step have."""
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
