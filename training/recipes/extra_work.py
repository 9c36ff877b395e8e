"""Work that a method costs beside its products and masks: what is done, to which elements, and how often.

A declaration of one piece of work, for ``Recipe.extra_work``. Which engine does it, and what it moves, is the
scheduler's matter (``dataflow.extra_works``).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ...configs.section import Section

WorkKind = Literal[
    "top-k",
    "sort",
    "permutation-search",
    "threshold",
    "mask-update",
    "average",
    "group-step",
    "score-product",
    "predictor-product",
    "weight-gradient",
]

PRODUCTS: frozenset[WorkKind] = frozenset({"score-product", "predictor-product"})
"""Work for the tensor engine."""

SORTED: frozenset[WorkKind] = frozenset({"top-k", "sort", "permutation-search"})
"""Work for the reduction engine."""


class ExtraWork(Section):
    """A piece of work on what the recipe prunes."""

    work: WorkKind = Field(
        description="top-k, sort, permutation-search (reduction engine), threshold, mask-update, average, "
        "group-step (vector engine), score-product, predictor-product (tensor engine), or the whole weight-gradient "
        "where weight_gradient: kept leaves it out"
    )
    name: str = Field(default="", description="in reports; what is done to what, unless given")
    of: Literal["weights", "weight-gradients", "activations", "output-gradients"] = Field(
        default="weights", description="whose elements, of the layers that are pruned"
    )
    passes: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="over the elements; of an average the copies; of a sort over the passes that merging takes",
    )
    whole_network: bool = Field(default=False, description="one list of all layers' elements, not one a layer")
    rank: PositiveInt | None = Field(default=None, description="of a product: columns that the operand is brought to")
    layers: tuple[str, ...] = Field(default=(), description="of a group-step: the layers whose weights are in groups")
    passing: bool = Field(default=False, description="done on what passes anyway: it moves no bytes of its own")
    every_steps: PositiveInt | Literal["once"] = Field(
        default=1, description="steps from one time to the next, or once, when pruning begins: in every repetition"
    )
    from_share: float = Field(default=0.0, ge=0, le=1, description="of all steps, before which it is not done")
    until_share: float = Field(default=1.0, ge=0, le=1, description="of all steps, after which it is not done")

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        if (self.rank is not None) != (self.work in PRODUCTS):
            need = "a rank" if self.work in PRODUCTS else "none: only products have one"
            raise ValueError(f"rank: got {self.rank} of {self.work}, need {need}")
        if self.work in PRODUCTS and self.of not in ("weights", "activations"):
            raise ValueError(f"of: got {self.of} of {self.work}, need weights or activations")
        if self.work == "predictor-product" and self.of != "activations":
            raise ValueError("of: got weights of predictor-product, need activations: it predicts from a layer's input")
        if self.whole_network and self.work not in ("top-k", "sort"):
            raise ValueError(f"whole_network: got true of {self.work}, need top-k or sort")
        if self.work in ("mask-update", "average", "group-step") and self.of != "weights":
            raise ValueError(f"of: got {self.of} of {self.work}, need weights")
        if bool(self.layers) != (self.work == "group-step"):
            need = "the layers" if self.work == "group-step" else "none: it is of all that is pruned"
            raise ValueError(f"layers: got {', '.join(self.layers) or 'none'} of {self.work}, need {need}")
        if self.work == "weight-gradient" and self.every_steps == 1:
            raise ValueError("every_steps: got 1 of weight-gradient, need more; try weight_gradient: dense")
        if self.from_share > self.until_share:
            raise ValueError(f"from_share: got {self.from_share}, need at most until_share, {self.until_share}")
        return self

    @property
    def title(self) -> str:
        """Its name in reports."""
        return self.name or (self.work if self.work == "weight-gradient" else f"{self.work} of {self.of}")

    @property
    def in_every_step(self) -> bool:
        """Whether a step is never without it."""
        return self.every_steps == 1 and (self.from_share, self.until_share) == (0.0, 1.0)

    def times(self, first_step: int, steps: int, of_all: int) -> int:
        """How often it is done in some steps of a run: at the end of each ``every_steps``; not for what is done once.

        Args:
            first_step: counted from 0.
            steps: how many.
            of_all: steps of the run.

        >>> work = ExtraWork(work="threshold", every_steps=100, until_share=0.75)
        >>> work.times(0, 1000, 1000), work.times(0, 250, 1000), work.times(700, 300, 1000)
        (7, 2, 0)
        """
        assert isinstance(self.every_steps, int), "what is done once is counted by whoever knows when"
        begin = max(first_step, round(self.from_share * of_all))
        end = min(first_step + steps, round(self.until_share * of_all))
        return max(end // self.every_steps - begin // self.every_steps, 0)
