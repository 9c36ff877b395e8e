"""One simulated training step, from inputs to result: annotate, schedule, time, price, compare with the dense step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from ..accel.energy import EnergyModel
from ..accel.energy_table import EnergyTable, energy_table_of
from ..accel.specification import Hardware
from ..configs.errors import BisparseError, ConfigError, MappingError
from ..configs.formats import parse_format
from ..configs.operand_format import OperandFormat
from ..configs.pattern import DENSE
from ..configs.schema import Loaded
from ..dataflow.formats.given import given_formats
from ..dataflow.formats.skipped import why_streamed_take_time
from ..dataflow.mapping import Mapping
from ..dataflow.schedule import Schedule
from ..dataflow.scheduler import build_schedule
from ..training.graph import TrainingGraph
from ..training.own_weights.fitting import FittedWeights
from ..training.recipes.annotation import PrunedGraph, annotate
from ..training.recipes.declaration import Recipe
from ..training.uncounted import uncounted
from .event.profile import profile
from .event.recorder import Recorder
from .on_design import OnDesign, on_design
from .options import Options
from .results.assumptions import assumptions_of
from .results.memory_results import Memory, OnChip
from .results.own_weights import own_zeros
from .results.simulation_result import DensityMatch, Input, SimulationResult
from .step.against_dense import AgainstDense, dense_step
from .step.analytic import time_step
from .step.effectual import Effectual, matched_modules, measures_weights
from .step.extra_shares import extra_shares
from .step.pass_taken import pass_taken
from .step.rewrites_made import rewrites_made
from .step.step_memory import step_memory
from .step.step_report import StepReport
from .step.step_size import check_step_size
from .step.step_time import StepTime
from .step.trained_apart import trained_apart
from .trained_network import check_densities, weights_under
from .workload import Workload

__all__ = ["DENSE_RECIPE", "Simulator", "Workload"]

DENSE_RECIPE = Recipe(name="dense", title="Dense training", source="the baseline that every ratio is against")
"""The recipe that prunes nothing."""


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What steps of one workload on one design share whatever their options.

    Attributes:
        hardware: the design.
        prices: of its actions; those of its own table when None.
        dense: dense steps by the options that a dense step depends on.
    """

    hardware: Loaded[Hardware]
    prices: Loaded[EnergyTable] | None
    dense: dict[Options, StepReport] = field(default_factory=dict)

    @cached_property
    def table(self) -> Loaded[EnergyTable]:
        return self.prices or energy_table_of(self.hardware)

    @cached_property
    def on_design(self) -> OnDesign:
        return on_design(self.hardware.model, self.table.model)


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """Simulates recipes on one workload and one design; mappings and costs are shared between them.

    Attributes:
        workload: what is trained.
        hardware: the design, with its provenance.
        options: how steps are scheduled.
        version: of bisparse, for the result.
        prices: of the design's actions; those of the table that it names when None.
    """

    workload: Workload
    hardware: Loaded[Hardware]
    options: Options
    version: str
    prices: Loaded[EnergyTable] | None = None
    _shared: _Shared = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shared", _Shared(hardware=self.hardware, prices=self.prices))
        self.graph.check_batch(self.options.batch)
        check_step_size(self.graph, self.batch)

    def with_options(self, options: Options) -> Simulator:
        """The same workload and design under other options; what is searched and priced once serves both."""
        other = replace(self, options=options)
        object.__setattr__(other, "_shared", self._shared)
        return other

    @property
    def graph(self) -> TrainingGraph:
        """What is simulated of the workload as it is, without a recipe."""
        return self.workload.graph_of(self.options)

    def graph_under(self, recipe: Recipe) -> TrainingGraph:
        """What is simulated of the workload as a recipe's rewrites leave it.

        Raises:
            ConfigError: one of them does not fit the workload, or measured densities are given that are those of other
                layers; ``field`` says which entry.
        """
        graph = self.workload.graph_of(self.options, recipe.rewrites)
        if recipe.rewrites:
            check_step_size(graph, self.batch)
        # The baseline stands beside what was measured of other networks.
        if self.options.densities is not None and recipe is not DENSE_RECIPE:
            check_densities(self.options.densities, recipe, graph)
        return graph

    @property
    def table(self) -> Loaded[EnergyTable]:
        """The design's energy table."""
        return self._shared.table

    @property
    def energy(self) -> EnergyModel:
        """Prices of the design's actions."""
        return self._shared.on_design.energy

    @property
    def batch(self) -> int:
        """Samples in the step."""
        return self.options.batch or self.graph.default_batch

    def own_weights(self, recipe: Recipe) -> FittedWeights | None:
        """The weights of a checkpoint that a recipe prunes by: one whose masks are given; None without."""
        weights, given = self.options.weights, recipe.mask_search.method == "given"
        return weights_under(weights, recipe, self.workload, self.options) if weights is not None and given else None

    def schedule(
        self,
        recipe: Recipe | Loaded[Recipe],
        pattern: OperandFormat,
        decisions: dict[str, Mapping] | None = None,
        *,
        streams: bool = True,
    ) -> Schedule:
        """Schedule a step; with ``decisions``, replay a saved schedule's mappings instead of searching.

        Args:
            recipe: the recipe.
            pattern: that it prunes to.
            decisions: mappings by product name.
            streams: whether zeros of activations that were measured are skipped, on a design that can.

        Raises:
            ConfigError: a rule of the recipe names no product of the workload.
            MappingError: the design lacks a pattern, or a product has no legal mapping on it.
        """
        if isinstance(recipe, Loaded):
            try:
                return self.schedule(recipe.model, pattern, decisions, streams=streams)
            except BisparseError as error:
                raise recipe.placed(error) from None
        own = self.own_weights(recipe)
        if own is None:
            self._check_patterns(recipe, pattern)
        options = self.options
        policy = options.policy(self.hardware.model)
        if policy.overlap_vector and options.keep_on_chip:
            raise ConfigError(
                "keep_on_chip: got True with overlap_vector, need one of them: nothing stays on chip where works run "
                "side by side; try keep_on_chip=False"
            )
        graph = self.graph_under(recipe)
        pruned = annotate(
            graph,
            recipe,
            pattern,
            pre_generation=policy.pre_generation,
            given_formats=None if own is None else given_formats(own, graph, self.hardware.model),
            densities=options.densities if streams and self._skips_streamed else None,
            kept_weights=None if options.densities is None else options.densities.weights_at_last(recipe.name),
        )
        mapper = self._shared.on_design.mapper(options)
        if decisions:
            mapper = replace(mapper, decisions=decisions)
        try:
            return build_schedule(
                pruned,
                mapper,
                batch=self.batch,
                optimizer=options.optimizer,
                overlap_update=policy.overlap_update,
                overlap_vector=policy.overlap_vector,
                keep_on_chip=policy.keep_on_chip,
                causal_blocks=options.causal_blocks,
                passes=options.passes.on(graph),
            )
        except MappingError as error:
            raise self.hardware.placed(error) from None

    @property
    def _skips_streamed(self) -> bool:
        return not why_streamed_take_time(self.hardware.model)

    def _check_patterns(self, recipe: Recipe, pattern: OperandFormat) -> None:
        """Refuse an N:M that the design lacks, even where no operator could take it: it would look like no gain."""
        engine, name = self.hardware.model.tensor_engine, self.hardware.model.name
        if not recipe.prunes:
            return
        need = f"need one that {name} has: {', '.join(engine.patterns) or 'dense only'}"
        if not engine.takes(pattern):
            raise self.hardware.placed(MappingError(f"sparsity: got {pattern}, {need}", field="tensor_engine.patterns"))
        for number, rule in enumerate(recipe.layers):
            if not engine.takes(parse_format(rule.sparsity)):
                field = f"layers.{number}.sparsity"
                raise MappingError(f"{field}: got {rule.sparsity}, {need}", field=field)

    @property
    def dense(self) -> StepReport:
        """The dense step that ratios are against."""
        # A dense step has no N:M weights, whenever they would be made.
        key, steps = replace(self.options, pre_generation=None), self._shared.dense
        if key not in steps:
            steps[key] = self._report(self.schedule(DENSE_RECIPE, DENSE, streams=False))
        return steps[key]

    def _report(self, schedule: Schedule, recorder: Recorder | None = None) -> StepReport:
        effectual = Effectual.of(schedule.pruned, self.options.densities)
        return StepReport.of(schedule, self._time(schedule, recorder), self.energy, effectual)

    def _time(self, schedule: Schedule, recorder: Recorder | None) -> StepTime:
        if self.options.engine == "analytic":
            try:
                return time_step(schedule, self._shared.on_design.costs)
            except OverflowError:
                name = schedule.hardware.name
                raise ConfigError(f"{name}: got numbers beyond 64 bits on the way, need a smaller design") from None
        # Imported here: who does not play events does not wait for simpy.
        from .event import engine

        return engine.time_step(schedule, recorder=recorder)

    def step(self, recipe: Loaded[Recipe], pattern: OperandFormat) -> StepReport:
        """The figures of a step alone; arguments and errors as for ``run``."""
        return self._report(self.schedule(recipe, pattern))

    def run(self, recipe: Loaded[Recipe], pattern: OperandFormat) -> SimulationResult:
        """Simulate one recipe at one ratio.

        Raises:
            MappingError: a product has no legal mapping on this design.
        """
        return self.run_schedule(self.schedule(recipe, pattern), recipe)

    def against_dense(self, recipe: Loaded[Recipe], pattern: OperandFormat) -> AgainstDense:
        """The figures of a step beside the dense one, and no rows; arguments and errors as for ``run``."""
        report = self.step(recipe, pattern)
        return self._beside(report, step_memory(report.schedule))

    def _beside(self, sparse: StepReport, memory: Memory) -> AgainstDense:
        resident = sparse.schedule.resident
        return AgainstDense(
            hardware=self.hardware.model,
            batch=self.batch,
            step=sparse.numbers,
            dense=self.dense.numbers,
            peak_bytes=memory.peak_bytes,
            resident_tensors=len(resident),
            saved_bytes=sum(tensor.saved_bytes for tensor in resident),
        )

    def run_schedule(self, schedule: Schedule, recipe: Loaded[Recipe]) -> SimulationResult:
        """Simulate a schedule of this workload on this design."""
        recorder = Recorder() if self.options.timeline else None
        sparse, dense = self._report(schedule, recorder), self.dense
        hardware, memory = self.hardware.model, step_memory(schedule)
        both, rows = self._beside(sparse, memory), sparse.rows_beside(dense)
        own, graph = self.own_weights(recipe.model), schedule.pruned.graph
        rewritten = self.workload.rewritten(recipe.model.rewrites, self.options.passes)
        return SimulationResult(
            bisparse_version=self.version,
            inputs=self._inputs(recipe),
            title={"hardware": hardware.title, "recipe": recipe.model.title},
            batch=self.batch,
            sparsity=str(schedule.pruned.pattern) if recipe.model.prunes else "dense",
            engine=self.options.engine,
            objective=schedule.objective,
            optimizer=schedule.optimizer,
            clock_hz=hardware.clock_hz,
            total_cycles=both.step.total_cycles,
            step_seconds=both.step.step_seconds,
            energy_joules=both.step.energy_joules,
            dram_read_bytes=both.step.dram_read_bytes,
            dram_write_bytes=both.step.dram_write_bytes,
            useful_macs=both.step.useful_macs,
            issued_macs=both.step.issued_macs,
            effectual_macs=sparse.effectual_macs,
            densities=self._density_match(schedule.pruned),
            peak_macs_per_cycle=hardware.peak_macs_per_cycle,
            dram_bytes_per_cycle=hardware.dram_bytes_per_cycle,
            array_utilisation=both.step.array_utilisation,
            speedup_vs_dense=both.by_scope["step"].speedup_vs_dense,
            energy_ratio_vs_dense=both.by_scope["step"].energy_ratio_vs_dense,
            flop_bound_speedup=both.flop_bound_speedup,
            by_stage=both.step.by_stage,
            by_engine=both.step.by_engine,
            by_scope=both.by_scope,
            breakdown=sparse.breakdown,
            stalls=both.step.stalls,
            energy_by_component=both.step.energy_by_component,
            candidates=sparse.candidates,
            unknown_operators=tuple(sorted({unknown.name for unknown in graph.unknown})),
            uncounted=uncounted(graph),
            notes=graph.notes if graph.inference else (*graph.notes, *recipe.model.notes),
            trained_apart=trained_apart(schedule, rows, self.batch),
            rows=rows,
            assumptions=assumptions_of(
                recipe.model, self.hardware, self.table, self.energy.notes, inference=graph.inference
            ),
            dense=dense_step(both.dense, dense.effectual_macs),
            memory=memory,
            on_chip=OnChip(tensors=both.resident_tensors, saved_bytes=both.saved_bytes),
            profile=None
            if recorder is None
            else profile(recorder, total_cycles=both.step.total_cycles, dram_channels=hardware.dram.channels),
            timeline=recorder,
            against_dense=both,
            changes_over_time=recipe.model.changes_over_time and not graph.inference,
            inference=graph.inference,
            own_zeros=None if own is None else own_zeros(own, schedule, {row.name: row.dense_reason for row in rows}),
            passes=pass_taken(schedule, rewritten.graph, memory),
            rewrites=rewrites_made(rewritten, self.batch),
            extra_work=extra_shares(sparse),
            left_to_run=() if graph.inference else recipe.model.left_to_run,
        )

    def _inputs(self, recipe: Loaded[Recipe]) -> dict[str, Input]:
        inputs = {
            "hardware": Input(name=self.hardware.model.name, sha256=self.hardware.sha256),
            "workload": Input(name=self.workload.graph.name, sha256=self.workload.sha256),
            "recipe": Input(name=recipe.model.name, sha256=recipe.sha256),
            "energy_table": Input(name=self.table.model.name, sha256=self.table.sha256),
        }
        densities = self.options.densities
        if densities is not None:
            inputs["densities"] = Input(name=densities.name, sha256=densities.sha256)
        own = self.own_weights(recipe.model)
        if own is not None:
            inputs["weights"] = Input(name=own.weights.name, sha256=own.weights.sha256)
        return inputs

    def _density_match(self, pruned: PrunedGraph) -> DensityMatch | None:
        if self.options.densities is None:
            return None
        matched, unmatched = matched_modules(pruned.graph, self.options.densities)
        return DensityMatch(
            matched_modules=len(matched),
            unmatched_modules=tuple(unmatched),
            zero_gating=self.hardware.model.tensor_engine.zero_gating,
            weights_measured=not pruned.recipe.prunes or measures_weights(pruned, self.options.densities),
        )
