"""Which passes a step takes, and the graph that they make of a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ...configs.errors import ConfigError
from ..graph import TrainingGraph

PassName = Literal["training", "inference", "decode"]
"""What of a network is run: a whole training step, its forward pass alone, or one token more on a cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What of a network is run.

    Attributes:
        name: the training step, the forward pass, or the forward pass of one token on a cache.
        freeze: patterns of parameters that do not learn, commas between; empty for none.
        recompute: patterns of modules whose activations are computed again, ``blocks`` or ``all``; empty for none.
        accumulate: micro-batches that a training step is cut into.
        kv_length: tokens in the cache that a decoding step finds; as many as the network was captured with when 0.
    """

    name: PassName = "training"
    freeze: str = ""
    recompute: str = ""
    accumulate: int = 1
    kv_length: int = 0

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            ConfigError: a part of a training step is asked of a forward pass, or a cache of one that has none.
        """
        for field in ("freeze", "recompute", "accumulate"):
            value = getattr(self, field)
            if self.name != "training" and value != _NO_MORE[field]:
                raise ConfigError(
                    f"{field}: got {value!r} with pass_ {self.name}, need a training step; try without one of them"
                )
        if self.kv_length and self.name != "decode":
            raise ConfigError(
                f"kv_length: got {self.kv_length} with pass_ {self.name}, need a step that decodes; try pass_ decode"
            )

    @property
    def plain(self) -> bool:
        """Whether it is the training step as it was captured."""
        return self == PLAIN

    def of(self, graph: TrainingGraph) -> TrainingGraph:
        """The graph of what is run, but for micro-batches: see ``cut``.

        Raises:
            ConfigError: a pattern names nothing, nothing is left that learns, or a network cannot decode.
        """
        # Who runs a plain training step does not wait for what rewrites it.
        if self.name == "inference":
            from .inference import forward_only

            return forward_only(graph)
        if self.name == "decode":
            from .decoding import decoding

            return decoding(graph, self.kv_length)
        if self.freeze:
            from .freezing import with_frozen

            graph = with_frozen(graph, self.freeze)
        if self.recompute:
            from .recomputation import with_recomputation

            graph = with_recomputation(graph, self.recompute)
        return graph

    def cut(self, graph: TrainingGraph) -> TrainingGraph:
        """The graph in micro-batches: last, so that whatever else rewrites a step rewrites it once.

        Raises:
            ConfigError: there is nothing to accumulate, or too much.
        """
        if self.accumulate == 1:
            return graph
        from .accumulation import in_micro_batches

        return in_micro_batches(graph, self.accumulate)

    def on(self, graph: TrainingGraph) -> Passes:
        """These passes as they turn out on a graph: one that was captured as a forward pass is none of training."""
        if self.name == "training" and graph.inference:
            return replace(self, name="inference")
        return self


PLAIN = Passes()
"""The training step as it was captured."""

_NO_MORE = {"freeze": "", "recompute": "", "accumulate": 1}
