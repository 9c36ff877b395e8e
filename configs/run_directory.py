"""The directory of a run: one process writes into it at a time, and what keeps it from that is told.

The lock is the system's, on the directory itself (``flock``): no file stands for it, and it ends with the process,
however that ends. Some file systems, and Windows, have none; there nothing keeps a second run away, which is told.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ConfigError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_PATIENCE_SECONDS = 1.0
"""How long another process may take to let go: the workers of one that was killed end a moment after it."""

_TRY_AGAIN_SECONDS = 0.05


def _silent(remark: str) -> None:
    """Nobody is told."""


@contextmanager
def sole_owner(directory: Path, *, told: Callable[[str], None] = _silent) -> Iterator[None]:
    """Hold a run's directory, which is made if absent, and taken away again if nothing came of it.

    Args:
        directory: of the run.
        told: gets a remark where the file system has no locks.

    Raises:
        ConfigError: another process holds it, or it cannot be made.
    """
    with directory_errors(directory):
        made = _made(directory)
        held = _held(directory)
    try:
        if held is None:
            told(f"{directory}: its file system has no locks: nothing keeps a second run from writing there")
        yield
    finally:
        # While it is held: whoever waits for it sees that it is gone.
        for each in made:
            with suppress(OSError):
                each.rmdir()
        if held is not None:
            os.close(held)


@contextmanager
def directory_errors(directory: Path) -> Iterator[None]:
    """Tell what the system says of a directory, or of a file in it, as a ``ConfigError``."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"{directory}: got a file in its place, need a directory; try another name") from error
    except PermissionError as error:
        raise ConfigError(f"{directory}: got no permission to write, need a directory that can be written") from error
    except OSError as error:
        raise ConfigError(
            f"{directory}: got {error.strerror or error}, need a directory that can be written; try another disk"
        ) from error


def _made(directory: Path) -> list[Path]:
    """Make a directory and those above it; the ones that were not there, the innermost first."""
    absent = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return absent


def _held(directory: Path) -> int | None:
    """A descriptor that holds the lock; None where there are no locks."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            descriptor = os.open(directory, os.O_RDONLY)
        except FileNotFoundError:
            # Another run that came to nothing took it away just now.
            directory.mkdir(parents=True, exist_ok=True)
            continue
        except OSError:
            return None
        if (locked := _locked(descriptor)) is None:
            os.close(descriptor)
            return None
        if locked and _is_at(directory, descriptor):
            return descriptor
        os.close(descriptor)
        if not locked:
            if time.monotonic() > until:
                raise ConfigError(
                    f"{directory}: got a run under way in another process, need it ended; try another directory"
                )
            time.sleep(_TRY_AGAIN_SECONDS)


def _locked(descriptor: int) -> bool | None:
    """Whether the lock is ours now; None where there are none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


def _is_at(directory: Path, descriptor: int) -> bool:
    """Whether it is the directory that has the name now."""
    try:
        return os.path.samestat(os.stat(directory), os.fstat(descriptor))
    except FileNotFoundError:
        return False
