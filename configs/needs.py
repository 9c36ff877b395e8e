"""Packages that training and exploring need beyond those that simulating does."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import ConfigError


def check_torch() -> None:
    """Say plainly that torch is missing; ``ConfigError`` when it is."""
    check_package("torch", "train", extra="train")


def check_package(package: str, what: str, *, extra: str) -> None:
    """Say plainly that a package is missing.

    Args:
        package: its name.
        what: asks for it.
        extra: of bisparse, that brings it.

    Raises:
        ConfigError: it is missing.
    """
    if find_spec(package) is None:
        raise ConfigError(f"{what}: got no package {package!r}, need it; try pip install 'bisparse[{extra}]'")
