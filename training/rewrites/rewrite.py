"""The protocol that every kind of rewrite answers: an entry of a recipe, and what it made of a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from ...configs.section import Section
from ..densities import LayerDensities
from ..graph import TrainingGraph


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one rewrite made of a graph.

    Attributes:
        graph: that it made.
        layers: that it changed, by the names that recipes have for them.
        left: layers that the entry names and the rewrite cannot change, and why.
        says: what a reader of the figures must know of it beyond its title, a sentence each.
    """

    graph: TrainingGraph
    layers: tuple[str, ...]
    left: dict[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()


class Rewrite(Section, ABC):
    """An entry of ``rewrites``. A subclass has a ``kind``, a Literal of one word, and the fields that it needs.

    Fields are checked when the file is read; what depends on the network, when the graph is made.
    """

    kind: str

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, with its numbers, in a phrase: ``low rank 64``."""

    @property
    def trains(self) -> bool:
        """Whether ``in_torch`` makes the same of a module, so that the rewritten network trains."""
        return False

    @property
    def freezes(self) -> bool:
        """Whether what it does not add, or name, does not learn any more."""
        return False

    @property
    def timed(self) -> bool:
        """Whether what it makes of a module changes over a run, so that training must know how far the run is."""
        return False

    @property
    def adds_to_loss(self) -> bool:
        """Whether a training must add what its modules ask for to the loss."""
        return False

    def decoded(self, graph: TrainingGraph, *, batch: int, densities: LayerDensities | None = None) -> TrainingGraph:
        """What it makes of a decoding step beyond what it made of the network; nothing unless a kind says so.

        Args:
            graph: of the step, one token of each sample.
            batch: samples.
            densities: that a run under the recipe measured.
        """
        return graph

    @abstractmethod
    def rewrite(self, graph: TrainingGraph, *, deployed: bool) -> Outcome:
        """Rewrite a graph.

        Args:
            graph: of a training step, or of a forward pass as it was captured.
            deployed: an inference or a decoding step follows: what is merged into the weights offline is merged.

        Raises:
            ConfigError: the entry names no layer of the graph, or none that it can change. ``field`` is the field at
                fault, as the entry has it, and the message begins with it; ``apply`` puts the entry's number before.
        """
