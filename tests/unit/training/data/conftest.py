"""Tiny data sets of every kind, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ``.npz``: forty images of 1x8x8 in two classes, with arrays replaced, added or (as None) left out."""

    def write(**changed: Any) -> Path:
        pixels = np.arange(40 * 64, dtype=np.int64) % 251
        arrays = {"train_inputs": pixels.astype(np.uint8).reshape(40, 1, 8, 8), "train_targets": np.arange(40) % 2}
        arrays.update(changed)
        path = tmp_path / "mine.npz"
        np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
        return path

    return write


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """A thousand characters of five symbols."""
    path = tmp_path / "mine.txt"
    path.write_text("abcd " * 200, encoding="utf-8")
    return path
