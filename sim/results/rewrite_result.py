"""What a recipe's rewrites made of a network, as figures of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteResult:
    """What one entry of a recipe's ``rewrites`` changed, before any pass.

    Attributes:
        kind: of the entry.
        title: what it does, in a phrase.
        layers: that it changed, by name.
        left: layers that it names and could not change, and why.
        says: what must be known of it beside that, a sentence each.
        forward_macs_before: multiply-accumulates of the forward pass that it found, dense.
        forward_macs: of the one that it left.
        step_macs_before: of all matrix products of the step that it found; a forward pass has no others.
        step_macs: of the one that it left.
        weights_before: parameters that it found, each counted once.
        weights: that it left.
        learning_weights_before: those of them that learn.
        learning_weights: likewise.
    """

    kind: str
    title: str
    layers: tuple[str, ...]
    left: dict[str, str]
    says: tuple[str, ...]
    forward_macs_before: int
    forward_macs: int
    step_macs_before: int
    step_macs: int
    weights_before: int
    weights: int
    learning_weights_before: int
    learning_weights: int

    @property
    def changes(self) -> bool:
        """Whether it changes any of these counts: what is merged into the weights offline does not."""
        return (self.forward_macs, self.step_macs, self.weights, self.learning_weights) != (
            self.forward_macs_before,
            self.step_macs_before,
            self.weights_before,
            self.learning_weights_before,
        )

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> RewriteResult:
        """From the plain data of a document."""
        listed = {name: tuple(document[name]) for name in ("layers", "says")}
        return cls(**document | listed)
