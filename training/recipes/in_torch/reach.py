"""Which weights a recipe at work reaches: of Linear, convolutional and recurrent layers called as torch made them."""

from __future__ import annotations

from torch import nn
from torch.nn.utils import parametrize

from ...rewrites.in_torch.scored_layer import ScoredLayer
from .recurrent.weights import RecurrentWeight, weights_of
from .weight_axes import Convolutions

LAYERS = (nn.Linear, *Convolutions)
_PLAIN_FORWARDS = {kind.forward for kind in (*LAYERS, ScoredLayer)}


class Reach:
    """What of a model's layers is multiplied by where a recipe could say by what."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        attentions = [path for path, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)]
        self._inside_attention = {f"{path}.out_proj" if path else "out_proj" for path in attentions}

    def unreachable(self, path: str, module: nn.Module) -> str | None:
        """Why a layer does not multiply where a recipe could say by what; None when it does."""
        if isinstance(module, RecurrentWeight):
            return module.unreachable
        if path in self._inside_attention:
            return "torch's MultiheadAttention multiplies by its weight without calling it"
        if type(module).forward not in _PLAIN_FORWARDS or "forward" in module.__dict__:
            return f"{type(module).__name__} has a forward pass of its own"
        return None

    def weights(self) -> set[str]:
        """Names of the parameters that are weights of layers within reach."""
        within = {
            id(module.weight)
            for path, module in self._model.named_modules()
            if isinstance(module, LAYERS)
            and not parametrize.is_parametrized(module, "weight")
            and self.unreachable(path, module) is None
        }
        within |= {
            id(weight.weight)
            for path, module in self._model.named_modules()
            for name, weight in weights_of(path, module)
            if self.unreachable(name, weight) is None
        }
        return {name for name, parameter in self._model.named_parameters() if id(parameter) in within}
