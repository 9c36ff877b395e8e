"""From what a user names to a data set: a name, an ``.npz``, a folder of images, a text file."""

from __future__ import annotations

import difflib
from pathlib import Path

from ...configs.errors import ConfigError
from .archive import load_archive
from .built_in import BUILT_IN
from .data_set import DataSet
from .folders import load_folder
from .text import load_text


def names() -> list[str]:
    """Names of the data sets known without a path, whether or not their package is installed."""
    return list(BUILT_IN)


def load_data(name_or_path: str | Path, *, context: int | None = None, resize: int | None = None) -> DataSet:
    """The data set that a user means.

    Args:
        name_or_path: one of ``names()``; or a path to an ``.npz``, to a ``.txt``, or to a folder of images. A name
            hides a folder of the same name; ``./digits`` is the folder.
        context: symbols that a network reads at once, of a text; 64 when None.
        resize: side in pixels that the images of a folder are scaled to; as they are when None.

    Raises:
        ConfigError: no such data, its package is missing, its content is not as needed, or an option does not fit it.
    """
    if isinstance(name_or_path, str) and name_or_path in BUILT_IN:
        known = BUILT_IN[name_or_path]
        _refuse(known.name, "resize", resize, "a folder of images")
        if known.kind != "text":
            _refuse(known.name, "context", context, "a text")
        return known.load(context)
    path = Path(name_or_path)
    if path.is_dir():
        _refuse(str(path), "context", context, "a text")
        if resize is not None and resize < 1:
            raise ConfigError(f"resize: got {resize}, need a positive side in pixels; try 32")
        return load_folder(path, resize=resize)
    if not path.is_file():
        near = difflib.get_close_matches(str(name_or_path).lower(), BUILT_IN, n=1)
        hint = f"; try {near[0]}" if near else ""
        raise ConfigError(
            f"data: got {str(name_or_path)!r}, need one of {', '.join(BUILT_IN)} "
            f"or a path to an .npz, a .txt or a folder of images{hint}"
        )
    _refuse(str(path), "resize", resize, "a folder of images")
    if path.suffix.lower() == ".npz":
        _refuse(str(path), "context", context, "a text")
        return load_archive(path)
    if path.suffix.lower() == ".txt":
        return load_text(path, context=context)
    raise ConfigError(
        f"{path}: got a file {path.suffix or 'without a suffix'}, need .npz or .txt, or a folder of images"
    )


def _refuse(name: str, option: str, value: int | None, fitting: str) -> None:
    if value is not None:
        raise ConfigError(f"{option}: got {value} for {name}, need it left out; try it with {fitting}")
