"""The figures of a design, each declared once: name, unit, words, formula, and when it is known.

Constraints and objectives of a sweep are written in these names, a study's table has a column for each, reports word
them as is said here. A figure of the hardware alone is known before anything is simulated; all others after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ....accel.energy import COMPONENTS
from ....accel.engines import ENGINES
from ....accel.specification import Hardware
from ....dataflow.cycle_causes import CYCLE_CAUSES, STAGES
from ...step.against_dense import AgainstDense
from .point import Figures

Combine = Literal["geometric", "mean", "min", "max", "same"]
"""How a design's figure follows from those of its scenarios. ``geometric``: the mean in which each scenario weighs the
same, whatever its size. ``mean``: the arithmetic one, for figures that may be zero. ``same``: it does not depend on
them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a figure is.

    Attributes:
        unit: of it; empty for a ratio or a count.
        title: in a few words.
        of_answer: its formula, of a step beside the dense one; None for a figure of the hardware alone.
        of_hardware: its formula, of the hardware alone.
        combine: how it is combined over scenarios.
        whole: whether it is an integer.
    """

    unit: str
    title: str
    of_answer: Callable[[AgainstDense], int | float] | None = None
    of_hardware: Callable[[Hardware], int | float] | None = None
    combine: Combine = "geometric"
    whole: bool = False

    @property
    def known_before(self) -> bool:
        """Whether it is known before anything is simulated."""
        return self.of_hardware is not None

    def value(self, answer: AgainstDense) -> int | float:
        """Its value for an answer."""
        if self.of_hardware is not None:
            return self.of_hardware(answer.hardware)
        assert self.of_answer is not None, "a figure has a formula"
        return self.of_answer(answer)


Step = Literal["step", "dense"]
Formula = Callable[[Any, int], int | float]
"""Of a step's figures and its samples."""


def _per(count: float, of: float) -> float:
    return count / of if of else 0.0


_STEP_FIGURES: tuple[tuple[str, str, str, Combine, bool, Formula], ...] = (
    ("total_cycles", "cycles", "cycles of the {}", "geometric", True, lambda step, _: step.total_cycles),
    ("step_seconds", "s", "time of the {}", "geometric", False, lambda step, _: step.step_seconds),
    ("energy_joules", "J", "energy of the {}", "geometric", False, lambda step, _: step.energy_joules),
    (
        "energy_delay_joule_seconds",
        "J s",
        "energy times time of the {}",
        "geometric",
        False,
        lambda step, _: step.energy_joules * step.step_seconds,
    ),
    (
        "watts",
        "W",
        "mean power of the {}",
        "geometric",
        False,
        lambda step, _: _per(step.energy_joules, step.step_seconds),
    ),
    (
        "samples_per_second",
        "1/s",
        "samples trained a second, {}",
        "geometric",
        False,
        lambda step, batch: _per(batch, step.step_seconds),
    ),
    (
        "samples_per_joule",
        "1/J",
        "samples trained a joule, {}: throughput per watt",
        "geometric",
        False,
        lambda step, batch: _per(batch, step.energy_joules),
    ),
    ("dram_read_bytes", "B", "read from DRAM in the {}", "mean", True, lambda step, _: step.dram_read_bytes),
    ("dram_write_bytes", "B", "written to DRAM in the {}", "mean", True, lambda step, _: step.dram_write_bytes),
    (
        "dram_bytes",
        "B",
        "DRAM traffic of the {}",
        "mean",
        True,
        lambda step, _: step.dram_read_bytes + step.dram_write_bytes,
    ),
    (
        "array_utilisation",
        "",
        "share of the array at work in the {}",
        "geometric",
        False,
        lambda step, _: step.array_utilisation,
    ),
)
"""Name, unit, title, how it combines, whether it is an integer, formula: of both the step and the dense step."""

_STEP_SHARES: tuple[tuple[str, tuple[str, ...], str, str, bool], ...] = (
    ("by_stage", tuple(STAGES), "cycles", "exposed cycles of stage {}, {}", True),
    ("by_engine", tuple(ENGINES), "cycles", "busy cycles of engine {}, {}", True),
    ("stalls", tuple(CYCLE_CAUSES), "cycles", "cycles of the tensor engine by cause: {}, {}", True),
    ("energy_by_component", COMPONENTS, "J", "energy of {}, {}", False),
)
"""Figures that a step has by stage, by engine and so on: group, names in it, unit, title, whether integers."""


def _step_figures(which: Step, prefix: str, words: str) -> Iterator[tuple[str, Figure]]:
    """Figures that both the step and the dense step have."""

    def of(formula: Formula) -> Callable[[AgainstDense], int | float]:
        return lambda answer: formula(getattr(answer, which), answer.batch)

    def entry(group: str, name: str) -> Callable[[AgainstDense], int | float]:
        return lambda answer: getattr(getattr(answer, which), group)[name]

    for name, unit, title, combine, whole, formula in _STEP_FIGURES:
        yield (
            f"{prefix}{name}",
            Figure(unit=unit, title=title.format(words), of_answer=of(formula), combine=combine, whole=whole),
        )
    for group, names, unit, title, whole in _STEP_SHARES:
        for name in names:
            yield (
                f"{prefix}{group}.{word(name)}",
                Figure(
                    unit=unit,
                    title=title.format(name, words),
                    of_answer=entry(group, name),
                    combine="mean",
                    whole=whole,
                ),
            )


