"""The tables of docs/methods.md: every shipped recipe's whole training run and inference, beside what was published.

    python examples/methods_table.py                # simulates what is missing or changed, then writes the tables
    python examples/methods_table.py --jobs 2       # the same in two processes
    python examples/methods_table.py --again        # simulates everything anew
    python examples/methods_table.py --only-write   # the tables alone, of the figures that are there

Figures are kept in docs/methods/figures.csv as they come, so that a run that was stopped goes on. A recipe that is new
or says something else is simulated again; after a change of the model give --again. A recipe is run as ``usual`` says,
or on ResNet-50 at 2:8, 80% where its masks are given. Transformers have Adam, other networks SGD with momentum.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from functools import cache
from pathlib import Path

from bisparse.accel.specification import load_hardware
from bisparse.configs.errors import BisparseError
from bisparse.configs.formats import parse_format
from bisparse.configs.library import content_hash, names
from bisparse.configs.schema import Loaded
from bisparse.configs.worker_pool import WorkerPool
from bisparse.sim.options import Options
from bisparse.sim.simulation import Simulator
from bisparse.sim.training_run import simulate_training
from bisparse.training.recipes.about import About, Usual
from bisparse.training.recipes.catalogue import METHOD_KINDS, catalogue
from bisparse.training.recipes.declaration import Recipe, load_recipe
from bisparse.training.recipes.measured import MeasuredAccuracy
from bisparse.training.recipes.standing import Standing, standings

import bisparse
from bisparse.api import load_workload

DESIGNS = {"sat-vcu1525": "SAT", "sat-unstructured": "skips zeros"}
STEPS = 100_000
"""Of a training run: what happens every 1,000 steps happens often, and what happens once hardly counts."""

ADAM = ("bert-base", "gpt2-small", "gpt2-small-8k", "vit-cifar10")
PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
FIGURES = PAGE.parent / "methods" / "figures.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One recipe on one design, relative to dense; empty numbers where it does not run, and why.

    Attributes:
        recipe: name.
        says: hash of what the recipe says that a figure can depend on.
        workload: that it is run on.
        sparsity: ratio.
        design: name.
        run: ``training``, a whole run, or ``inference``.
        time: over dense.
        energy: over dense.
        macs: that the algorithm keeps, over dense.
        reason: why it does not run, or what must be known of it.
    """

    recipe: str
    says: str
    workload: str
    sparsity: str
    design: str
    run: str
    time: str = ""
    energy: str = ""
    macs: str = ""
    reason: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What it is a figure of."""
        return self.recipe, self.says, self.workload, self.sparsity, self.design, self.run


COLUMNS = tuple(field.name for field in fields(Figure))


# What is simulated ----------------------------------------------------------------------------------------------------


def shipped() -> dict[str, Loaded[Recipe]]:
    """Recipes by name, without dense."""
    loaded = {name: load_recipe(name) for name in names("recipes")}
    return {name: each for name, each in loaded.items() if not each.model.is_baseline}


def usual(recipe: Recipe) -> Usual:
    """What a recipe is run with."""
    return recipe.usual or Usual(sparsity=recipe.usual_sparsity)


def declared(recipe: Recipe) -> str:
    """A hash of what a recipe says, but for its words of itself, and for what it leaves as it is by default."""
    return content_hash(
        recipe.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={*About.model_fields})
    )[:12]


def asked() -> Iterator[Figure]:
    """All figures that there are to be, without their numbers; those of one network and design together."""
    found = [
        Figure(
            recipe=name,
            says=declared(each.model),
            workload=usual(each.model).workload,
            sparsity=usual(each.model).sparsity,
            design=design,
            run=run,
        )
        for name, each in shipped().items()
        for design in DESIGNS
        for run in ("training", "inference")
        if run == "inference" or each.model.pass_ == "training"
    ]
    return iter(sorted(found, key=lambda each: (each.workload, each.design, each.recipe)))


@cache
def simulator(workload: str, design: str) -> Simulator:
    """Shared by all recipes, so that equal products are mapped once."""
    options = Options(optimizer="adam" if workload in ADAM else "sgd-momentum")
    loaded = load_workload(workload)
    return Simulator(workload=loaded, hardware=load_hardware(design), options=options, version=bisparse.__version__)


def measured(asked_for: Figure) -> Figure:
    """The figure with its numbers, or why there are none."""
    recipe, pattern = load_recipe(asked_for.recipe), parse_format(asked_for.sparsity)
    of = simulator(asked_for.workload, asked_for.design)
    said = {name: getattr(asked_for, name) for name in COLUMNS}
    phases = recipe.model.schedule.phases
    try:
        if asked_for.run == "training":
            whole = simulate_training(of, recipe, pattern, STEPS)
            numbers = (
                whole.total_cycles / whole.dense_cycles,
                whole.energy_ratio_vs_dense,
                whole.useful_macs / whole.dense_useful_macs,
            )
        elif phases and phases[-1].sparsity == "dense":
            said["reason"] = "what is deployed is dense"
            numbers = (1.0, 1.0, 1.0)
        else:
            step = of.with_options(Options(pass_="inference")).run(recipe, pattern)
            numbers = (1 / step.speedup_vs_dense, step.energy_ratio_vs_dense, 1 / step.flop_bound_speedup)
    except BisparseError as error:
        return Figure(**said | {"reason": str(error)})
    return Figure(**said | dict(zip(("time", "energy", "macs"), (f"{each:.4f}" for each in numbers), strict=True)))


def read() -> dict[tuple[str, ...], Figure]:
    """Figures that are there."""
    if not FIGURES.exists():
        return {}
    with FIGURES.open(encoding="utf-8", newline="") as rows:
        return {each.key: each for each in (Figure(**row) for row in csv.DictReader(rows))}


def write(figures: Iterable[Figure]) -> None:
    """Keep figures, in the order of recipes."""
    FIGURES.parent.mkdir(exist_ok=True)
    with FIGURES.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(sorted(astuple(each) for each in figures))


def simulate(jobs: int, *, again: bool) -> None:
    """Simulate what is missing, and forget what nobody asks for."""
    there, wanted = {} if again else read(), list(asked())
    found = {each.key: there[each.key] for each in wanted if each.key in there}
    missing = [each for each in wanted if each.key not in found]
    pool = WorkerPool(jobs)
    try:
        for number, each in enumerate([pool.submit(measured, figure) for figure in missing], 1):
            figure = each.result()
            found[figure.key] = figure
            write(found.values())
            print(f"{number} of {len(missing)}: {' '.join((*figure.key[:1], *figure.key[2:]))}", flush=True)
    finally:
        pool.end()
    write(found.values())


# The tables -----------------------------------------------------------------------------------------------------------

OF_RECIPES = (
    "recipe", "network", "ratio", "kept", "prunes", "run: products", *DESIGNS.values(), "inference: products",
    *DESIGNS.values(), "published", "here",
)  # fmt: skip
OF_METHODS = (
    "method", "recipes", "simulated", "runs on data", "time of a run", "of inference", "accuracy", "published",
    "why the two stand apart",
)  # fmt: skip
OF_PAPERS = ("method", "paper", "what is sparse", "how zeros lie", "typical", "saves in")


def tables(figures: Iterable[Figure]) -> Iterator[str]:
    """Lines of the page between its marks."""
    by_recipe = {(each.recipe, each.design, each.run): each for each in figures}
    recipes = {name: each.model for name, each in shipped().items()}
    yield from ("## What each recipe takes", "")
    for kind in (*METHOD_KINDS, None):
        of_a_kind = [name for name, recipe in recipes.items() if recipe.kind == kind]
        if of_a_kind:
            yield from (f"### {(kind or 'other')[0].upper()}{(kind or 'other')[1:]}", "", *_header(OF_RECIPES))
            yield from (_row(_of_recipe(recipes[name], by_recipe)) for name in of_a_kind)
            yield ""
    reasons = {each.reason: None for each in by_recipe.values() if each.reason and not each.time}
    yield from (f"- Does not run: {each}" for each in reasons)
    yield from (*([""] if reasons else []), "## The 58 methods: what is here of each", "", *_header(OF_METHODS))
    here = list(standings(recipes.values()))
    yield from (_row(_of_method(each, by_recipe)) for each in here)
    stays = [
        f"- `{each.method.id}` does not run on data: {each.reason}" for each in here if each.recipes and each.reason
    ]
    yield from (*([""] if stays else []), *stays)
    yield from ("", "## The 58 methods: what each is", "", *_header(OF_PAPERS))
    for method in catalogue().values():
        yield _row(
            [f"`{method.id}`", method.title, method.operand, method.pattern, method.typical_sparsity, method.phases]
        )


def _of_recipe(recipe: Recipe, figures: dict[tuple[str, str, str], Figure]) -> list[str]:
    run = usual(recipe)
    ratio = [run.sparsity, f"{100 * parse_format(run.sparsity).density:.4g}%"] if recipe.prunes else ["–", "–"]
    cells = [f"`{recipe.name}`", run.workload, *ratio, prunes(recipe)]
    for kind in ("training", "inference"):
        own = [figures.get((recipe.name, design, kind)) for design in DESIGNS]
        products = {_number(each.macs) for each in own if each is not None and each.macs}
        cells.append(" or ".join(sorted(products)) or "–")
        cells += ["–" if each is None or not each.time else _both(each) for each in own]
    here = "simulated" if recipe.simulated_only else "trains"
    return [*cells, "; ".join(figure.text for figure in recipe.published), here]


def prunes(recipe: Recipe) -> str:
    """Where a recipe leaves something out; in brackets what it asks for and no design here leaves out."""
    declared = (("FF", recipe.forward), ("BP", recipe.backward), ("WU", recipe.weight_update))
    stages = [name for name, stage in declared if stage is not None]
    stages += ["(WU)"] if recipe.weight_gradient == "kept" else []
    return " ".join([*stages, *(["rewrites"] if recipe.rewrites else [])])


def _of_method(standing: Standing, figures: dict[tuple[str, str, str], Figure]) -> list[str]:
    method, recipes = standing.method, standing.recipes
    run_as = dict.fromkeys(" ".join(filter(None, usually(recipe))) for recipe in recipes)
    named = f"{', '.join(f'`{recipe.name}`' for recipe in recipes)} ({', '.join(run_as)})"
    return [
        f"`{method.id}`",
        named if recipes else f"none: {standing.reason}",
        "yes" if standing.simulated else "no",
        "yes" if standing.runs_on_data else "no",
        *(_times(recipes, figures, run) for run in ("training", "inference")),
        _accuracy(standing.accuracies),
        method.published if method.published.startswith('"') else "–",
        method.apart,
    ]


def usually(recipe: Recipe) -> tuple[str, str]:
    """Workload and ratio that a recipe is run with."""
    run = usual(recipe)
    return run.workload, run.sparsity if recipe.prunes else ""


def _times(recipes: Iterable[Recipe], figures: dict[tuple[str, str, str], Figure], run: str) -> str:
    """Of dense, on each design, of all recipes from the least to the most."""
    cells = []
    for design in DESIGNS:
        own = [figures.get((recipe.name, design, run)) for recipe in recipes]
        times = sorted(float(each.time) for each in own if each is not None and each.time)
        ends = [f"{time:.2f}" for time in (*times[:1], *times[-1:])]
        cells.append("–".join(dict.fromkeys(ends)))
    return ", ".join(cells) if any(cells) else "–"


def _accuracy(measured: Iterable[MeasuredAccuracy]) -> str:
    """Differences to dense, of each data set from the least to the most."""
    by_place: dict[str, list[float]] = {}
    for each in measured:
        by_place.setdefault(f"{each.model} on {each.data}", []).append(each.difference_points)
    ends = {place: dict.fromkeys(f"{end:+.2f}" for end in (min(own), max(own))) for place, own in by_place.items()}
    return "; ".join(f"{' to '.join(own)} ({place})" for place, own in ends.items()) or "–"


def _both(figure: Figure) -> str:
    return f"{_number(figure.time)}, {_number(figure.energy)}"


def _number(text: str) -> str:
    return f"{float(text):.2f}"


def _header(columns: Iterable[str]) -> Iterator[str]:
    cells = list(columns)
    yield _row(cells)
    yield "|" + "---|" * len(cells)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


BEGIN, END = "<!-- tables: python examples/methods_table.py -->", "<!-- end of tables -->"


def written(page: str, figures: Iterable[Figure]) -> str:
    """The page with its tables made anew."""
    before, _, rest = page.partition(BEGIN)
    return "\n".join([f"{before}{BEGIN}\n", *tables(figures), "", f"{END}{rest.partition(END)[2]}"])


def main() -> None:
    """Simulate what is missing, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only-write", action="store_true")
    said = parser.parse_args()
    if not said.only_write:
        simulate(said.jobs, again=said.again)
    page = written(PAGE.read_text(encoding="utf-8"), read().values())
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
