"""Command lines with a word that nobody means, for every option of every command of the program itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from random import Random
from typing import Any

import typer

from bisparse.command_line import app

from .raw_bytes import NOT_FILES
from .values import NAMES, NUMBER_TEXTS, NUMBERS

STARTS: dict[str, str] = {
    "simulate": "mlp.json --batch 8",
    "compare": "mlp.json --batch 8 --recipes dense,bdwp",
    "ablate": "mlp.json --batch 8",
    "assign": "dense --ratios 2:8,4:8",
    "capture": "net.py:made --input 1x8x8 --out graph.json --no-cache",
    "consistent": "claims.yaml --out agreed --jobs 1",
    "codesign": "--model mlp --data digits --epochs 1 --recipes bdwp --seeds 1 --jobs 1 --out study",
    "explore": "sweep.yaml --out made --jobs 1",
    "gemm": "24x16x32",
    "init": "new.yaml",
    "sensitivity": "mlp.json --batch 8 --hardware design.yaml --draws 2",
    "trace": "mlp.json l1:FF --out bursts.txt --limit 50",
    "train": "--model mlp --data digits --epochs 1 --recipe dense --out made",
    "validate": "--seed 1 --gemms 2 --tilings 2 --schedules 1 --no-torch",
    "report": "run",
    "hardware list": "",
    "hardware show": "design.yaml",
    "hardware check": "design.yaml",
    "hardware fit": "design.yaml",
    "hardware parts": "",
    "hardware area": "design.yaml",
    "hardware dram": "ddr4-2400",
    "workloads list": "",
    "workloads show": "mlp.json",
    "workloads check": "mlp.json",
    "recipes list": "",
    "recipes show": "recipe.yaml",
    "recipes check": "recipe.yaml",
}
"""A command line of each command that does what it is for, in a folder of the corpus."""

WITH_TORCH = frozenset({"assign", "capture", "codesign", "train"})

DEAR = {
    "ablate": 0.2,
    "codesign": 0.05,
    "consistent": 0.2,
    "explore": 0.2,
    "sensitivity": 0.1,
    "train": 0.2,
    "validate": 0.2,
}
"""Commands that take seconds, and how often they are drawn beside the others."""

SECONDS = {"codesign": 90.0, "consistent": 60.0, "explore": 60.0, "sensitivity": 60.0, "train": 60.0, "validate": 60.0}
"""That a command may take which starts processes of its own, or trains."""

LONG = frozenset(
    {
        *("--draws", "--epochs", "--gemms", "--limit", "--range", "--schedules", "--seeds", "--tilings", "--torch"),
        "--warmup-epochs",
    }
)
"""Options that ask for so much of a thing: who asks for a billion is not refused, and waits."""

_TEXTS = tuple(
    f"""
    , 2:8, ,, 9:8 0:0 1:0 2:8:9 1:1 32:32 33:33 -1:4 2:4,2:4,2:4 a:b : bdwp,bdwp 1e3x2x2 0x1x1 1x1x1 1x2x3x4
    dense bdwp sat-vcu1525 resnet9-cifar10 event energy adam inference best os cuda meta 0.5 1.5 -0.5 1e-400
    os:path math:sqrt no.such:thing net.py: net.py:none 3xx 0x0 1x8x8:bf16 B x=1x8x8 1x8x8:whole 1xBx8 :int
    mlp.json design.yaml recipe.yaml products.csv run run/result.json study schedule.json mine.yaml none.json
    no/such/folder/x.yaml / /dev/null/x tcp://127.0.0.1:1 127.0.0.1:1 file:///etc/passwd 99999999999x1x1
    2147483647x2147483647x2147483647 {"a" * 300}
    """.split()
)


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command, by the words that call it."""
    command = typer.main.get_command(app) if command is None else command
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, (*path, name))


@cache
def _all() -> dict[str, tuple[Any, ...]]:
    return {name: tuple(command.params) for name, command in commands()}


def _is_flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False) or parameter.secondary_opts)


def _word(draw: Random) -> str:
    """A value for an option."""
    chance = draw.random()
    if chance < 0.3:
        return str(draw.choice((*NUMBERS, *NUMBER_TEXTS)))
    if chance < 0.5:
        return draw.choice(NAMES).replace("\0", "\\0")
    if chance < 0.6:
        return f"odd-{NOT_FILES.index(draw.choice(NOT_FILES))}"
    return draw.choice(_TEXTS)


def places_of_things() -> dict[str, str]:
    """Names of what stands in the folder of a command line and is no file, and what each is."""
    return {f"odd-{number}": how for number, how in enumerate(NOT_FILES)}


def draw_words(draw: Random, *, without: Collection[str] = ()) -> tuple[str, list[str], list[str]]:
    """A command, its command line and the options of it that have strange values."""
    known = _all()
    # By the options that each has, so that every option is asked as often as the others.
    names = [name for name in known if name not in without]
    weights = [(1 + len(known[name])) * DEAR.get(name, 1.0) for name in names]
    name = draw.choices(names, weights)[0]
    words = [*name.split(), *STARTS.get(name, "").split()]
    strange = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        words, asked = _with_a_strange_word(draw, name, words, known[name])
        strange.append(asked)
    return name, words, strange


def _with_a_strange_word(
    draw: Random, name: str, words: list[str], parameters: tuple[Any, ...]
) -> tuple[list[str], str]:
    chance = draw.random()
    if chance < 0.04:
        return [
            *words,
            draw.choice(("--nothing", "-x", "--", "-", "--json=1", "--help", *NAMES)).replace("\0", ""),
        ], "?"
    if chance < 0.06:
        return words[: draw.randrange(len(words))], "?"
    parameter = draw.choice(parameters)
    if parameter.param_type_name == "argument":
        first = len(name.split())
        rest = words[first + 1 :]
        return [*words[:first], *([] if draw.random() < 0.1 else [_word(draw)]), *rest], parameter.name
    option = draw.choice([*parameter.opts, *parameter.secondary_opts])
    if _is_flag(parameter):
        return [*words, option], option
    if option in words and draw.random() < 0.8:
        place = words.index(option)
        words = words[:place] + words[place + 2 :]
    given = _word(draw)
    return [*words, *([f"{option}={given}"] if draw.random() < 0.2 else [option, given])], option
