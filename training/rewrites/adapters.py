"""Adapters beside frozen weights (LoRA): y = W x + (alpha / r) B A x, of which A [r, K] and B [N, r] alone learn.

A layer that has an adapter keeps its product; its weight does not learn any more, nor does any other parameter of the
network that ``learning`` does not name. The adapter's output is scaled (``multiply``) and added (``add``). Nothing is
propagated back below the first adapter. Deployed, B A is added into W once and offline: the network is as it was; or it
stays beside W, as it must where W is pruned and the sum is not.

``gate``: r numbers g between the factors, (alpha / r) B (g * A x), that learn with them (SoRA): one of zero is a rank
less. ``residual``: so many elements of each weight, at places drawn once, learn beside the factors (DSEE). Columns of x
are gathered, multiplied by them and added to the outputs; of their gradient no product is formed.

``position: behind``: y + (alpha / r) B A y of the layer's output y, as PAT has them behind either half of a block; with
``mask`` each channel of that times a number which learns, and by which channels are chosen.
Source: Hu et al., ICLR 2022 (arXiv 2106.09685), section 4; Ding et al., EMNLP 2023 (arXiv 2311.11696); Chen et al., ACL
2023 (arXiv 2111.00160).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from ...configs.section import Section
from ..graph import Size, TrainingGraph
from ..passes.freezing import without_learning
from .adapter_names import MASK, NAMES
from .fragment import Fragment, Value
from .layer_rewrite import LayerRewrite
from .layers import Layer, frozen_but
from .low_rank import factors, full_rank, plain_layer, product
from .splice import with_fragments


class Gate(Section):
    """Numbers that learn and are then drawn towards zero (SoRA's proximal step): one a rank, or one a channel."""

    penalty: float = Field(
        gt=0, allow_inf_nan=False, description="xi: after an update at learning rate h each loses h xi, down to zero"
    )


class Adapters(LayerRewrite):
    """Low-rank adapters that learn beside weights that do not."""

    kind: Literal["adapters"]
    rank: PositiveInt = Field(description="r, the channels of an adapter")
    scale: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="alpha / r of what is added; training alone asks"
    )
    position: Literal["beside", "behind"] = Field(
        default="beside", description="reads the layer's input, W x + s B A x; or its output, y + s B A y"
    )
    gate: Gate | None = Field(default=None, description="a number a rank, which learns, and falls to zero")
    mask: Gate | None = Field(
        default=None,
        description="of position behind: a number an output channel, which learns, and falls to zero; keep's "
        "chosen_by: adapter-masks compares channels by it",
    )
    residual: PositiveInt | None = Field(
        default=None, description="elements of each weight that learn beside the factors, at places drawn once"
    )
    deployed: Literal["merged", "beside"] = Field(
        default="merged", description="in inference: added into the weights offline, or multiplied by beside them"
    )
    learning: tuple[str, ...] = Field(
        default=(), description="parameters that learn beside the adapters, or what holds them, with * and ?"
    )

    @property
    def title(self) -> str:
        """What it does, in a phrase."""
        more = "" if self.gate is None else ", each rank gated"
        more += "" if self.mask is None else ", and a mask of channels,"
        more += "" if self.residual is None else f", and {self.residual} elements of each weight,"
        return f"adapters of rank {self.rank}{more} {self.position} frozen weights"

    @property
    def trains(self) -> bool:
        """They do."""
        return True

    @property
    def freezes(self) -> bool:
        """It does."""
        return True

    def unfit(self, layer: Layer) -> str:
        """Why a layer cannot have an adapter; empty where it can."""
        if layer.convolution is not None and (self.gate or self.residual or self.position == "behind"):
            return "it is a convolution, whose adapter lies beside it and has neither a gate nor a residual"
        if self.residual is not None and self.residual > layer.inputs * layer.outputs:
            return f"it has fewer than {self.residual} elements"
        return plain_layer(layer) or full_rank(layer, self.rank)

    @model_validator(mode="after")
    def _a_position_has_its_fields(self) -> Self:
        if self.position == "behind" and (self.gate is not None or self.residual is not None):
            raise ValueError("position: got behind with a gate or a residual, need beside for them")
        if self.position == "beside" and self.mask is not None:
            raise ValueError("mask: got one of position: beside, need behind: it multiplies what a layer hands on")
        return self

    def made(
        self, graph: TrainingGraph, layers: dict[str, Layer], *, deployed: bool
    ) -> tuple[TrainingGraph, tuple[str, ...]]:
        """Each with an adapter beside it; deployed and merged the network is as it was.

        Raises:
            ConfigError: ``learning`` names nothing that learns.
        """
        if deployed and self.deployed == "merged":
            return graph, ("Adapters are merged into the weights offline, and take nothing there.",)
        adapted = with_fragments(graph, layers.values(), self._build)
        return (adapted if graph.inference else without_learning(adapted, frozen_but(graph, self.learning))), ()

    def _build(self, fragment: Fragment, layer: Layer, x: Value) -> Value:
        base = product(fragment, layer, x, fragment.kept(layer.weight, learns=layer.learns), module=layer.name)
        if self.position == "behind":
            return self._with_adapter_behind(fragment, layer, base)

        def gated(hidden: Value) -> Value:
            gate = fragment.weight("adapter_gate", (Size(fixed=self.rank),), learns=True)
            return fragment.gated(hidden, gate, module=layer.name)

        between = None if self.gate is None else gated
        side = factors(fragment, layer, x, rank=self.rank, names=NAMES, learns=True, between=between)
        scaled = fragment.scaled(side, module=layer.name)
        total = fragment.add(base, scaled, module=layer.name)
        return total if self.residual is None else self._with_residual(fragment, layer, x, total, self.residual)

    def _with_adapter_behind(self, fragment: Fragment, layer: Layer, base: Value) -> Value:
        rank, outputs = Size(fixed=self.rank), Size(fixed=layer.outputs)
        side = base
        for name, shape in zip(NAMES, ((rank, outputs), (outputs, rank)), strict=True):
            weight = fragment.weight(f"{name}.weight", shape, learns=True)
            side = fragment.linear(
                side,
                weight,
                module=fragment.under(name),
                rows=layer.linear.m,
                inputs=shape[1].fixed,
                outputs=shape[0].fixed,
            )
        total = fragment.add(base, fragment.scaled(side, module=layer.name), module=layer.name)
        if self.mask is None:
            return total
        return fragment.gated(total, fragment.weight(MASK, (outputs,), learns=True), module=layer.name)

    def _with_residual(self, fragment: Fragment, layer: Layer, x: Value, total: Value, count: int) -> Value:
        few = (Size(fixed=count),)
        values = fragment.weight("adapter_residual", few, learns=True)
        inputs, outputs = (
            fragment.constant(f"adapter_residual_{each}", few, integer=True) for each in ("inputs", "outputs")
        )
        columns = fragment.gathered(x, inputs, (layer.linear.m, *few), module=layer.name)
        scaled = fragment.gated(columns, values, module=layer.name)
        return fragment.added_at(total, scaled, outputs, module=layer.name)
