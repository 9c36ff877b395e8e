"""What a run rests on: its parameters, each once, and how well they are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...sim.results.simulation_result import Assumption
from .subject import Subject, label
from .table import Cell, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of one run or of several.

    Attributes:
        path: dotted, such as ``hardware.dram.channels``.
        value: readable.
        status: how well it is known.
        source: where it comes from.
        runs: the runs that it holds for, when others of the report differ.
    """

    path: str
    value: str
    status: str
    source: str
    runs: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The first part of the path."""
        return self.path.split(".")[0] if "." in self.path else "run"

    @property
    def name(self) -> str:
        """The path within the group."""
        return self.path.removeprefix(f"{self.group}.")


def parameters(results: Sequence[Subject]) -> tuple[Parameter, ...]:
    """Every parameter of the runs, once for each different value."""
    owners: dict[tuple[str, str, str, str], list[str]] = {}
    for result in results:
        for each in result.assumptions:
            owners.setdefault((each.parameter, shown(each), each.status, each.source), []).append(label(result))
    return tuple(
        Parameter(
            path=path,
            value=value,
            status=status,
            source=source,
            runs=() if len(runs) == len(results) else tuple(runs),
        )
        for (path, value, status, source), runs in owners.items()
    )


def parameters_of(assumptions: Iterable[Assumption]) -> tuple[Parameter, ...]:
    """The parameters that a single study rests on, as they come."""
    return tuple(
        Parameter(path=each.parameter, value=shown(each), status=each.status, source=each.source)
        for each in assumptions
    )


def by_group(of: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    """The parameters by the first part of their path."""
    groups: dict[str, list[Parameter]] = {}
    for parameter in of:
        groups.setdefault(parameter.group, []).append(parameter)
    return groups


def statuses(of: Iterable[Parameter]) -> list[tuple[str, int]]:
    """How many parameters have each status, the most frequent first."""
    return Counter(parameter.status for parameter in of).most_common()


def status_words(of: Iterable[Parameter]) -> str:
    """The count of each status in words, or empty: ``126 assumed, 5 derived, 4 published``."""
    return ", ".join(f"{size} {status}" for status, size in statuses(of))


def inputs_table(results: Sequence[Subject]) -> Table:
    """What went into the runs, each input once, with the hash of its content."""
    return hashes_table(
        dict.fromkeys(
            (role.replace("_", " "), source.name, source.sha256)
            for result in results
            for role, source in result.inputs.items()
        )
    )


def hashes_table(inputs: Iterable[tuple[str, str, str]]) -> Table:
    """Inputs by their role, their name and the hash of their content."""
    return Table(
        headings=("input", "name", "sha256 of its content"),
        rows=tuple(tuple(map(Cell, each)) for each in inputs),
        words=frozenset({0, 1, 2}),
    )


def shown(assumption: Assumption) -> str:
    """The value as a reader expects it."""
    value = assumption.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
