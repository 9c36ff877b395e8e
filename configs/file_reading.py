"""A file read whole, of which it is known that it is one and how large it may be.

A FIFO without a writer never answers, and a device may have no end; neither is opened. What the caller's shell has
opened for it, ``/dev/stdin`` and ``<(command)``, is read like a file, up to the same size.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from .errors import ConfigError

LARGEST_FILE_BYTES = 64 * 2**20
"""Bytes of a file that are read; ten times the largest graph that a capture has made."""

_OPENED_BY_THE_SHELL = re.compile(r"/dev/stdin|/dev/fd/\d+|/proc/self/fd/\d+")

_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def special_file(path: Path | str) -> str:
    """What a path is when it is neither a file, a folder nor nothing: ``a FIFO``; otherwise empty."""
    if _OPENED_BY_THE_SHELL.fullmatch(str(path)):
        return ""
    try:
        return _SPECIAL.get(stat.S_IFMT(Path(path).stat().st_mode), "")
    except (OSError, ValueError):
        # Whoever opens it says what is wrong.
        return ""


def is_file(path: Path | str) -> bool:
    """Whether a file is there; not so of what cannot be looked at, such as a name too long for any."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def is_folder(path: Path | str) -> bool:
    """Whether a folder is there; as :func:`is_file`."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def check_not_special(path: Path | str) -> None:
    """Refuse what is no file and that opening might wait for, for ever.

    Raises:
        ConfigError: it is a FIFO, a device or a socket.
    """
    if kind := special_file(path):
        raise ConfigError(f"{path}: got {kind}, need a file")


def read_file(path: Path | str, *, need: str, most_bytes: int = LARGEST_FILE_BYTES) -> bytes:
    """The bytes of a file.

    Args:
        path: of the file.
        need: what is missing where there is none.
        most_bytes: that it may have.

    Raises:
        ConfigError: there is no such file, it is none, is too large, or cannot be read.
    """
    check_not_special(path)
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: got no such file, need {need}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: got a folder, need {need}") from None
    except OSError as error:
        raise ConfigError(f"{path}: got {error.strerror}, need a file that can be read") from None
    except ValueError:
        raise ConfigError(f"{str(path)!r}: got a name that no file has, need {need}") from None
    if len(content) > most_bytes:
        raise ConfigError(f"{path}: got more than {most_bytes >> 20} MiB, need a file of at most that")
    return content


def decoded(content: bytes, path: Path | str) -> str:
    """UTF-8 text, without a byte-order mark, lines ended by a line feed alone.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got byte {error.start} that is not UTF-8, need UTF-8 text") from None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
