"""Packages that training needs beyond those that simulating does."""

from __future__ import annotations

from importlib.util import find_spec

from ..configs.errors import ConfigError


def check_torch() -> None:
    """Say plainly that torch is missing.

    Raises:
        ConfigError: it is.
    """
    if find_spec("torch") is None:
        raise ConfigError("train: got no package 'torch', need it; try pip install 'bisparse[train]'")
