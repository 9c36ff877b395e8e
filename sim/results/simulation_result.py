"""The result of a simulation: plain data with units in its names, ready for JSON, CSV and a DataFrame.

Cycles are of the design's one clock. ``useful_macs`` are the multiply-accumulates that the algorithm keeps;
``issued_macs`` those that the array issues (they differ at the edges of strided convolutions). ``array_utilisation``
is the smaller of the two over what R x C processing elements could issue in the cycles of the tensor engine, so
skipped multiplications never count as done.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...configs.plain_fields import check_fields
from .answer_range import AnswerRange
from .checks import check_result
from .dense_step import DenseStep, ScopeResult
from .extra_work import ExtraWorkShare
from .memory_results import Memory, OnChip
from .own_weights import OwnZeros
from .pass_result import PassResult
from .plain_data import plain_data
from .rewrite_result import RewriteResult
from .step_profile import Profile
from .trained_apart import TrainedApart
from .training_figures import TrainingRun
from .what_if import WhatIf

if TYPE_CHECKING:
    import pandas

    from ..event.recorder import Recorder
    from ..step.against_dense import AgainstDense

SCHEMA_VERSION = 1

_BESIDE_THE_DOCUMENT = ("timeline", "against_dense")
"""Fields of a result that are not told in its document."""

_UNLESS_EMPTY = (
    *("uncounted", "trained_apart"),
    "notes",
    "inference",
    "passes",
    "range",
    "what_if",
    "own_zeros",
    *("extra_work", "left_to_run"),
    "rewrites",
)
"""Fields that a document has only where there is something to say."""

_READ_BY: dict[str, Callable[[Any], Any]] = {
    "trained_apart": TrainedApart.from_document,
    "memory": Memory.from_document,
    "profile": Profile.from_document,
    "training": TrainingRun.from_document,
    "passes": lambda document: PassResult(**document),
    "range": AnswerRange.from_document,
    "own_zeros": OwnZeros.from_document,
    "dense": lambda document: DenseStep(**document),
    "breakdown": lambda parts: tuple(Breakdown(**each) for each in parts),
    "assumptions": lambda parts: tuple(Assumption(**each) for each in parts),
    "on_chip": lambda document: OnChip(**document),
    "densities": lambda document: DensityMatch(**document | {"unmatched_modules": (*document["unmatched_modules"],)}),
    "rewrites": lambda parts: tuple(map(RewriteResult.from_document, parts)),
    "extra_work": lambda parts: tuple(ExtraWorkShare(**each) for each in parts),
    "what_if": lambda parts: tuple(WhatIf(**each) for each in parts),
}
"""Parts of a document that read themselves, where they are there."""

Engine = Literal["tensor", "vector", "update", "reduction"]

_writers: list[Callable[[SimulationResult, Path], Path]] = []


def write_reports_with(writer: Callable[[SimulationResult, Path], Path]) -> None:
    """Say who writes reports of results: a room above this one.

    Args:
        writer: given a result and a directory, gives the page.
    """
    _writers.append(writer)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorResult:
    """One operator of the step: a row of ``operators.csv``.

    Attributes:
        name: the graph operator, such as ``layer1.0.conv1:FF``.
        module: dotted path of the module.
        kind: what it computes.
        stage: one of ``STAGES``.
        engine: the engine that does it.
        sparsity: the format of the pruned operand, then of operands whose zeros stream in; or ``dense``.
        pruned_operand: ``weight``, ``gradient``, ``input`` or empty; with the latter two where zeros stream in.
        dense_reason: why the recipe left it dense, or empty.
        cycles: exposed cycles: what the step would be shorter by, had it taken no time.
        hidden_cycles: cycles that ran beside other work.
        causes: exposed cycles by cause, summing to ``cycles``.
        useful_macs: kept by the algorithm.
        issued_macs: issued by the array.
        effectual_macs: of those issued, the ones whose operands are both non-zero, by measured densities; None without.
        array_utilisation: of the array while it runs.
        dram_read_bytes: read from DRAM.
        dram_write_bytes: written to DRAM.
        buffer_bytes: through the array's three ports, by side.
        energy_joules: dynamic energy, static share by exposed time added.
        energy_by_component: those joules by component.
        mapping: the tensor engine's mapping, readable, or empty.
        candidates: legal mappings considered.
        limit: what bounds it: ``array``, ``dram``, ``west port``, ``north port``, ``output port``,
            ``operand port``, ``vector``, ``reduction``, ``load lanes``.
        dense_cycles: exposed cycles of the same operator in the dense step.
        dense_energy_joules: energy of the same operator in the dense step.
    """

    name: str
    module: str
    kind: str
    stage: str
    engine: Engine
    sparsity: str = "dense"
    pruned_operand: str = ""
    dense_reason: str = ""
    cycles: int = 0
    hidden_cycles: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    useful_macs: int = 0
    issued_macs: int = 0
    effectual_macs: int | None = None
    array_utilisation: float = 0.0
    dram_read_bytes: int = 0
    dram_write_bytes: int = 0
    buffer_bytes: dict[str, int] = field(default_factory=dict)
    energy_joules: float = 0.0
    energy_by_component: dict[str, float] = field(default_factory=dict)
    mapping: str = ""
    candidates: int = 0
    limit: str = ""
    dense_cycles: int | None = None
    dense_energy_joules: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """The sum of the rows of one stage on one engine; fields as in ``OperatorResult``."""

    stage: str
    engine: Engine
    operators: int
    cycles: int
    hidden_cycles: int
    causes: dict[str, int]
    useful_macs: int
    issued_macs: int
    array_utilisation: float
    dram_read_bytes: int
    dram_write_bytes: int
    buffer_bytes: dict[str, int]
    energy_joules: float
    energy_by_component: dict[str, float]
    effectual_macs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A parameter of the run and where it comes from."""

    parameter: str
    value: Any
    status: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What went in: a name and the hash of its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityMatch:
    """How the measured densities of a training run met this step.

    Attributes:
        matched_modules: modules with products that were measured.
        unmatched_modules: those that were not: taken as dense.
        zero_gating: whether the array saves the multiplies and adds of products with a zero.
        weights_measured: whether the run had this recipe at this ratio; else only activations and gradients are its.
    """

    matched_modules: int
    unmatched_modules: tuple[str, ...]
    zero_gating: bool
    weights_measured: bool = True


