"""Checksums of what a finished training run leaves behind: ``checksums.sha256``, which ``sha256sum --check`` reads.

Whoever goes on from a file of the run asks here whether it is what the run wrote. Runs of before there were such, and
files that the list does not name, are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..configs.errors import ConfigError
from ..configs.library import content_hash
from ..configs.whole_file import write_whole

CHECKSUMS_FILE = "checksums.sha256"

_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def write_checksums(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write down what the files of a run hold, by their names."""
    lines = [f"{content_hash(content)}  {name}\n" for name, content in sorted(contents.items())]
    write_whole(directory / CHECKSUMS_FILE, "".join(lines))


def check_content(path: Path, content: bytes) -> None:
    """Refuse a file of a run whose content is not what the run wrote.

    Raises:
        ConfigError: it is not, or the list beside it is damaged.
    """
    beside = path.parent / CHECKSUMS_FILE
    if not beside.is_file():
        return
    lines = [_LINE.fullmatch(line) for line in beside.read_text(encoding="utf-8", errors="replace").splitlines()]
    sums = {match[2]: match[1] for match in lines if match}
    if len(sums) != len(lines):
        raise ConfigError(f"{beside}: got a damaged list, need a checksum and a name a line; try removing it")
    if sums.get(path.name, content_hash(content)) != content_hash(content):
        raise ConfigError(
            f"{path}: got another content than the run wrote, by its checksum in {beside.name}, need it as it was; try "
            "training again, or removing that list if the change is yours"
        )
