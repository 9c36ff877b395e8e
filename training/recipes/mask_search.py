"""How a recipe's masks are found: what is compared, among which weights, and how masks move while training goes on.

Declarations alone. ``in_torch.mask_engine`` finds and moves masks by them; what a move costs is made of them here, so
that the declaration that trains is the one that is priced.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ...configs.section import Section
from .courses import left_to_go
from .extra_work import ExtraWork
from .random_graph import RandomGraph

ScoreName = Literal["magnitude", "random", "gradient", "movement", "taylor", "wanda"]
"""What weights are compared by; the largest are kept. Each is a function in ``in_torch.scores``."""


class Moves(Section):
    """Weights that are kept exchanged for pruned ones, every so many steps; as many are kept after as before."""

    every_steps: int = Field(ge=2, description="steps from one move to the next; a move is at the end of its step")
    until_share: float = Field(default=1.0, gt=0, le=1, description="of all steps, after which nothing moves")
    exchanged: float = Field(default=0.3, gt=0, le=1, description="share of a layer's kept weights, at the first step")
    exchanged_at_last: float | None = Field(
        default=None, ge=0, le=1, description="share to which that falls by a half cosine; the same throughout if none"
    )
    grow: Literal["gradient", "random"] = Field(
        default="gradient", description="which come back: those of the largest gradient, or any"
    )

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.exchanged_at_last is not None and self.exchanged_at_last > self.exchanged:
            raise ValueError(f"exchanged_at_last: got {self.exchanged_at_last}, need at most exchanged")
        return self

    def due(self, step: int, steps: int) -> bool:
        """Whether masks move when so many updates are done, of so many.

        >>> moves = Moves(every_steps=100, until_share=0.75)
        >>> [step for step in range(1001) if moves.due(step, 1000)]
        [100, 200, 300, 400, 500, 600, 700]
        """
        return step > 0 and step % self.every_steps == 0 and step <= round(self.until_share * steps)

    def exchanged_at(self, step: int, steps: int) -> float:
        """Share of the kept weights that is exchanged when so many updates are done.

        >>> moves = Moves(every_steps=100, until_share=0.75, exchanged=0.3, exchanged_at_last=0.0)
        >>> [round(moves.exchanged_at(step, 1000), 4) for step in (0, 250, 375, 750)]
        [0.3, 0.225, 0.15, 0.0]
        """
        if self.exchanged_at_last is None:
            return self.exchanged
        passed = step / max(round(self.until_share * steps), 1)
        return self.exchanged_at_last + (self.exchanged - self.exchanged_at_last) * left_to_go("cosine", passed)


class Refinement(Section):
    """Weights exchanged within each output, once masks are found, until its expected error is small (DSnoT)."""

    cycles: PositiveInt = Field(default=50, description="of an output at most; one weight is exchanged in each")
    threshold: float = Field(
        default=0.1, ge=0, allow_inf_nan=False, description="of the expected error of an output, at which it is done"
    )
    variance_power: float = Field(
        default=1.0, ge=0, allow_inf_nan=False, description="of inputs, that what comes back is divided by"
    )


class MaskSearch(Section):
    """How masks are found, and what that costs in passes over the weights beyond the compression of each stage."""

    method: Literal["top-n", "transposable", "given"] = Field(
        default="top-n",
        description="the N largest of each group, one mask that is N:M along both axes, or masks that are given and "
        "stay: N:M, or any share of zeros",
    )
    passes: float = Field(
        default=0.0, ge=0, description="passes over the weights, a search; of a permuted mask, a random order each"
    )
    every_steps: PositiveInt = Field(default=1, description="steps between searches")
    score: ScoreName = Field(
        default="magnitude",
        description="of masks that are given, what weights are compared by, the largest being kept: |w|; a random "
        "number; |dL/dw|; -w dL/dw summed over the steps; |w dL/dw|; |w| times the norm of its input. What needs a "
        "batch leaves the first one dense",
    )
    scope: Literal["layer", "network"] = Field(
        default="layer",
        description="of masks that are given without a rule: a layer keeps its share, or one threshold holds for all "
        "that has no ratio of its own",
    )
    start: Literal["score", "random"] = Field(
        default="score", description="of masks that are given, the first ones: by score, or at random, layer by layer"
    )
    moves: Moves | None = Field(default=None, description="of masks that are given, while training goes on")
    refined: Refinement | None = Field(
        default=None,
        description="of masks that are given: exchanged by what layers were given so far, as soon as they are found",
    )
    graph: RandomGraph | None = Field(
        default=None, description="of given masks of recurrent layers: units are joined by a random graph"
    )

    @model_validator(mode="after")
    def _only_given_masks_have_scores(self) -> Self:
        own = MaskSearch.model_construct()
        for name in ("score", "scope", "start", "moves", "refined", "graph"):
            if self.method != "given" and getattr(self, name) != getattr(own, name):
                raise ValueError(f"{name}: got it with method {self.method}, need method given")
        if self.refined is not None and (self.score != "wanda" or self.moves is not None or self.scope == "network"):
            raise ValueError(
                "refined: got it, need score: wanda, scope: layer and no moves: it asks what layers were given"
            )
        return self

    def moves_cost(self, *, kept_gradients: bool) -> tuple[ExtraWork, ...]:
        """What moves cost, each time.

        Weights are sorted, layer by layer or all in one list, to be dropped; gradients to be grown by. Only where the
        gradients of pruned weights are not formed anyway, they are then.

        Args:
            kept_gradients: whether the recipe asks for the gradients of kept weights alone.
        """
        if self.moves is None:
            return ()
        when = {"every_steps": self.moves.every_steps, "until_share": self.moves.until_share}
        by_gradient, whole = self.moves.grow == "gradient", self.scope == "network"
        of_weights = "prune: sort of all weights" if whole else "drop: sort of weights"
        works: list[dict[str, object]] = []
        if by_gradient and kept_gradients:
            works.append({"work": "weight-gradient", "name": "dense weight gradient"})
        works.append({"work": "sort", "of": "weights", "whole_network": whole, "name": of_weights})
        if by_gradient:
            works.append({"work": "sort", "of": "weight-gradients", "name": "grow: sort of gradients"})
        works.append({"work": "mask-update"})
        return tuple(ExtraWork.model_validate(work | when) for work in works)
