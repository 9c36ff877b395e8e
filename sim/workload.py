"""What is simulated: a network's training graph, and what its passes make of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..training.causal_blocks import in_causal_blocks
from ..training.graph import TrainingGraph
from ..training.passes.choice import Passes
from ..training.rewrites.apply import RewrittenGraph, rewritten
from ..training.rewrites.rewrite import Rewrite
from ..training.scores import cut_scores
from .options import Options


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A training graph with the hash of the file that it came from."""

    graph: TrainingGraph
    sha256: str
    _runs: dict[tuple[object, ...], TrainingGraph] = field(default_factory=dict, init=False, repr=False, compare=False)
    _rewritten: dict[tuple[object, ...], RewrittenGraph] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def graph_of(self, options: Options, rewrites: tuple[Rewrite, ...] = ()) -> TrainingGraph:
        """What of the network is run, and how its attention is.

        Args:
            options: that say it.
            rewrites: of a recipe, made on the network first.

        Raises:
            ConfigError: a rewrite or a pass does not fit the network.
        """
        passes = options.passes
        decodes = bool(rewrites) and passes.name == "decode"
        batch = (options.batch or self.graph.default_batch) if decodes else 0
        densities = options.densities if decodes else None
        key = (passes, options.causal_blocks, rewrites, batch, None if densities is None else densities.sha256)
        if key not in self._runs:
            graph = passes.of(self.rewritten(rewrites, passes).graph)
            for rewrite in rewrites if decodes else ():
                graph = rewrite.decoded(graph, batch=batch, densities=densities)
            graph = in_causal_blocks(graph, options.causal_blocks) if options.causal_blocks else graph
            self._runs[key] = passes.cut(cut_scores(graph))
        return self._runs[key]

    def rewritten(self, rewrites: tuple[Rewrite, ...], passes: Passes) -> RewrittenGraph:
        """The network as a recipe's rewrites leave it, before any pass; arguments and errors as for ``graph_of``."""
        deployed = passes.name != "training"
        key = (rewrites, deployed)
        if key not in self._rewritten:
            self._rewritten[key] = rewritten(self.graph, rewrites, deployed=deployed)
        return self._rewritten[key]
