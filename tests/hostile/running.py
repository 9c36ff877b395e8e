"""A command line run in this process: what it printed, how it left, and whether it came to an end in time."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from unittest import mock

import typer

from bisparse.command_line import main

_command = functools.cache(typer.main.get_command)
"""The program's commands, which are the same in every case: making them took as long as running one."""

SECONDS = 10.0
"""That a case may take."""


class OutOfTimeError(BaseException):
    """A case has taken longer than it may; no ``except Exception`` is meant to see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command line ended.

    Attributes:
        code: of its exit; None when it did not leave by one.
        out: standard output.
        err: standard error.
        error: what was raised instead, with its traceback; empty when nothing was.
        seconds: that it took.
    """

    code: int | None
    out: str
    err: str
    error: str
    seconds: float


def run(argv: Sequence[str], folder: Path, *, seconds: float = SECONDS) -> Outcome:
    """Run a command line in a folder.

    Args:
        argv: without the program's name.
        folder: in which it runs.
        seconds: after which it is stopped.
    """
    out, err = _Stream(), _Stream()
    code, error, began = None, "", time.monotonic()
    known_path, known_modules = list(sys.path), set(sys.modules)
    # As python -m has it: packages that stand for others lie beside the files.
    sys.path.insert(0, str(folder))
    try:
        with (
            contextlib.chdir(folder),
            _stdin(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(typer.main, "get_command", _command),
            _limited(seconds),
        ):
            main(list(argv))
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except OutOfTimeError as late:
        error = f"OutOfTime: {_where(late)}"
    except BaseException as raised:
        error = "".join(traceback.format_exception(raised))
    finally:
        sys.path[:] = known_path
        for name in set(sys.modules) - known_modules:
            # A network of one case is none of the next.
            if name.partition(".")[0] in ("net", "transformers", "mlp"):
                del sys.modules[name]
    return Outcome(code=code, out=out.getvalue(), err=err.getvalue(), error=error, seconds=time.monotonic() - began)


class _Stream(io.StringIO):
    """A stream as a terminal's: what UTF-8 lacks cannot be written."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        text.encode()
        return super().write(text)


def _where(error: BaseException) -> str:
    """The places that a case was at when its time was over, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames[-8:]))


@contextlib.contextmanager
def _stdin() -> Iterator[None]:
    before = sys.stdin
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, late)
    # Again and again: a callback that swallows the first must not swallow all.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
