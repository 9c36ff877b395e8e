"""Standard output and error as a command finds them: closed, of a terminal that knows ASCII alone, or fit for use.

What is printed holds names out of files. A control character in one of them would move the cursor, hide text or give a
terminal commands: it is shown as its escape. What a character set lacks is shown so, too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""All but tab, line break and carriage return; and what turns the direction of a text around."""


def shown(text: str) -> str:
    r"""A text with its control characters as escapes.

    >>> print(shown("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class ShownText:
    """A stream whose text is shown as it is; all else is the stream's own.

    Attributes:
        stream: that is written to; for what draws on the terminal itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text; gives its length, as streams do."""
        safe = shown(text)
        try:
            self.stream.write(safe)
        except UnicodeEncodeError:
            known = self.stream.encoding or "ascii"
            self.stream.write(safe.encode(known, "backslashreplace").decode(known))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Have both streams there, and what is printed shown as it is, for as long as a command runs."""
    before = sys.stdout, sys.stderr
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file that is opened would get what is printed.
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _usable(sys.stdout, 1), _usable(sys.stderr, 2)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _usable(stream: TextIO | None, descriptor: int) -> TextIO:
    # Python has None in the place of a stream that was closed before it began.
    there = open(descriptor, "w", closefd=False, encoding="utf-8") if stream is None else stream  # noqa: SIM115
    return cast("TextIO", ShownText(there))
