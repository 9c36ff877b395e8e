"""Recipes with the ratios that each is to be simulated at: the same for all, each recipe's usual one, or its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .configs.errors import ConfigError
from .configs.formats import parse_format
from .configs.operand_format import OperandFormat
from .configs.schema import Loaded
from .training.recipes.declaration import Recipe, load_recipe

USUAL = "usual"
"""Said for a ratio: what the recipe is usually run with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRecipe:
    """A recipe, and the ratios that it is simulated at.

    Attributes:
        recipe: the method.
        patterns: its ratios, at least one.
        own_ratio: whether it was given a ratio of its own.
    """

    recipe: Loaded[Recipe]
    patterns: tuple[OperandFormat, ...]
    own_ratio: bool = False


def asked_recipe(named: str | Path | Loaded[Recipe], ratios: Sequence[str | OperandFormat]) -> AskedRecipe:
    """A recipe at ratios, or at its own where it is written ``NAME@RATIO``.

    Args:
        named: a shipped recipe's name or a file's path, behind it ``@`` and a ratio or not; or a recipe that is loaded.
        ratios: for recipes that say none, ``usual`` among them or not.

    Raises:
        ConfigError: there is no such recipe, or a ratio is none.
    """
    if isinstance(named, Loaded):
        return AskedRecipe(recipe=named, patterns=tuple(_patterns(named.model, ratios)))
    name, at, own = str(named).rpartition("@")
    # A path may hold an @ too.
    if not at or Path(str(named)).exists():
        recipe = load_recipe(str(named))
        return AskedRecipe(recipe=recipe, patterns=tuple(_patterns(recipe.model, ratios)))
    recipe = load_recipe(name)
    if not recipe.model.prunes and own != USUAL:
        raise ConfigError(f"recipes: got {named}, but {recipe.model.name} prunes to no ratio, need none; try {name}")
    return AskedRecipe(recipe=recipe, patterns=tuple(_patterns(recipe.model, [own])), own_ratio=True)


def _patterns(recipe: Recipe, ratios: Sequence[str | OperandFormat]) -> Iterator[OperandFormat]:
    """Each ratio once: the usual one may be among the others."""
    seen: dict[str, OperandFormat] = {}
    for ratio in ratios:
        if isinstance(ratio, str):
            ratio = parse_format(recipe.usual_sparsity if ratio == USUAL else ratio)
        seen.setdefault(str(ratio), ratio)
    yield from seen.values()
