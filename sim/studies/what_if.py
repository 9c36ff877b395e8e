"""What would help a step, and by how much: the design with one thing made larger or allowed at a time, each simulated.

A change is as large as one would try first: twice the array with the ports that feed it, twice the memory's channels,
four times the lanes. It is no proposal: nothing here knows what it costs in silicon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...accel.design_fields import value_at
from ...accel.varied_design import Change, Family
from ...configs.errors import ConfigError
from ...configs.operand_format import OperandFormat
from ...configs.schema import Loaded
from ...configs.strict_yaml import Place
from ...training.recipes.declaration import Recipe
from ..results.simulation_result import SimulationResult
from ..results.what_if import WhatIf
from ..simulation import Simulator
from .explore.evaluation import evaluate
from .explore.point import Point

_PORTS = (
    *(f"buffers.{side}.port_bytes_per_cycle" for side in ("west", "north", "output")),
    "buffers.shared_port_bytes_per_cycle",
)
_CAPACITIES = tuple(f"buffers.{side}.capacity_bytes" for side in ("west", "north", "output"))

_LARGER: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("{0} vector lanes", ("vector_engine.lanes",), 4),
    ("an array of {0}x{1} PEs, and ports for it", ("tensor_engine.rows", "tensor_engine.cols", *_PORTS), 2),
    ("{0} DRAM channels", ("dram.channels",), 2),
    ("ports twice as wide", _PORTS, 2),
    ("buffers twice as large", _CAPACITIES, 2),
    ("{0} lanes of the weight update", ("update_engine.lanes",), 4),
)
"""A change in words, the fields that it makes larger where a design has them, and how many times."""

_ASKED = Place("what if", 1)

_ALLOWED = (("vector work beside products", "overlap_vector"), ("updates beside the backward pass", "overlap_update"))
"""What a scheduler may be allowed, and the policy that does."""


def with_what_ifs(
    simulator: Simulator, result: SimulationResult, recipe: Loaded[Recipe], pattern: OperandFormat
) -> SimulationResult:
    """A step's result with what would help it, what helps most first; what changes nothing is among them.

    A change that no machine could have, or with which the step cannot run, comes last, with the reason.

    Args:
        simulator: of the workload on the design.
        result: what it gave.
        recipe: the method.
        pattern: its ratio.
    """
    family = Family(simulator.hardware)
    refused, told, points = [], [], []
    for words, fields in _changes(simulator):
        try:
            hardware = family.varied([_change(name, value) for name, value in fields.items()])
        except ConfigError as error:
            refused.append(WhatIf(change=words, fields=fields, reason=str(error).removeprefix(f"{_ASKED}: ")))
            continue
        told.append((words, fields))
        points.append(Point.of(simulator, recipe, pattern, hardware, simulator.prices))
    found = []
    for (words, fields), outcome in zip(told, evaluate(points, simulator.version), strict=True):
        if outcome.figures is None:
            refused.append(WhatIf(change=words, fields=fields, reason=outcome.reason))
            continue
        gain = result.step_seconds / outcome.figures["step_seconds"]
        changed = WhatIf(
            change=words,
            fields=fields,
            step_seconds=outcome.figures["step_seconds"],
            gain=gain,
            speedup_vs_dense=outcome.figures["speedup_vs_dense"],
            energy_ratio_vs_dense=outcome.figures["energy_ratio_vs_dense"],
        )
        found.append((gain, changed))
    helping = [each for _, each in sorted(found, key=lambda pair: -pair[0])]
    return replace(result, what_if=(*helping, *refused))


def _changes(simulator: Simulator) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every change in words, with the new values of its fields."""
    hardware = simulator.hardware.model
    for words, names, factor in _LARGER:
        there = {name: value_at(hardware, name.split(".")) for name in names}
        larger = {name: factor * number for name, number in there.items() if number is not None}
        yield words.format(*larger.values()), larger
    policy = simulator.options.policy(hardware)
    for words, name in _ALLOWED:
        if not getattr(policy, name) and getattr(simulator.options, name) is None:
            yield words, {f"policy.{name}": True}


def _change(name: str, value: Any) -> Change:
    return Change(path=tuple(name.split(".")), value=value, status="given", source="what if", place=_ASKED)
