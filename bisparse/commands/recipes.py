"""``bisparse recipes``: the shipped methods, one method in full, a check of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .shipped import as_path
from .terminal import print_json, print_table

if TYPE_CHECKING:
    from ..training.recipes.pruned_stage import PrunedStage

app = typer.Typer(help="Recipes: list the shipped ones, show one, check a file.", no_args_is_help=True)


@app.command("list")
def list_recipes(as_json: options.Json = False) -> None:
    """List the shipped recipes: what each prunes of the products of a step."""
    from ..configs.library import names
    from ..training.recipes.declaration import load_recipe

    recipes = [load_recipe(name).model for name in names("recipes")]
    if as_json:
        print_json({"recipes": [recipe.model_dump(mode="json", by_alias=True) for recipe in recipes]})
        return
    rows = [("name", "forward prunes", "backward prunes", "weight update prunes", "definition", "title")]
    for recipe in recipes:
        forward, backward, update = map(_pruned, (recipe.forward, recipe.backward, recipe.weight_update))
        rows.append((recipe.name, forward, backward, update, recipe.definition, recipe.title))
    print_table(rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Shipped recipe or YAML file.")],
    as_json: options.Json = False,
) -> None:
    """Show everything that a recipe says, defaults included."""
    from ..training.recipes.declaration import load_recipe

    loaded = load_recipe(name)
    values = loaded.model.model_dump(mode="json", by_alias=True)
    if as_json:
        files = [str(file) for file in loaded.sources]
        print_json({"name": loaded.model.name, "sha256": loaded.sha256, "files": files, "values": values})
        return
    print_table([("field", "value"), *_leaves(values, "")])


@app.command()
def check(file: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file.")]) -> None:
    """Check a recipe's file; prints 'ok' or a line for each fault."""
    from ..training.recipes.declaration import load_recipe

    print(f"ok: {load_recipe(as_path(file)).model.name}")


def _pruned(stage: PrunedStage | None) -> str:
    if stage is None:
        return "nothing"
    how = [word for word, holds in (("online", stage.online), ("permuted", stage.permuted)) if holds]
    return f"{stage.operand} ({', '.join(how)})" if how else stage.operand


def _leaves(value: Any, path: str) -> list[tuple[str, str]]:
    """Dotted paths and values of everything in a tree of mappings, and of lists of them."""
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in _leaves(each, f"{path}.{key}" if path else key)]
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return [leaf for number, each in enumerate(value) for leaf in _leaves(each, f"{path}.{number}")]
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return [(path, shown)]
