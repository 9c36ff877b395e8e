"""A network within another: fewer channels, heads or neurons, the first ones, whose weights it shares.

Its products are those of the narrower network, forwards and backwards; gradients go to the places of the shared weights
that it multiplies by, and others have none. Running statistics of a normalisation are its own, for what a narrower
network makes has other ones.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ...graph import TrainingGraph
from ..keep import Keep
from .narrowed_module import Widths, kept_of


class Nested:
    """One of them.

    Args:
        model: whose weights it shares, with no recipe at work on it.
        graph: of a training step of it.
        entry: what is kept of it, the first ones.

    Raises:
        ConfigError: the entry does not fit the model.
    """

    def __init__(self, model: nn.Module, graph: TrainingGraph, entry: Keep) -> None:
        assert entry.chosen_by == "first", "networks lie within each other where each keeps the first ones"
        self._model, self._twin = model, copy.deepcopy(model)
        widths = Widths.of(self._twin, graph)
        widths.narrow(self._twin, entry)
        self._places = {name: tuple(places) for name, places in widths.places.items()}

    def shared(self) -> dict[str, Tensor]:
        """Its weights, by name: parts of the model's, through which gradients go."""
        return {
            name: kept_of(self._model.get_parameter(name), self._places[name])
            for name, _ in self._twin.named_parameters()
        }

    def __call__(self, inputs: Tensor) -> Any:
        """What it makes of inputs, in the mode that the model is in."""
        self._twin.train(self._model.training)
        return torch.func.functional_call(self._twin, self.shared(), (inputs,))

    @torch.no_grad()
    def plain(self) -> nn.Module:
        """A module of its own with the weights as they are now."""
        shared = self.shared()
        for name, each in self._twin.named_parameters():
            each.copy_(shared[name])
        return self._twin

    @property
    def weights(self) -> int:
        """How many it has."""
        return sum(each.numel() for each in self._twin.parameters())

    def state_dict(self) -> dict[str, Tensor]:
        """What is its own: running statistics."""
        return {name: each.clone() for name, each in self._twin.named_buffers()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on with those."""
        for name, each in self._twin.named_buffers():
            each.copy_(state[name])
