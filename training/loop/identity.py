"""What makes two training runs the same: settings, contents of recipe and data, and the graph of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...configs.errors import ConfigError


def check_identity(path: Path, known: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse to go on with another run.

    Args:
        path: of the file or directory that holds it.
        known: identity of the run that is there.
        wanted: identity of the run that is asked for; what it does not say is not compared.

    Raises:
        ConfigError: they differ; the message names the first thing that does.
    """
    if not isinstance(known, dict) or not isinstance(known.get("settings"), dict):
        raise ConfigError(f"{path}: got no settings of a run, need those of this one; try another --out")
    theirs, ours = _flat(known), _flat(wanted)
    for name, value in ours.items():
        if theirs.get(name) != value:
            hashed = ("recipe", "data", "graph", "start")
            what = f"another {name}" if name in hashed else f"{name} {theirs.get(name)}"
            need = "the same" if name in hashed else f"{value}"
            raise ConfigError(f"{path}: got a run with {what}, need {need}; try another --out")


def _flat(identity: dict[str, Any]) -> dict[str, Any]:
    # The recipe and the weights that a run begins with are told by their content, wherever their files lie.
    told = ("recipe", "start")
    settings = {name: value for name, value in identity.get("settings", {}).items() if name not in told}
    return settings | {name: value for name, value in identity.items() if name != "settings"}
