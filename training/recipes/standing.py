"""What is here of each published method: the recipes that realise it, or why there is none, and what became of it.

A method is *simulated* where a recipe realises it, and *runs on data* where one of them trains; of one that no training
run makes the catalogue names the module that has its mathematics: of those outside of deep-network training, with the
network of their arithmetic, and of slicing a trained network. One without a recipe says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .catalogue import Method, catalogue
from .declaration import Recipe
from .measured import MeasuredAccuracy, measured_accuracies


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is here of a method.

    Attributes:
        method: of the catalogue.
        recipes: that realise it.
    """

    method: Method
    recipes: tuple[Recipe, ...]

    @property
    def simulated(self) -> bool:
        """Whether its cost is."""
        return bool(self.recipes or self.method.arithmetic)

    @property
    def runs_on_data(self) -> bool:
        """Whether something here learns by it."""
        return bool(self.method.mathematics) or any(not recipe.simulated_only for recipe in self.recipes)

    @property
    def reason(self) -> str:
        """Why it has no recipe, or why none of its recipes trains; empty where one does."""
        if not self.recipes:
            return self.method.without_recipe
        return "" if self.runs_on_data else self.recipes[0].simulated_only

    @property
    def accuracies(self) -> tuple[MeasuredAccuracy, ...]:
        """What its recipes were measured to cost."""
        own = {recipe.name for recipe in self.recipes}
        return tuple(each for each in measured_accuracies() if each.recipe in own)


def standings(recipes: Iterable[Recipe]) -> Iterator[Standing]:
    """What is here of each method, in the order of the catalogue.

    Args:
        recipes: all that there are.
    """
    by_method: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        by_method.setdefault(recipe.method, []).append(recipe)
    for method in catalogue().values():
        yield Standing(method=method, recipes=tuple(by_method.get(method.id, ())))
