"""An ablation: one training step under every useful setting of four optimisations, as plain data.

Three of them the SAT paper names in its abstract (arXiv 2309.13015): interleave mapping, pre-generation of N:M weights,
and offline scheduling, here the choice of a dataflow for each product. The fourth, update and reduction beside the
backward pass, is assumed of the design. The abstract gives no figure for any of them; these are predictions. What a row
means stands in its ``group``: all off, one on alone, all on but one, all on. Not modelled: the silicon that a switch
costs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ....configs.errors import ConfigError
from ....configs.plain_fields import check_fields
from ...results.checks import check_step
from ...results.pass_result import PassResult
from ...results.plain_data import plain_data
from ...results.simulation_result import Assumption, Input

if TYPE_CHECKING:
    import pandas

SCHEMA_VERSION = 1

Switch = Literal["interleave", "pre_generation", "dataflow_choice", "overlap_update"]
SWITCHES: tuple[Switch, ...] = ("interleave", "pre_generation", "dataflow_choice", "overlap_update")

Group = Literal["all off", "alone", "all but", "all on"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the four switches stand.

    Attributes:
        interleave: a processing element turns between accumulations.
        pre_generation: N:M weights are made in the update stage, two compressed streams where both products are pruned;
            without it they are reduced on their way into FF and BP.
        dataflows: those that the mapping search may choose from; one when the choice is off.
        overlap_update: update and reduction run beside the backward pass of earlier layers.
    """

    interleave: bool
    pre_generation: bool
    dataflows: tuple[str, ...]
    overlap_update: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AblatedStep:
    """What one setting costs.

    Attributes:
        total_cycles: of the step.
        step_seconds: of the step.
        gemm_cycles: of the matrix products alone, with their waits.
        energy_joules: of the step.
        dram_read_bytes: of the step.
        dram_write_bytes: of the step.
        exposed_update_cycles: waits for update or its memory at the end of the step.
        exposed_reduction_cycles: waits for the reduction engine, on the way into the array and at the end of the step.
        stalls: cycles of the tensor engine by cause, summing to the total.
        array_utilisation: while the array runs.
        dense_cycles: of the dense step under the same setting.
        dense_energy_joules: of that step.
    """

    total_cycles: int
    step_seconds: float
    gemm_cycles: int
    energy_joules: float
    dram_read_bytes: int
    dram_write_bytes: int
    exposed_update_cycles: int
    exposed_reduction_cycles: int
    stalls: dict[str, int]
    array_utilisation: float
    dense_cycles: int
    dense_energy_joules: float

    @property
    def speedup_vs_dense(self) -> float:
        """Cycles of the dense step under the same setting over these; 1 of nothing."""
        return self.dense_cycles / self.total_cycles if self.total_cycles else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """One setting.

    Attributes:
        group: what kind of row it is.
        switch: the one that is on alone or off alone; empty when all stand alike.
        setting: of the four switches.
        figures: what it costs; None when it was not simulated.
        reason: why not: the design or the step has no such switch, or no mapping.
        speedup: cycles of the base over these; None without either.
        gain: what the switch buys: the base over this row when it is on alone, this row over all on when it is the only
            one off; None without either, and where no single switch is meant.
    """

    group: Group
    switch: Switch | Literal[""]
    setting: Setting
    figures: AblatedStep | None = None
    reason: str = ""
    speedup: float | None = None
    gain: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The settings of one workload, recipe and design.

    Attributes:
        bisparse_version: that made it.
        inputs: hardware, workload, recipe and energy table, with content hashes.
        title: of the hardware and recipe, for people.
        batch: samples in the step.
        sparsity: N:M asked for, or ``dense``.
        engine: ``analytic`` or ``event``.
        objective: what the mapping search minimised.
        optimizer: of the update.
        clock_hz: of every engine.
        base_dataflow: the only one of the base, and of the rows that have one switch on alone.
        rows: in the order all off, alone, all but, all on.
        assumptions: every parameter with its status.
        passes: what of the training step was run; None of all of it at once.
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
    base_dataflow: str
    rows: tuple[AblationRow, ...]
    assumptions: tuple[Assumption, ...]
    passes: PassResult | None = None

    @property
    def base(self) -> AblationRow:
        """Everything off: what speedups are over."""
        alone = (self.base_dataflow,)
        return next(row for row in self.rows if row.group == "all off" and row.setting.dataflows == alone)

    @property
    def all_on(self) -> AblationRow:
        """Everything on: what ``simulate`` gives where the design's policy is to do all of it."""
        return next(row for row in self.rows if row.group == "all on")

    def of(self, group: Group, switch: Switch | None = None) -> tuple[AblationRow, ...]:
        """The rows of a group, of one switch if it is named."""
        return tuple(row for row in self.rows if row.group == group and switch in (None, row.switch))

    @cached_property
    def table(self) -> pandas.DataFrame:
        """A row a setting; nested figures become columns such as ``figures.total_cycles``."""
        import pandas

        return pandas.json_normalize([plain_data(row) for row in self.rows])

    def document(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        own = {each.name: plain_data(getattr(self, each.name)) for each in fields(self)}
        if self.passes is None:
            del own["passes"]
        return {"schema_version": SCHEMA_VERSION, "kind": "ablation", **own}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Ablation:
        """The ablation that a document was made of. The document must be of this schema version.

        Raises:
            ConfigError: it is none, see ``check_fields``.
        """
        check_fields(document, cls, beside=("schema_version", "kind"))
        check_step(document)
        for number, row in enumerate(document["rows"]):
            if not row["setting"]["dataflows"]:
                raise ConfigError(f"rows.{number}.setting.dataflows: got an empty list, need at least one")
        for switch in SWITCHES:
            count = sum(row["group"] == "alone" and row["switch"] == switch for row in document["rows"])
            if count != 1:
                raise ConfigError(f"rows: got {count} of {switch} alone, need one")
        alone = [document["base_dataflow"]]
        bases = [row for row in document["rows"] if row["group"] == "all off" and row["setting"]["dataflows"] == alone]
        if not bases or all(row["group"] != "all on" for row in document["rows"]):
            raise ConfigError(f"rows: got no row of all off with {alone[0]}, or none of all on, need both")
        own = {name: value for name, value in document.items() if name not in ("schema_version", "kind")}
        own["inputs"] = {name: Input(**value) for name, value in own["inputs"].items()}
        own["assumptions"] = tuple(Assumption(**value) for value in own["assumptions"])
        if own.get("passes") is not None:
            own["passes"] = PassResult(**own["passes"])
        own["rows"] = tuple(_row(value) for value in own["rows"])
        return cls(**own)


def _row(document: dict[str, Any]) -> AblationRow:
    setting, figures = dict(document["setting"]), document.get("figures")
    setting["dataflows"] = tuple(setting["dataflows"])
    row = {**document, "setting": Setting(**setting)}
    return AblationRow(**{**row, "figures": None if figures is None else AblatedStep(**figures)})
