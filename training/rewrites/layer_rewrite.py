"""A rewrite of single layers, each by itself: the fields that say which, and what becomes of them."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from ..graph import TrainingGraph
from .layers import Layer, chosen
from .rewrite import Outcome, Rewrite


class LayerRewrite(Rewrite):
    """An entry that names layers, by the path of their weight or of a module that holds them."""

    layers: tuple[str, ...] = Field(default=("*",), min_length=1, description="paths of layers, with * and ?")
    except_layers: tuple[str, ...] = Field(default=(), description="paths of layers among them that stay, with * and ?")

    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph.

        Raises:
            ConfigError: no layer that is named can be rewritten.
        """
        layers, left = chosen(graph, self.layers, but=self.except_layers, unfit=self.unfit)
        made, says = self.made(graph, layers, deployed=deployed)
        return Outcome(graph=made, layers=tuple(layers), left=left, says=says)

    @abstractmethod
    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot be rewritten; empty where it can."""

    @abstractmethod
    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """The graph with these layers rewritten, and what must be known of it, a sentence each.

        Args:
            graph: that holds them.
            layers: by name.
            deployed: an inference or a decoding step follows.
        """
