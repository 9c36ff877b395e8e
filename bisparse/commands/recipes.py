"""``bisparse recipes``: the shipped methods by kind, one method in words and in full, a check of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from . import options
from .shipped import as_path
from .terminal import print_json, print_table

app = typer.Typer(help="Recipes: list the shipped ones, show one, check a file.", no_args_is_help=True)


@app.command("list")
def list_recipes(as_json: options.Json = False) -> None:
    """List the shipped recipes by kind of method: what each prunes of a step, and whether it trains."""
    from ..configs.library import names
    from ..training.recipes.catalogue import METHOD_KINDS
    from ..training.recipes.declaration import load_recipe
    from .recipe_words import pruned_words

    recipes = [load_recipe(name).model for name in names("recipes")]
    if as_json:
        print_json({"recipes": [recipe.model_dump(mode="json", by_alias=True) for recipe in recipes]})
        return
    rows, headings = [("  name", "FF prunes", "BP prunes", "WU prunes", "runs", "title")], {}
    for kind in (*METHOD_KINDS, None):
        of_a_kind = [recipe for recipe in recipes if recipe.kind == kind]
        if of_a_kind:
            headings[len(rows)] = kind or "other"
        for recipe in of_a_kind:
            forward, backward, update = map(pruned_words, (recipe.forward, recipe.backward, recipe.weight_update))
            runs = "simulated" if recipe.simulated_only else "trains"
            rows.append((f"  {recipe.name}", forward, backward, update, runs, recipe.title))
    print_table(rows, headings=headings)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Shipped recipe or YAML file.")],
    as_json: options.Json = False,
) -> None:
    """Show what a recipe prunes where and when, what was published of it and measured here, and every field it says."""
    from ..training.recipes.declaration import load_recipe
    from .recipe_words import recipe_words

    loaded = load_recipe(name)
    recipe = loaded.model
    values = recipe.model_dump(mode="json", by_alias=True)
    files = [str(file) for file in loaded.sources]
    if as_json:
        trains = {"simulated_only": recipe.simulated_only}
        print_json({"name": recipe.name, "sha256": loaded.sha256, "files": files, **trains, "values": values})
        return
    print(f"{recipe.name}: {recipe.title}\nfiles: {', '.join(files)}\nsha256: {loaded.sha256}\n")
    print_table(_once(recipe_words(recipe)))
    said = recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)
    leaves = list(_leaves({field: value for field, value in said.items() if field not in _TOLD}, ""))
    if leaves:
        print()
        print_table([("field", "value"), *leaves])
    print("\nand defaults of all other fields, which --json shows")


@app.command()
def check(file: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file.")]) -> None:
    """Check a recipe's file; prints 'ok' or a line for each fault."""
    from ..training.recipes.declaration import load_recipe

    print(f"ok: {load_recipe(as_path(file)).model.name}")


_TOLD = ("name", "title", "source", "definition", "kind", "published", "usual")
"""Fields that the words before the table have told."""


def _once(words: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The same, a label that is that of the line before left out."""
    before = ""
    for label, sentence in words:
        yield "" if label == before else label, sentence
        before = label


def _leaves(value: Any, path: str) -> list[tuple[str, str]]:
    """Dotted paths and values of everything in a tree of mappings, and of lists of them."""
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in _leaves(each, f"{path}.{key}" if path else key)]
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return [leaf for number, each in enumerate(value) for leaf in _leaves(each, f"{path}.{number}")]
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return [(path, shown)]
