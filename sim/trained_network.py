"""What is known of a network that was trained, laid over what a recipe makes of it: densities, and a checkpoint.

A recipe that rewrites layers makes another network: what was measured must be of that one. Layers that it leaves have
their names, those in the place of others new ones, and those that it narrows other shapes; all three are checked.
"""

from __future__ import annotations

from ..configs.errors import CaptureError, ConfigError
from ..training.densities import LayerDensities
from ..training.graph import TrainingGraph
from ..training.own_weights import OwnWeights
from ..training.own_weights.fitting import FittedWeights, fit_weights
from ..training.own_weights.held import told
from ..training.passes.choice import PLAIN
from ..training.recipes.declaration import Recipe
from .options import Options
from .step.effectual import matched_modules
from .workload import Workload


def weights_under(weights: OwnWeights, recipe: Recipe, workload: Workload, options: Options) -> FittedWeights:
    """The weights of a checkpoint in the network that a recipe makes.

    Raises:
        CaptureError: they are not of that network, or some are of what the recipe replaced.
        ConfigError: a rewrite or a pass does not fit the workload.
    """
    graph = workload.graph_of(options, recipe.rewrites)
    if not recipe.rewrites:
        return fit_weights(weights, graph)
    fitted = fit_weights(weights, graph, of=f"{graph.name} under {recipe.name}")
    # In training what is deployed may stand apart still: a file that has it is of a network that nobody merged.
    before = (workload.graph, workload.rewritten(recipe.rewrites, PLAIN).graph)
    replaced = {told(name) for each in before for name in _weights(each) - _weights(graph)}
    left = [name for name in fitted.others if name in replaced]
    if left:
        raise CaptureError(
            f"{weights.file}: got {left[0]}, which {graph.name} under {recipe.name} has not "
            f"({', '.join(each.title for each in recipe.rewrites)}), need the checkpoint of the network as it is then"
        )
    return fitted


def check_densities(densities: LayerDensities, recipe: Recipe, graph: TrainingGraph) -> None:
    """Refuse densities that are not of the network that a recipe makes; a file without a run's summary is believed.

    Args:
        densities: measured.
        recipe: that prunes or rewrites.
        graph: as it leaves the workload.

    Raises:
        ConfigError: they are not; ``field`` says which entry rewrites.
    """
    if recipe.rewrites and not densities.is_of(recipe.name):
        assert densities.trained_as is not None, "others are believed"
        raise ConfigError(
            f"densities: got {densities.name}, trained under {densities.trained_as[0]}, with {recipe.name}, which "
            f"rewrites layers ({recipe.rewrites[0].title}), need a recipe without rewrites, or a run that it trained: "
            "what was measured of the layers says nothing of those in their place",
            field="rewrites",
        )
    matched_modules(graph, densities)


def _weights(graph: TrainingGraph) -> set[str]:
    return {each.parameter for each in graph.products if each.parameter is not None}
