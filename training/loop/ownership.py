"""One process a run: a second one in the same directory is refused."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...configs.errors import ConfigError

_LOCK_FILE = ".lock"


@contextmanager
def sole_owner(directory: Path) -> Iterator[None]:
    """Hold a run's directory; the system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: another process holds it.
    """
    with (directory / _LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{directory}: got a run under way in another process, need it ended; try another --out"
            ) from error
        yield
