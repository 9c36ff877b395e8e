"""Options that several commands share, and the command line that repeats a run.

How a step is scheduled is declared in ``sim.options``, what a training run is told in ``training.settings``.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import defaults
from ..sim.options import Options
from .completion import shipped
from .groups import DeclaredIn
from .usage import LARGEST_NUMBER, whole_number

if TYPE_CHECKING:
    from ..accel.specification import Hardware
    from ..configs.schema import Loaded


def whole(flag: str, *, metavar: str, example: int, help: str, at_least: int = 1, at_most: int = LARGEST_NUMBER) -> Any:
    """An option that takes a whole number.

    Args:
        flag: what it is called.
        metavar: what the help calls the number.
        example: a good one, for messages.
        help: what it means.
        at_least: the smallest that is taken.
        at_most: the largest that is taken.
    """
    parser = whole_number(flag, at_least=at_least, example=example, at_most=at_most)
    return typer.Option(flag, metavar=metavar, parser=parser, help=help)


Workload = Annotated[
    str,
    typer.Argument(
        metavar="WORKLOAD",
        help="Shipped workload (see: bisparse workloads list) or captured graph.json.",
        autocompletion=shipped("workloads"),
    ),
]
HardwareOption = Annotated[
    str | None,
    typer.Option(
        "--hardware",
        metavar="NAME|FILE",
        help=f"Shipped design, YAML or SCALE-Sim .cfg file. [{defaults.HARDWARE}]",
        autocompletion=shipped("hardware"),
    ),
]
SetFields = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Change a field of the design, such as tensor_engine.rows=64; repeatable."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The hardware, and what is changed of it."""

    hardware: HardwareOption = None
    set_fields: SetFields = None

    def load(self, usual: str = defaults.HARDWARE) -> Loaded[Hardware]:
        """The design, or the usual one where none is named.

        Raises:
            ConfigError: there is none, or a field that it has not is set.
        """
        return load_design(self.hardware or usual, self.set_fields)


def load_design(name: str, changed: Sequence[str] | None) -> Loaded[Hardware]:
    """A design by name with fields set; ``ConfigError`` as for ``Design.load``."""
    from ..accel.specification import load_hardware

    loaded = load_hardware(name)
    if not changed:
        return loaded
    from ..accel.set_fields import set_fields

    return set_fields(loaded, changed)


Sparsity = Annotated[
    str | None,
    typer.Option(
        "--sparsity",
        metavar="FORMAT",
        help="N:M, N kept of every M, 1 <= N <= M <= 32; with masks that are given a share of zeros, 80% or "
        f"75% block 16x16, 70% in each row. [{defaults.SPARSITY}]",
    ),
]
Objective = Annotated[
    str | None,
    typer.Option("--objective", metavar="NAME", help="What the mapping minimises: time, energy, energy-delay. [time]"),
]
RecipeOption = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help="Shipped recipe or YAML file.",
        autocompletion=shipped("recipes"),
    ),
]
Step = Annotated[dict[str, Any], DeclaredIn(Options)]
"""How a step is scheduled: all that a command line can say of it."""
Batch = Annotated[dict[str, Any], DeclaredIn(Options, only=("batch",))]
TrainingSteps = Annotated[
    int | None,
    whole(
        "--training-steps",
        metavar="N",
        example=10000,
        help="Also simulate a whole training run of so many steps, phase by phase.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write result.json, operators.csv, report.html and report.md here."),
]
WithRange = Annotated[
    bool,
    typer.Option("--range", help="Also find how far the answer moves within the ranges that the design's files give."),
]
WithWhatIf = Annotated[
    bool, typer.Option("--what-if", help="Also simulate what would help: more lanes, a larger array, more memory.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse operators that may hold multiplications and cannot be counted.")
]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="Of torch, such as cuda, which sums in another order than a CPU: other bits."
    ),
]
RunsAtATime = Annotated[
    int | None,
    whole("--jobs", metavar="J", example=2, help="Runs at a time, a thread each. [as many as cores; 1 on a GPU]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Open = Annotated[
    bool, typer.Option("--open", help="Open the report in a browser (in a temporary folder without --out).")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a decision needs beside the answer."""

    with_range: WithRange = False
    what_if: WithWhatIf = False


_OF_THE_TERMINAL = frozenset({"as_json", "open_report"})
"""Parameters that change where a run is shown, not what it is."""


def invocation(context: typer.Context) -> str:
    """The command line that repeats this run: what was given, in the order that the help lists it.

    Args:
        context: of the running command.
    """
    words = context.command_path.split()
    for parameter in context.command.params:
        name = parameter.name or ""
        value = context.params.get(name)
        if value is None or value == parameter.default or name in _OF_THE_TERMINAL:
            continue
        if isinstance(value, list | tuple):
            words += [word for each in value for word in (parameter.opts[0], str(each))]
            continue
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif isinstance(value, bool):
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            words += [parameter.opts[0], str(value)]
    return shlex.join(words)
