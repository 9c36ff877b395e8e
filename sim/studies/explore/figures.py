"""The figures of a design: every number of a simulation's result by one dotted name, and some that follow from them.

Constraints and objectives of a sweep are written in these names, and a study's table has a column for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ....accel.energy import COMPONENTS
from ....accel.specification import Hardware
from ...results.simulation_result import CYCLE_CAUSES, STAGES, SimulationResult
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
        combine: how it is combined over scenarios.
        whole: whether it is an integer.
    """

    unit: str
    title: str
    combine: Combine = "geometric"
    whole: bool = False


def _step_figures(of: str, title: str) -> Iterator[tuple[str, Figure]]:
    """Figures that both the step and the dense step have."""
    yield f"{of}total_cycles", Figure(unit="cycles", title=f"cycles of the {title}", whole=True)
    yield f"{of}step_seconds", Figure(unit="s", title=f"time of the {title}")
    yield f"{of}energy_joules", Figure(unit="J", title=f"energy of the {title}")
    yield f"{of}energy_delay_joule_seconds", Figure(unit="J s", title=f"energy times time of the {title}")
    yield f"{of}watts", Figure(unit="W", title=f"mean power of the {title}")
    yield f"{of}samples_per_second", Figure(unit="1/s", title=f"samples trained a second, {title}")
    yield f"{of}samples_per_joule", Figure(unit="1/J", title=f"samples trained a joule, {title}: throughput per watt")
    yield f"{of}dram_read_bytes", Figure(unit="B", title=f"read from DRAM in the {title}", combine="mean", whole=True)
    yield f"{of}dram_write_bytes", Figure(unit="B", title=f"written to DRAM in the {title}", combine="mean", whole=True)
    yield f"{of}dram_bytes", Figure(unit="B", title=f"DRAM traffic of the {title}", combine="mean", whole=True)
    yield f"{of}array_utilisation", Figure(unit="", title=f"share of the array at work in the {title}")
    for stage in STAGES:
        name, words = f"{of}by_stage.{stage}", f"exposed cycles of stage {stage}, {title}"
        yield name, Figure(unit="cycles", title=words, combine="mean", whole=True)
    for engine in ("tensor", "vector", "update", "reduction", "dram"):
        name, words = f"{of}by_engine.{engine}", f"busy cycles of engine {engine}, {title}"
        yield name, Figure(unit="cycles", title=words, combine="mean", whole=True)
    for cause in CYCLE_CAUSES:
        name, words = f"{of}stalls.{cause}", f"cycles of the tensor engine by cause: {cause}, {title}"
        yield name, Figure(unit="cycles", title=words, combine="mean", whole=True)
    for component in COMPONENTS:
        name = f"{of}energy_by_component.{word(component)}"
        yield name, Figure(unit="J", title=f"energy of {component}, {title}", combine="mean")


def word(component: str) -> str:
    """A name's part of a component of energy.

    >>> word("west buffer")
    'west_buffer'
    """
    return component.replace(" ", "_")


FIGURES: dict[str, Figure] = {
    **dict(_step_figures("", "step")),
    "speedup_vs_dense": Figure(unit="", title="dense step's cycles over these"),
    "energy_ratio_vs_dense": Figure(unit="", title="energy over the dense step's"),
    "flop_bound_speedup": Figure(unit="", title="dense multiply-accumulates over kept ones"),
    "useful_macs": Figure(unit="", title="multiply-accumulates that the algorithm keeps", whole=True),
    "issued_macs": Figure(unit="", title="multiply-accumulates that the array issues", whole=True),
    "gemm.total_cycles": Figure(unit="cycles", title="cycles of the products alone", whole=True),
    "gemm.energy_joules": Figure(unit="J", title="energy of the products alone"),
    "gemm.speedup_vs_dense": Figure(unit="", title="dense products' cycles over these"),
    "gemm.energy_ratio_vs_dense": Figure(unit="", title="energy of the products over the dense ones'"),
    "memory.peak_bytes": Figure(unit="B", title="most of the card's memory taken at once", combine="max", whole=True),
    "memory.free_bytes": Figure(unit="B", title="of the card's memory left at the peak", combine="min", whole=True),
    "on_chip.tensors": Figure(unit="", title="tensors that stay on chip", combine="mean", whole=True),
    "on_chip.saved_bytes": Figure(unit="B", title="DRAM traffic that they save", combine="mean", whole=True),
    **dict(_step_figures("dense.", "dense step")),
    "pe_count": Figure(unit="", title="processing elements", combine="same", whole=True),
    "on_chip_bytes": Figure(unit="B", title="capacity of the three buffers", combine="same", whole=True),
    "peak_macs_per_second": Figure(unit="1/s", title="multiply-accumulates that the array can issue", combine="same"),
    "peak_dram_bytes_per_second": Figure(unit="B/s", title="bandwidth of DRAM", combine="same"),
}
"""Every figure of a design, by name. ``accuracy`` joins them where a co-design study supplies it."""

