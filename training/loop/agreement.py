"""Whether what is trained is what is simulated: the layers pruned in a module, and those in its captured graph."""

from __future__ import annotations

from ...configs.errors import ConfigError
from ...configs.operand_format import OperandFormat
from ..graph import Stage, TrainingGraph
from ..recipes.annotation import annotate
from ..recipes.declaration import Recipe
from ..recipes.in_torch import AppliedRecipe


def check_agreement(applied: AppliedRecipe, graph: TrainingGraph) -> None:
    """Refuse a model whose graph a recipe would prune elsewhere than its modules, in any phase.

    The two are decided by the same rules, but a graph is in the order of execution, a module in the order in which it
    was put together; and a weight that another module multiplies by (torch's MultiheadAttention) is out of reach.

    Raises:
        ConfigError: they differ; the message names the first layer, and what to write into the recipe.
    """
    layers = applied.layers.items()
    trained = {(path, stage): own for path, layer in layers for stage, own in layer.patterns.items()}
    _check(graph, applied.recipe, applied.pattern, trained)
    for number, stretch in enumerate(applied.stretches):
        if stretch.recipe is not None:
            trained = {(path, stage): own for path, layer in layers for stage, own in layer.plan[number].items()}
            _check(graph, stretch.recipe, stretch.pattern, trained, phase=f"{stretch.name}: ")


def _check(
    graph: TrainingGraph,
    recipe: Recipe,
    pattern: OperandFormat,
    trained: dict[tuple[str, Stage], OperandFormat],
    *,
    phase: str = "",
) -> None:
    pruned = annotate(graph, recipe, pattern, pre_generation=True)
    simulated = {
        (operator.module, operator.stage): pruned.prunings[operator.name].pattern
        for operator in graph.products
        if operator.name in pruned.prunings and pruned.prunings[operator.name].operand != "result"
    }
    multiplied = {(operator.module, operator.stage) for operator in graph.products}
    # A module has the zeros that it was asked for, and multiplies by what the array is given of them.
    taken = {
        place: own if (rule := recipe.pruned_in(place[1])) is None else rule.multiplied_as(own)
        for place, own in trained.items()
    }
    for place in sorted(simulated.keys() | taken.keys(), key=str):
        module, stage = place
        if place not in multiplied:
            # A layer that is never called, or the network's first, which passes no gradient on.
            continue
        if simulated.get(place) != taken.get(place):
            raise ConfigError(
                f"{phase}{module}:{stage.value}: got {taken.get(place, 'dense')} in training and "
                f"{simulated.get(place, 'dense')} in simulation, need the same; try dense.names: [{module!r}] in the "
                "recipe"
            )
