"""Packages that training and exploring need beyond those that simulating does, and the line that installs them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

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
        raise ConfigError(f"{what}: got no package {package!r}, need it; try {install_line(extra)}")


def install_line(extra: str) -> str:
    """The line that adds an extra to this very installation, wherever it came from.

    Args:
        extra: of bisparse.
    """
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e {quote(f'{checkout}[{extra}]')}"
    origin = _origin()
    return f"pip install {quote(f'bisparse[{extra}] @ {origin}' if origin else f'bisparse[{extra}]')}"


def _origin() -> str | None:
    """The address of the wheel or folder that was installed; None where an index gave it."""
    # Here: only a message needs it, and importing it costs what a bare --help should not.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        told = distribution("bisparse").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    return str(json.loads(told)["url"]) if told else None
