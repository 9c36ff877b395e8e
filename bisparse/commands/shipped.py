"""What the commands about shipped files share."""

from __future__ import annotations


def as_path(file: str) -> str:
    """The word as a path, even if it would be a shipped name: ``check mine`` means a file."""
    from ..configs.library import is_path

    return file if is_path(file) else f"./{file}"
