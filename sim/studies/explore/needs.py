"""Packages that exploring needs beyond those that simulating does."""

from __future__ import annotations

from importlib.util import find_spec

from ....configs.errors import ConfigError


def check_package(package: str, what: str) -> None:
    """Say plainly that a package is missing.

    Args:
        package: its name.
        what: asks for it.

    Raises:
        ConfigError: it is.
    """
    if find_spec(package) is None:
        raise ConfigError(f"{what}: got no package {package!r}, need it; try pip install 'bisparse[explore]'")
