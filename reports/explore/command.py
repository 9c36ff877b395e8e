"""The command line that simulates one design of a study, and the hardware file that it needs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ...configs import library
from ...configs.provenance import LABELS, Provenance, is_leaf
from ...sim.studies.explore.point import Point


def simulate_command(point: Point, hardware: str, *, workload: str = "") -> str:
    """What a reader types to simulate a point.

    Args:
        point: of a study.
        hardware: name or path of its hardware file.
        workload: name or path of what it trains; what that calls itself when not given.
    """
    words = ["bisparse", "simulate", workload or point.workload.graph.name, "--hardware", hardware]
    recipe = point.recipe.sources[0]
    words += ["--recipe", point.recipe.model.name if library.is_shipped(recipe) else str(recipe)]
    words += ["--sparsity", str(point.pattern), *point.options.words()]
    return shlex.join(words)


def hardware_file(point: Point, *, name: str, title: str, comment: Sequence[str]) -> str:
    """A point's hardware as a complete file that ``load_hardware`` reads.

    Args:
        point: of a study.
        name: of the hardware in the file.
        title: likewise.
        comment: lines that stand on top.

    Returns:
        YAML, every value with how well it is known and why.
    """
    hardware = point.hardware
    data = dict(hardware.document.data) | {"name": name, "title": title}
    if library.is_path(str(data["energy_table"])):
        # Named from beside the file that this one is made of.
        beside = Path(hardware.document.place_of(("energy_table",)).file).parent
        data["energy_table"] = str((beside / str(data["energy_table"])).resolve())
    content = _annotated(data, "", dict(hardware.provenance))
    # Leaves and short lists stay in a line, as a person writes them.
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    # A name may hold a line break, behind which the comment would end.
    said = "".join(f"# {' '.join(line.splitlines())}".rstrip() + "\n" for line in comment)
    return f"{said}\n{text}"


def _annotated(value: Any, path: str, provenance: dict[str, Provenance]) -> Any:
    """A value with what is known of it; of a mapping whose leaves all share that, once for all of them."""
    if is_leaf(value):
        known = provenance.get(path)
        if known is None or path.rpartition(".")[2] in LABELS:
            return value
        return _said(value, known.status, known.source)
    if isinstance(value, list):
        return [_annotated(item, f"{path}.{at}", provenance) for at, item in enumerate(value)]
    inner = {known: of for known, of in provenance.items() if known.startswith(f"{path}.")} if path else {}
    alike = {(each.status, each.source) for each in inner.values()}
    if len(inner) > 1 and len(alike) == 1:
        return _said(value, *alike.pop())
    return {key: _annotated(item, f"{path}.{key}" if path else key, provenance) for key, item in value.items()}


def _said(value: Any, status: str, source: str) -> Any:
    if status == "given" and not source:
        return value
    return {"value": value, "status": status} | ({"source": source} if source else {})
