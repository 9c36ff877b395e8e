"""What Sparsey and dendrites that match sparse codes ask of an accelerator, as networks to be captured and simulated.

Both are one product of a binary input, few elements of which are 1, by weights that are 0 or 1, and a comparison. They
are captured as numbers of the design's width: that one bit would do is in no figure here. Learning is no product of
matrices: it sets bits where active inputs meet winners, or adds synapses to a segment. Commands: docs/outside.md.
"""

from __future__ import annotations

from torch import Tensor, nn


class WinnersOfModules(nn.Module):
    """Sparsey's recall: each unit sums its active inputs, and the largest of each module wins (``outside.sparsey``)."""

    def __init__(self, *, inputs: int, modules: int, units: int) -> None:
        super().__init__()
        self.modules_units = (modules, units)
        self.weights = nn.Linear(inputs, modules * units, bias=False)

    def forward(self, patterns: Tensor) -> Tensor:
        """Patterns [B, inputs] of 0 and 1 to the largest sum of each module [B, modules]."""
        sums = self.weights(patterns).unflatten(1, self.modules_units)
        largest: Tensor = sums.amax(2)
        return largest


class DendriteSegments(nn.Module):
    """Segments that count how many of their synapses are on, against a threshold (``outside.dendrites``)."""

    def __init__(self, *, units: int, segments: int, threshold: int) -> None:
        super().__init__()
        self.threshold = threshold
        self.synapses = nn.Linear(units, segments, bias=False)

    def forward(self, patterns: Tensor) -> Tensor:
        """Patterns [B, units] of 0 and 1 to how far each segment is above its threshold [B, segments], or 0."""
        above: Tensor = (self.synapses(patterns) - (self.threshold - 1)).clamp(min=0)
        return above


def sparsey() -> WinnersOfModules:
    """A field of 64 modules of 16 units above 1,024 inputs; sizes are assumed."""
    return WinnersOfModules(inputs=1024, modules=64, units=16)


def dendrites() -> DendriteSegments:
    """4,096 segments on 2,048 units: 40 active, 20 synapses, threshold 10, as Ahmad and Hawkins often take them."""
    return DendriteSegments(units=2048, segments=4096, threshold=10)
