"""Throughput and power of a step, in the units that accelerators are published in.

A multiply-accumulate is two operations. *Kept* operations are those that the algorithm asks for; *effective* ones are
those of the dense step, done in the time that the pruned one takes: what published figures of sparse accelerators
usually count. Only multiply-accumulates of products count, in the time and with the energy of the whole step. Watts are
the model's, with its assumed static power: no host, board or supply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...sim.results.simulation_result import SimulationResult
from ..shared.quantities import Formatter, scaled, significant
from ..shared.section import Part, Section
from ..shared.table import Cell, Table, change, figure
from .answer import is_dense
from .run_view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What a step comes to a second, and a joule.

    Attributes:
        samples_per_second: of the batch; of a decoded token, sequences.
        kept_per_second: operations that the algorithm keeps.
        effective_per_second: operations of the dense step.
        watts: mean power.
    """

    samples_per_second: float
    kept_per_second: float
    effective_per_second: float
    watts: float

    @property
    def kept_per_joule(self) -> float:
        """Kept operations a joule, which is those a second a watt."""
        return self.kept_per_second / self.watts if self.watts else 0.0

    @property
    def effective_per_joule(self) -> float:
        """Operations of the dense step a joule."""
        return self.effective_per_second / self.watts if self.watts else 0.0


def throughput(result: SimulationResult) -> Throughput:
    """Of the step of a run."""
    dense_macs = result.useful_macs * result.flop_bound_speedup
    return _of(result.batch, result.useful_macs, dense_macs, result.step_seconds, result.energy_joules)


def dense_throughput(result: SimulationResult) -> Throughput:
    """Of the dense step beside it."""
    dense_macs = result.useful_macs * result.flop_bound_speedup
    return _of(result.batch, dense_macs, dense_macs, result.dense.step_seconds, result.dense.energy_joules)


def _of(batch: int, kept_macs: float, dense_macs: float, seconds: float, joules: float) -> Throughput:
    if not seconds:
        return Throughput(samples_per_second=0.0, kept_per_second=0.0, effective_per_second=0.0, watts=0.0)
    return Throughput(
        samples_per_second=batch / seconds,
        kept_per_second=2 * kept_macs / seconds,
        effective_per_second=2 * dense_macs / seconds,
        watts=joules / seconds,
    )


_FIGURES: tuple[tuple[str, Callable[[Throughput], float], Formatter], ...] = (
    ("samples a second", lambda of: of.samples_per_second, significant),
    ("kept operations a second", lambda of: of.kept_per_second, lambda value: scaled(value, "op/s")),
    ("effective operations a second", lambda of: of.effective_per_second, lambda value: scaled(value, "op/s")),
    ("mean power", lambda of: of.watts, lambda value: scaled(value, "W")),
    ("kept operations a joule", lambda of: of.kept_per_joule, lambda value: scaled(value, "op/J")),
    ("effective operations a joule", lambda of: of.effective_per_joule, lambda value: scaled(value, "op/J")),
)


def throughput_row(result: SimulationResult) -> list[str]:
    """For the terminal: a name, dense's figures and the run's."""
    both = (dense_throughput(result), throughput(result))
    told = [f"{significant(each.samples_per_second)}, {scaled(each.watts, 'W')}" for each in both]
    return ["samples a second, power", *told, f"{scaled(both[1].effective_per_second, 'op/s')} effective"]


def throughput_table(result: SimulationResult) -> Table:
    """Every figure of the step, beside the dense one's where it is another."""
    dense, own = dense_throughput(result), throughput(result)
    if is_dense(result):
        rows = [(Cell(name), figure(of(own), worded)) for name, of, worded in _FIGURES if "effective" not in name]
        return Table(headings=("", "this run"), rows=tuple(rows))
    return Table(
        headings=("", "dense", "this run", "ratio"),
        rows=tuple(
            (Cell(name), figure(of(dense), worded), figure(of(own), worded), change(of(dense), of(own)))
            for name, of, worded in _FIGURES
        ),
    )


def throughput_section(view: RunView) -> Section:
    """Operations a second and a joule, power and samples a second."""
    table = throughput_table(view.result)
    lede = (
        "Operations are two a multiply-accumulate of the products, in the time and with the energy of the whole step. "
        "Kept: those that the algorithm asks for. Effective: those of the dense step, as sparse accelerators are "
        "usually published. Power is the model's, with its assumed static part; no host, no board."
    )
    heading = "Throughput and power"
    return Section(heading=heading, lede=lede, table=table, markdown=(Part(heading=heading, words=lede, table=table),))