@dataclass(frozen=True, kw_only=True, repr=False)
class SimulationResult:
    """One training step on one design. See the module for the meaning of each figure.

    Attributes:
        bisparse_version: that made it.
        inputs: hardware, workload, recipe and energy table, and densities where given, with content hashes.
        title: of the hardware and recipe, for people.
        batch: samples in the step.
        sparsity: N:M asked for, or ``dense``.
        engine: ``analytic`` or ``event``.
        objective: what the mapping search minimised.
        optimizer: of the update.
        clock_hz: of every engine.
        total_cycles: of the step.
        step_seconds: of the step.
        energy_joules: of the step.
        dram_read_bytes: of the step.
        dram_write_bytes: of the step.
        useful_macs: kept by the algorithm.
        issued_macs: issued by the array.
        effectual_macs: of those issued, the ones whose operands are both non-zero, by measured densities; None without.
        peak_macs_per_cycle: of the array.
        dram_bytes_per_cycle: peak.
        array_utilisation: over the cycles of the tensor engine.
        speedup_vs_dense: dense step cycles over these.
        energy_ratio_vs_dense: this energy over the dense step's.
        flop_bound_speedup: dense multiply-accumulates over kept ones: the gain of an array that never waits.
        by_stage: exposed cycles by stage, summing to the total.
        by_engine: busy cycles by engine (``tensor``, ``vector``, ``update``, ``reduction``, ``dram``), hidden work
            included.
        by_scope: ``gemm`` and ``step``.
        breakdown: every figure of the rows, summed by stage and engine.
        stalls: cycles of the tensor engine by cause, summing to the total.
        energy_by_component: joules.
        candidates: mappings considered: in all, and the fewest for one product.
        unknown_operators: operators priced as a generic pass.
        operators: a row an operator.
        assumptions: every parameter with its status.
        dense: the dense step.
        memory: what the step takes of the card's memory; None in a result from before it was tracked.
        on_chip: what stays on chip; None likewise.
        densities: how measured densities met the step; None without.
        profile: the step over time; None unless the event engine was asked for it.
        timeline: every recorded stretch, for a trace; not part of the document.
        against_dense: what the figures of a sweep are worked out from; not part of the document, None when read back.
        changes_over_time: the recipe has a schedule, and this is a step of its last phase.
        training: the whole training run; None unless it was asked for.
        uncounted: torch's name of each operator that may multiply and is in no count, by its name in ``operators``.
        trained_apart: what this step prunes and training by ``bisparse.apply`` would not; None where they agree.
        notes: what a reader must know of the workload's capture, and of a recipe no phase of which is such a step.
        inference: it is a forward pass alone, of all tokens or of one on a cache, not a training step.
        passes: what of the network was run; None of its plain training step or forward pass.
        what_if: what would help, each change simulated; empty unless it was asked for.
        range: how far the answer moves within what assumptions leave open; None unless it was asked for.
        own_zeros: the zeros of a checkpoint, which the step prunes; None where there is none.
        extra_work: what the method costs in the step beside its products and masks.
        left_to_run: what of the method is in no such step but in a whole run.
        rewrites: what the recipe's rewrites changed of the network, one an entry; the dense step has none of them.
    """

    bisparse_version: str
    inputs: dict[str, Input]
    title: dict[str, str]
    batch: int
    sparsity: str
    engine: str
    objective: str
    optimizer: str
    clock_hz: float
    total_cycles: int
    step_seconds: float
    energy_joules: float
    dram_read_bytes: int
    dram_write_bytes: int
    useful_macs: int
    issued_macs: int
    peak_macs_per_cycle: int
    dram_bytes_per_cycle: float
    array_utilisation: float
    speedup_vs_dense: float
    energy_ratio_vs_dense: float
    flop_bound_speedup: float
    by_stage: dict[str, int]
    by_engine: dict[str, int]
    by_scope: dict[str, ScopeResult]
    breakdown: tuple[Breakdown, ...]
    stalls: dict[str, int]
    energy_by_component: dict[str, float]
    candidates: dict[str, int]
    unknown_operators: tuple[str, ...]
    rows: tuple[OperatorResult, ...]
    assumptions: tuple[Assumption, ...]
    dense: DenseStep
    memory: Memory | None = None
    on_chip: OnChip | None = None
    effectual_macs: int | None = None
    densities: DensityMatch | None = None
    profile: Profile | None = None
    timeline: Recorder | None = field(default=None, compare=False, repr=False)
    against_dense: AgainstDense | None = field(default=None, compare=False, repr=False)
    changes_over_time: bool = False
    training: TrainingRun | None = None
    uncounted: dict[str, str] = field(default_factory=dict)
    trained_apart: TrainedApart | None = None
    notes: tuple[str, ...] = ()
    inference: bool = False
    passes: PassResult | None = None
    range: AnswerRange | None = None
    what_if: tuple[WhatIf, ...] = ()
    own_zeros: OwnZeros | None = None
    extra_work: tuple[ExtraWorkShare, ...] = ()
    left_to_run: tuple[str, ...] = ()
    rewrites: tuple[RewriteResult, ...] = ()

    def __repr__(self) -> str:
        """The headline, a line: a step has thousands of figures, and ``document`` has them all."""
        told = ", ".join(f"{name} {figure}" for name, figure in self._headline)
        return f"SimulationResult({self._subject}, {told})"

    def report(self, directory: Path | str) -> Path:
        """Write the run into a directory: result, table of operators, page and text; gives the page.

        Raises:
            ConfigError: it cannot be written.
        """
        return _writers[-1](self, Path(directory))

    def _repr_html_(self) -> str:
        """The headline as a table, where a notebook shows the last value of a cell."""
        rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{figure}</td></tr>" for name, figure in self._headline)
        return f"<table><caption>{html.escape(self._subject)}</caption>{rows}</table>"

    @property
    def _subject(self) -> str:
        """What was simulated, by name."""
        recipe, workload, hardware = (self.inputs[kind].name for kind in ("recipe", "workload", "hardware"))
        if self.passes is not None:
            return f"{recipe} on {workload}, {hardware}: {self.passes.step} ({self.passes.details})"
        return f"{recipe} on {workload}, {hardware}{': forward pass' if self.inference else ''}"

    @property
    def _headline(self) -> list[tuple[str, str]]:
        """The figures that one asks for first, readable."""
        return [
            ("batch", f"{self.batch:,}"),
            ("sparsity", html.escape(self.sparsity)),
            ("cycles", f"{self.total_cycles:,}"),
            ("seconds", f"{self.step_seconds:.6g}"),
            ("joules", f"{self.energy_joules:.6g}"),
            ("speedup over dense", f"{self.speedup_vs_dense:.3f}x"),
            ("energy of dense", f"{self.energy_ratio_vs_dense:.3f}x"),
            ("FLOP bound", f"{self.flop_bound_speedup:.3f}x"),
            ("DRAM bytes", f"{self.dram_read_bytes + self.dram_write_bytes:,}"),
        ]

    @cached_property
    def operators(self) -> pandas.DataFrame:
        """A row an operator and stage, as a DataFrame; nested figures become columns such as ``causes.west``."""
        import pandas

        return pandas.json_normalize([dataclasses.asdict(row) for row in self.rows])

    def document(self) -> dict[str, Any]:
        """The result as plain data, ready for JSON."""
        plain: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.name in _BESIDE_THE_DOCUMENT or (each.name in _UNLESS_EMPTY and not value):
                continue
            plain["operators" if each.name == "rows" else each.name] = plain_data(value)
        return plain

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> SimulationResult:
        """The result that a document was made of. The document must be of this schema version.

        ``memory``, ``on_chip``, ``effectual_macs``, ``densities``, ``changes_over_time`` and ``training`` may be
        missing: documents of version 1 were written before they were tracked.

        Raises:
            ConfigError: it is none, see ``check_fields``.
        """
        check_fields(
            document, cls, called={"rows": "operators"}, without=_BESIDE_THE_DOCUMENT, beside=("schema_version",)
        )
        check_result(document)
        fields = {name: value for name, value in document.items() if name not in ("schema_version", "operators")}
        fields["inputs"] = {name: Input(**value) for name, value in fields["inputs"].items()}
        fields["by_scope"] = {name: ScopeResult(**value) for name, value in fields["by_scope"].items()}
        fields |= {name: tuple(fields.get(name, ())) for name in ("unknown_operators", "notes", "left_to_run")}
        fields |= {name: read(fields[name]) for name, read in _READ_BY.items() if fields.get(name) is not None}
        return cls(rows=tuple(OperatorResult(**row) for row in document["operators"]), **fields)
