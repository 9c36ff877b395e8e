"""A file written whole or not at all, and a table read whole before its first row is looked at."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ConfigError


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
        ConfigError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        content = Path(path).read_bytes()
        return content, content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: got no such file, need {need}") from None
    except OSError as error:
        raise ConfigError(f"{path}: got {error.strerror}, need a CSV file that can be read") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got byte {error.start} that is not UTF-8, need UTF-8 text") from None
