"""Ratios by layer and stage as rules of a recipe, and as the YAML file that says so."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from typing import Literal

from ...configs.pattern import DENSE, Pattern
from ..graph import Stage
from .declared_rules import LayerRule

Ratios = Mapping[tuple[str, Stage], Pattern]
"""A ratio by module and stage."""

_NAMES: dict[Stage, Literal["FF", "BP"]] = {Stage.FORWARD: "FF", Stage.BACKWARD: "BP"}


def layer_rules(ratios: Ratios) -> tuple[LayerRule, ...]:
    """Rules that give each layer its ratios, a rule for all layers alike."""
    stages: dict[tuple[str, Pattern], list[Literal["FF", "BP"]]] = {}
    for (module, stage), pattern in ratios.items():
        stages.setdefault((module, DENSE if pattern.is_dense else pattern), []).append(_NAMES[stage])
    alike: dict[tuple[Pattern, tuple[Literal["FF", "BP"], ...]], list[str]] = {}
    for (module, pattern), names in stages.items():
        alike.setdefault((pattern, tuple(sorted(names, reverse=True))), []).append(module)
    return tuple(
        # A path is meant as it stands, whatever marks are in it.
        LayerRule(names=tuple(map(glob.escape, modules)), sparsity=str(pattern), stages=names)
        for (pattern, names), modules in sorted(alike.items())
    )


def recipe_text(
    *, extends: str, name: str, title: str, source: str, rules: Sequence[LayerRule], comments: Sequence[str] = ()
) -> str:
    """The YAML file of a recipe that adds rules to another.

    Args:
        extends: name or path of the other.
        name: of the recipe.
        title: of the recipe.
        source: where its ratios come from.
        rules: that it adds, in place of the other's own.
        comments: lines at its head.
    """
    lines = [f"# {line}" for line in comments]
    # A JSON string is a YAML string.
    lines += [f"extends: {json.dumps(extends)}", f"name: {json.dumps(name)}", f"title: {json.dumps(title)}"]
    lines += [f"source: {json.dumps(source)}", "definition: assumed", "layers:"]
    for rule in rules:
        lines += [f'  - sparsity: "{rule.sparsity}"', f"    stages: [{', '.join(rule.stages)}]", "    names:"]
        lines += [f"      - {json.dumps(path)}" for path in rule.names]
    return "\n".join(lines) + "\n"
