"""What of a network a result is of, where that is not its plain training step or forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...training.passes.choice import PassName


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What of a network was run, and what that came to.

    Attributes:
        name: the training step, the forward pass, or one token on a cache.
        freeze: patterns of parameters that did not learn; empty for none.
        frozen_weights: weights that did not.
        weights: weights that learn in the plain training step.
        accumulate: micro-batches of the step.
        recompute: what computed its activations again; empty for nothing.
        recomputed_macs: multiply-accumulates of the forward pass that ran a second time, dense.
        forward_macs: of the forward pass, dense.
        kv_length: tokens in the cache that a decoding step found; 0 of any other.
        kv_cache_bytes: of the cache, with the new token.
    """

    name: PassName
    freeze: str = ""
    frozen_weights: int = 0
    weights: int = 0
    accumulate: int = 1
    recompute: str = ""
    recomputed_macs: int = 0
    forward_macs: int = 0
    kv_length: int = 0
    kv_cache_bytes: int = 0

    @property
    def step(self) -> str:
        """What one step is called."""
        if self.name == "decode":
            return "decoding step"
        return "fine-tuning step" if self.freeze else "training step"

    @property
    def does(self) -> str:
        """What is done to a network."""
        if self.name == "decode":
            return "decodes a token of"
        return "fine-tunes" if self.freeze else "trains"

    @property
    def details(self) -> str:
        """What is particular about it, in a phrase."""
        return "; ".join(self._details())

    def _details(self) -> Iterator[str]:
        if self.name == "decode":
            yield f"{self.kv_length:,} tokens in the cache"
        if self.freeze:
            yield f"{_share(self.frozen_weights, self.weights)} of the weights frozen"
        if self.accumulate > 1:
            yield f"{self.accumulate} micro-batches"
        if self.recompute:
            yield f"{_share(self.recomputed_macs, self.forward_macs)} of the forward pass computed again"


def _share(part: int, whole: int) -> str:
    """A share in words; one that rounds to nothing is not said to be nothing.

    >>> _share(1, 8), _share(1, 8000), _share(7999, 8000)
    ('12.5%', 'under 0.1%', 'over 99.9%')
    """
    share = part / whole
    if 0 < share < 0.0005:
        return "under 0.1%"
    return "over 99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"
