"""What a report is about: the recipe, the network and the hardware, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ...sim.results.simulation_result import Assumption, Input


class Subject(Protocol):
    """What the results that a report may be of have in common."""

    @property
    def inputs(self) -> Mapping[str, Input]:
        """What went in, by role: ``hardware``, ``workload`` and ``recipe`` among them."""

    @property
    def batch(self) -> int:
        """Samples in the step."""

    @property
    def sparsity(self) -> str:
        """N:M, or ``dense``."""

    @property
    def assumptions(self) -> Sequence[Assumption]:
        """Every parameter with its status."""


def recipe_name(result: Subject) -> str:
    """The recipe's name."""
    return result.inputs["recipe"].name


def hardware_name(result: Subject) -> str:
    """The hardware's name."""
    return result.inputs["hardware"].name


def workload_name(result: Subject) -> str:
    """The workload's name."""
    return result.inputs["workload"].name


def label(result: Subject) -> str:
    """A short name for the run among others: the recipe and its sparsity."""
    name = recipe_name(result)
    return name if result.sparsity in ("dense", name) else f"{name} {result.sparsity}"


def subject(result: Subject) -> str:
    """What was simulated, in a phrase."""
    return f"{workload_name(result)} at batch {result.batch} on {hardware_name(result)}"
