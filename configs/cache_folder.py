"""Where the user's machine keeps what can be made again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(of: str) -> Path | None:
    """A folder under ``$BISPARSE_CACHE``, or in the platform's place for caches; None for a user without a home.

    Args:
        of: what is kept there, a folder's name.
    """
    chosen = os.environ.get("BISPARSE_CACHE")
    if chosen:
        return Path(chosen) / of
    try:
        return _platform_folder() / "bisparse" / of
    except RuntimeError:
        return None


def _platform_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
