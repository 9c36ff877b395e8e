"""What is simulated: a network's training graph, and what its passes make of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..training.causal_blocks import in_causal_blocks
from ..training.graph import TrainingGraph
from ..training.passes.choice import Passes
from .options import Options


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A training graph with the hash of the file that it came from."""

    graph: TrainingGraph
    sha256: str
    _rewritten: dict[tuple[Passes, int], TrainingGraph] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def graph_of(self, options: Options) -> TrainingGraph:
        """What of the network is run, and how its attention is."""
        passes = options.passes
        key = (passes, options.causal_blocks)
        if key not in self._rewritten:
            graph = passes.of(self.graph)
            graph = in_causal_blocks(graph, options.causal_blocks) if options.causal_blocks else graph
            self._rewritten[key] = passes.cut(graph)
        return self._rewritten[key]
