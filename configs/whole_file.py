"""A file written whole or not at all, and a table read whole before its first row is looked at."""

from __future__ import annotations

import os
from pathlib import Path

from .file_reading import decoded, read_file

_LARGEST_TABLE_BYTES = 256 * 2**20
"""Bytes of a CSV file that are read: hundreds of epochs of thousands of layers."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Put content, a text as UTF-8, in the place of whatever the file holds.

    A reader, or a crash, never meets half a file: the name appears only when the content is whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
