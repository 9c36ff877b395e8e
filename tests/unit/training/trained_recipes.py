"""Shipped recipes that a loop goes through once, on a network as it is, and that take N:M."""

from __future__ import annotations

from bisparse.configs.library import names
from bisparse.training.recipes.declaration import load_recipe

EVERY = {name: load_recipe(name).model for name in names("recipes")}
TRAINED = [
    name
    for name, model in EVERY.items()
    if model.trains_once and not model.rewrites and model.mask_search.refined is None
]