def word(component: str) -> str:
    """A name's part of a component of energy.

    >>> word("west buffer")
    'west_buffer'
    """
    return component.replace(" ", "_")


FIGURES: dict[str, Figure] = {
    **dict(_step_figures("step", "", "step")),
    "speedup_vs_dense": Figure(
        unit="", title="dense step's cycles over these", of_answer=lambda of: of.by_scope["step"].speedup_vs_dense
    ),
    "energy_ratio_vs_dense": Figure(
        unit="", title="energy over the dense step's", of_answer=lambda of: of.by_scope["step"].energy_ratio_vs_dense
    ),
    "flop_bound_speedup": Figure(
        unit="", title="dense multiply-accumulates over kept ones", of_answer=lambda of: of.flop_bound_speedup
    ),
    "useful_macs": Figure(
        unit="",
        title="multiply-accumulates that the algorithm keeps",
        of_answer=lambda of: of.step.useful_macs,
        whole=True,
    ),
    "issued_macs": Figure(
        unit="",
        title="multiply-accumulates that the array issues",
        of_answer=lambda of: of.step.issued_macs,
        whole=True,
    ),
    "gemm.total_cycles": Figure(
        unit="cycles",
        title="cycles of the products alone",
        of_answer=lambda of: of.by_scope["gemm"].total_cycles,
        whole=True,
    ),
    "gemm.energy_joules": Figure(
        unit="J", title="energy of the products alone", of_answer=lambda of: of.by_scope["gemm"].energy_joules
    ),
    "gemm.speedup_vs_dense": Figure(
        unit="", title="dense products' cycles over these", of_answer=lambda of: of.by_scope["gemm"].speedup_vs_dense
    ),
    "gemm.energy_ratio_vs_dense": Figure(
        unit="",
        title="energy of the products over the dense ones'",
        of_answer=lambda of: of.by_scope["gemm"].energy_ratio_vs_dense,
    ),
    "memory.peak_bytes": Figure(
        unit="B",
        title="most of the card's memory taken at once",
        of_answer=lambda of: of.peak_bytes,
        combine="max",
        whole=True,
    ),
    "memory.free_bytes": Figure(
        unit="B",
        title="of the card's memory left at the peak",
        of_answer=lambda of: of.hardware.dram.capacity_bytes - of.peak_bytes,
        combine="min",
        whole=True,
    ),
    "on_chip.tensors": Figure(
        unit="",
        title="tensors that stay on chip",
        of_answer=lambda of: of.resident_tensors,
        combine="mean",
        whole=True,
    ),
    "on_chip.saved_bytes": Figure(
        unit="B",
        title="DRAM traffic that they save",
        of_answer=lambda of: of.saved_bytes,
        combine="mean",
        whole=True,
    ),
    **dict(_step_figures("dense", "dense.", "dense step")),
    "pe_count": Figure(
        unit="",
        title="processing elements",
        of_hardware=lambda hardware: hardware.peak_macs_per_cycle,
        combine="same",
        whole=True,
    ),
    "on_chip_bytes": Figure(
        unit="B",
        title="capacity of the three buffers",
        of_hardware=lambda hardware: hardware.buffers.capacity_bytes,
        combine="same",
        whole=True,
    ),
    "peak_macs_per_second": Figure(
        unit="1/s",
        title="multiply-accumulates that the array can issue",
        of_hardware=lambda hardware: hardware.peak_macs_per_cycle * hardware.clock_hz,
        combine="same",
    ),
    "peak_dram_bytes_per_second": Figure(
        unit="B/s",
        title="bandwidth of DRAM",
        of_hardware=lambda hardware: hardware.dram.bytes_per_second,
        combine="same",
    ),
}
"""Every figure of a design, by name. ``accuracy`` joins them where a co-design study supplies it."""

ACCURACY = "accuracy"
"""The figure that a training run supplies."""

ACCURACY_FIGURE = Figure(unit="", title="share of the test split classified right, the mean over seeds", combine="mean")

KNOWN_BEFORE = tuple(name for name, figure in FIGURES.items() if figure.known_before)
"""Figures that follow from the hardware alone."""


def hardware_figures(hardware: Hardware) -> Figures:
    """What a design is, whatever runs on it."""
    return {name: figure.of_hardware(hardware) for name, figure in FIGURES.items() if figure.of_hardware is not None}


def figures_of(answer: AgainstDense) -> Figures:
    """All figures of a step beside the dense one, in the order of ``FIGURES``."""
    return {name: figure.value(answer) for name, figure in FIGURES.items()}