ACCURACY = "accuracy"
"""The figure that a training run supplies."""

ACCURACY_FIGURE = Figure(unit="", title="share of the test split classified right, the mean over seeds", combine="mean")


def hardware_figures(hardware: Hardware) -> Figures:
    """What a design is, whatever runs on it."""
    buffers = hardware.buffers
    return {
        "pe_count": hardware.peak_macs_per_cycle,
        "on_chip_bytes": sum(each.capacity_bytes for each in (buffers.west, buffers.north, buffers.output)),
        "peak_macs_per_second": hardware.peak_macs_per_cycle * hardware.clock_hz,
        "peak_dram_bytes_per_second": hardware.dram.bytes_per_second,
    }


def derived_figures(of: str, figures: Figures, batch: int) -> Figures:
    """What follows from a step's time, energy and traffic.

    Args:
        of: prefix of the step's figures.
        figures: with the step's own.
        batch: samples of the step.
    """
    seconds, joules = figures[f"{of}step_seconds"], figures[f"{of}energy_joules"]
    return {
        f"{of}energy_delay_joule_seconds": joules * seconds,
        f"{of}watts": joules / seconds if seconds else 0.0,
        f"{of}samples_per_second": batch / seconds if seconds else 0.0,
        f"{of}samples_per_joule": batch / joules if joules else 0.0,
        f"{of}dram_bytes": figures[f"{of}dram_read_bytes"] + figures[f"{of}dram_write_bytes"],
    }


def figures_of(result: SimulationResult, hardware: Hardware) -> Figures:
    """The figures of a simulated step, in the order of ``FIGURES``.

    Args:
        result: of the step.
        hardware: that it ran on.
    """
    found: Figures = hardware_figures(hardware)
    for of, step in (("", result), ("dense.", result.dense)):
        for name in ("total_cycles", "step_seconds", "energy_joules", "dram_read_bytes", "dram_write_bytes"):
            found[of + name] = getattr(step, name)
        found[f"{of}array_utilisation"] = step.array_utilisation
        for group in ("by_stage", "by_engine", "stalls", "energy_by_component"):
            found |= {f"{of}{group}.{word(name)}": value for name, value in getattr(step, group).items()}
        found |= derived_figures(of, found, result.batch)
    for name in ("speedup_vs_dense", "energy_ratio_vs_dense", "flop_bound_speedup", "useful_macs", "issued_macs"):
        found[name] = getattr(result, name)
    scope = result.by_scope["gemm"]
    for name in ("total_cycles", "energy_joules", "speedup_vs_dense", "energy_ratio_vs_dense"):
        found[f"gemm.{name}"] = getattr(scope, name)
    assert result.memory is not None, "a fresh result knows its memory"
    assert result.on_chip is not None, "and what stays on chip"
    found["memory.peak_bytes"] = result.memory.peak_bytes
    found["memory.free_bytes"] = result.memory.capacity_bytes - result.memory.peak_bytes
    found["on_chip.tensors"] = result.on_chip.tensors
    found["on_chip.saved_bytes"] = result.on_chip.saved_bytes
    return {name: found[name] for name in FIGURES}
