"""Recipes at work on torch modules: masks, products with a weight for each pass, and what an update needs of them.

    from bisparse.training.recipes.in_torch import apply
    applied = apply(model, load_recipe("bdwp").model, Pattern(2, 8))
    applied.attach(optimizer)

After that the model trains with the recipe in the user's own loop; see ``apply``.
"""

from .applied import AppliedRecipe
from .apply import apply, check_trains_once
from .frozen_adam import FrozenVarianceAdam

__all__ = ["AppliedRecipe", "FrozenVarianceAdam", "apply", "check_trains_once"]
