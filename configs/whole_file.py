"""Files written whole or not at all, and a table read whole before its first row is looked at.

What is written stands beside its place until it is whole, and is moved there then. A full disk, an interrupt or an
error leaves the file of before and nothing else; a process that is killed may leave the part beside (``.NAME.….part``),
never half a file in its place.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .errors import ConfigError
from .file_reading import decoded, read_file

_LARGEST_TABLE_BYTES = 256 * 2**20
"""Bytes of a CSV file that are read: hundreds of epochs of thousands of layers."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Put content, a text as UTF-8, in the place of whatever the file holds.

    A reader, or a crash, never meets half a file: the name appears only when the content is whole.
    """
    with written_whole(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def write_all_whole(directory: Path, contents: Mapping[str, str | bytes]) -> None:
    """Put files of a directory in the place of those of before, all of them or none.

    All are written beside first, and moved when the last one is whole: a full disk, an interrupt while they are written
    or an error leaves every file as it was. The moves, a few system calls, follow one upon the other; a process that is
    killed, or a machine that stops, between two of them leaves some files new and some old.
    """
    with ExitStack() as all_moved:
        # Moved when the stack unwinds, the last one first; where one cannot be written, none is.
        places = {name: all_moved.enter_context(written_whole(directory / name)) for name in reversed([*contents])}
        for name, content in contents.items():
            places[name].write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place to write a file to, which is moved to its own place at the end, unless there is an error.

    A link stays, and what it points to is replaced; a file keeps its mode. What is no file (``/dev/stdout``, a pipe) is
    written where it is.
    """
    # By its own name: what a pipe's link points to is no path.
    if path.exists() and not path.is_file():
        with _with_a_reader(path):
            yield path
        return
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    # A name that nobody can have put there, and short beside one of any length; what it ends in says how to write it.
    beside = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}.part{target.suffix[:20]}")
    try:
        yield beside
        if target.exists():
            with suppress(PermissionError):
                shutil.copymode(target, beside)
        beside.replace(target)
    except OSError as error:
        # Whoever is told of it knows the file by its own name.
        if error.filename == str(beside):
            error.filename = str(path)
        raise
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _with_a_reader(path: Path) -> Iterator[None]:
    """Refuse a FIFO that nobody reads, which whoever writes to it would wait for."""
    if not path.is_fifo():
        yield
        return
    try:
        # Held, so that the reader meets no end before the content.
        held = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise ConfigError(f"{path}: got a FIFO that nobody reads, need a file, or a reader; try cat {path} &") from None
    try:
        yield
    finally:
        os.close(held)


def read_table(path: Path | str, *, need: str) -> tuple[bytes, str]:
    """What a CSV file holds: its bytes, and its text without a byte-order mark.

    The whole of it at once: an unreadable byte far down must not surface between rows.

    Args:
        path: of the file.
        need: what is missing where there is no such file.

    Raises:
        ConfigError: there is no such file, it is too large, cannot be read, or is not UTF-8.
    """
    content = read_file(path, need=need, most_bytes=_LARGEST_TABLE_BYTES)
    return content, decoded(content, path)
