"""The command line: what ``bisparse`` and ``python -m bisparse`` run.

Commands stand in ``bisparse.commands``, a file each; they import what they need when they run, so that ``--help``
costs only typer. A user's mistake is one line on standard error and exit code 2; an interrupt is exit code 130; a
traceback is a fault of ours.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from . import __version__
from .commands import (
    ablate,
    assign,
    capture,
    codesign,
    consistent,
    explore,
    gemm,
    hardware,
    init,
    recipes,
    report,
    sensitivity,
    step,
    trace,
    train,
    usage,
    validate,
    workloads,
)
from .commands.streams import usable_streams
from .commands.terminal import keep_quiet
from .configs.errors import BisparseError

app = typer.Typer(
    name="bisparse",
    help="What a sparse-training method buys on an accelerator, in cycles, joules and bytes, against dense training.",
    epilog="Shipped names: bisparse workloads list, bisparse hardware list, bisparse recipes list.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # Without markup typer never imports rich, which would double the time of --help.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(step.simulate)
app.command()(step.compare)
app.command()(ablate.ablate)
app.command()(assign.assign)
app.command()(capture.capture)
app.command()(codesign.codesign)
app.command()(consistent.consistent)
app.command()(explore.explore)
app.command()(gemm.gemm)
app.command()(init.init)
app.command()(sensitivity.sensitivity)
app.command()(trace.trace)
app.command()(train.train)
app.command()(validate.validate)
app.command()(report.report)
app.add_typer(hardware.app, name="hardware")
app.add_typer(workloads.app, name="workloads")
app.add_typer(recipes.app, name="recipes")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"bisparse {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Keep remarks and progress back; the answer and mistakes stay.")
    ] = False,
) -> None:
    """Options of ``bisparse`` itself."""
    keep_quiet(quiet)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code: 0, 1 (a check failed), 2 (a mistake in the input) or 130.

    Args:
        arguments: of the command line; the process's own when None.
    """
    with usable_streams():
        _run(arguments)


def _run(arguments: Sequence[str] | None) -> NoReturn:
    # A command is one short run whose objects live to its end: looking for garbage cost a quarter of its time.
    gc.set_threshold(100_000, 20, 20)
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        try:
            code = _parser()(args=words, prog_name="bisparse", standalone_mode=False)
        finally:
            # Here, where it can still be answered for, rather than at exit.
            sys.stdout.flush()
    except BisparseError as error:
        _refuse(str(error))
    except usage.UsageError as error:
        if usage.wants_help(error):
            _refuse(str(error))
        _refuse(usage.one_line(error, words))
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still in the buffer must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _refuse(f"{where}{_in_our_words(error)}")
    except MemoryError:
        _refuse("memory: got none left, need more of it; try a smaller batch or a smaller file")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


@cache
def _parser() -> Callable[..., Any]:
    """What reads the words of a command line; made once, for a process that runs several."""
    return get_command(app)


def _in_our_words(error: OSError) -> str:
    match error:
        case IsADirectoryError():
            return "got a folder, need a file"
        case FileExistsError() | NotADirectoryError():
            return "got a file, need a folder"
        case FileNotFoundError():
            return "got no such file or folder, need one that is there"
        case PermissionError():
            return "got no permission, need a file or folder that you may use"
    return f"got {error.strerror or error}, need a file or stream that can be used"


def _refuse(message: str) -> NoReturn:
    # A word, or a list, of thousands of characters is no help to whoever gave it.
    told = re.sub(rf"\S{{{_LONGEST_WORD},}}", lambda word: f"{word[0][:60]}...{word[0][-20:]}", message)
    lines = [line if len(line) <= _LONGEST_LINE else f"{line[:600]}...{line[-300:]}" for line in told.split("\n")]
    print("\n".join(lines), file=sys.stderr)
    sys.exit(2)


_LONGEST_LINE = 2000
"""Characters of a line that are told; a list of all fields is shorter."""

_LONGEST_WORD = 400
"""Characters of a word of a message that are told; paths are shorter."""
