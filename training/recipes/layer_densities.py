"""Densities by layer where a recipe shares a network's zeros out among its layers: alike, as ERK does, or as measured.

A recipe with one threshold for the network leaves each layer a share that only training finds; where a run under it was
measured the zeros of its layers are taken, in proportion, so that together they are those asked for.

ERK (Evci et al., 2020: Rigging the lottery): d_l = eps * (sum of a weight's dims) / (product of them), eps such that
the layers together keep the density asked for; a d_l above 1 is 1, and eps is solved for the others. ERK+ (Liu et al.,
2022) keeps the classifier, the last layer, dense. Source: docs/recipes.md.
"""

from __future__ import annotations

import glob
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...configs.errors import ConfigError
from ...configs.operand_format import OperandFormat
from ...configs.unstructured import Unstructured
from .declaration import Recipe
from .declared_rules import LayerRule
from .rules import has_own_ratio

Shapes = Mapping[str, Sequence[tuple[int, ...]]]
"""The shapes of each layer's weights that are pruned, by module path, in the network's order."""


def erk_densities(shapes: Shapes, density: float, *, dense: tuple[str, ...] = ()) -> dict[str, float]:
    """The density of each layer.

    Args:
        shapes: of the layers.
        density: kept of all of them together.
        dense: layers that stay so whatever their shape.

    Raises:
        ConfigError: what stays dense is more than may be kept.

    >>> found = erk_densities({"a": [(16, 8)], "b": [(64, 64)], "c": [(4, 2)]}, 0.25)
    >>> {name: round(each, 4) for name, each in found.items()}
    {'a': 1.0, 'b': 0.2251, 'c': 1.0}
    """
    elements = {name: sum(map(math.prod, each)) for name, each in shapes.items()}
    raw = {name: sum(sum(shape) for shape in each) / elements[name] for name, each in shapes.items()}
    full = set(dense)
    while True:
        left = density * sum(elements.values()) - sum(elements[name] for name in full)
        among = [name for name in shapes if name not in full]
        if left <= 0 or not among:
            raise ConfigError(
                f"sparsity: got {100 * (1 - density):g}% zeros, need fewer: the layers that stay dense are more than "
                "that keeps",
                field="layer_density",
            )
        scale = left / sum(raw[name] * elements[name] for name in among)
        over = {name for name in among if scale * raw[name] > 1}
        if not over:
            return {name: 1.0 if name in full else scale * raw[name] for name in shapes}
        full |= over


def with_layer_densities(
    recipe: Recipe, pattern: OperandFormat, shapes: Shapes, measured: Mapping[str, float] | None = None
) -> Recipe:
    """The recipe with a rule a layer, where it shares out zeros; itself where it does not, or the pattern is N:M.

    Layers that a rule of the recipe names keep that rule: it stands first.

    Args:
        recipe: the method.
        pattern: of the network as a whole; N:M is the same everywhere.
        shapes: of the layers that it prunes.
        measured: densities of layers in a run under it, which go before if one threshold holds for the network.

    Raises:
        ConfigError: what stays dense is more than may be kept.
    """
    if not shapes or not isinstance(pattern, Unstructured) or pattern.is_dense:
        return recipe
    found = _as_measured(recipe, pattern, shapes, measured or {})
    if not found and not shares_out(recipe, pattern):
        return recipe
    if not found:
        last = (list(shapes)[-1],) if recipe.layer_density == "erk-plus" else ()
        found = erk_densities(shapes, pattern.density, dense=last)
    rules = tuple(
        LayerRule(names=(glob.escape(name),), sparsity=str(replace(pattern, zeros_percent=_zeros_percent(each))))
        for name, each in found.items()
    )
    return recipe.model_copy(update={"layers": (*recipe.layers, *rules)})


def _as_measured(
    recipe: Recipe, pattern: Unstructured, shapes: Shapes, measured: Mapping[str, float]
) -> dict[str, float]:
    """Of each layer that the threshold is for: its measured zeros, times the zeros asked for over those measured."""
    if recipe.mask_search.scope != "network":
        return {}
    elements = {
        name: sum(map(math.prod, each))
        for name, each in shapes.items()
        if name in measured and not has_own_ratio(recipe, name)
    }
    zeros = sum(size * (1 - measured[name]) for name, size in elements.items())
    if not zeros:
        return {}
    scale = (1 - pattern.density) * sum(elements.values()) / zeros
    return {name: 1 - min(scale * (1 - measured[name]), 0.999999) for name in elements}


def shares_out(recipe: Recipe, pattern: OperandFormat) -> bool:
    """Whether layers get densities of their own."""
    return recipe.layer_density != "uniform" and isinstance(pattern, Unstructured) and not pattern.is_dense


def _zeros_percent(density: float) -> float:
    return max(round(100 * (1 - density), 4), 0.0)
