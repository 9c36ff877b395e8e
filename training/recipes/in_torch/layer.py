"""One layer under a recipe: its masks now, the weights of each pass, and how what streams in is pruned."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ....configs.operand_format import OperandFormat
from ....configs.pattern import DENSE, Pattern
from ....configs.terms import Terms
from ....configs.unstructured import Unstructured
from ...graph import Stage
from ..declaration import Recipe
from ..phases import pattern_in
from ..pruned_stage import PRODUCT_STAGES
from .churn import Churn
from .mask_source import MaskSource
from .precision import Precision
from .product import Passes, padded_input
from .recurrent.graph_mask import graph_mask
from .soft_mask import soft_weight
from .soft_threshold import nearest_scale, softened
from .step_clock import StepClock
from .streams import StreamPruning
from .tally import Tally
from .weight_axes import WeightAxes
from .weight_masks import best_order, format_mask, permuted_backward_mask, transposable_mask

FF, BP, WU = PRODUCT_STAGES


class Layer:
    """A Linear or a convolution under a recipe.

    Attributes:
        path: dotted, in the model.
        patterns: the full format of each stage that is pruned.
        plan: where the schedule declares its phases, or repeats its training: the formats of each of its stretches.
        axes: of its weight.
        tally: where it counts what it sees; None when nobody watches.
        churn: how much its mask changes a step.
        engine: what finds its masks together with those of other layers; None where it finds its own.
        cached: masks are kept until torch's counters say that the weight changed; else each forward pass makes them.
    """

    def __init__(
        self,
        *,
        path: str,
        patterns: dict[Stage, OperandFormat],
        axes: WeightAxes,
        clock: StepClock,
        precision: Precision,
        generator: torch.Generator,
        plan: tuple[dict[Stage, OperandFormat], ...] = (),
    ) -> None:
        self.path, self.patterns, self.plan, self.axes = path, patterns, plan, axes
        self.tally: Tally | None = None
        self.churn = Churn()
        self.engine: MaskSource | None = None
        self.cached = False
        self._clock, self._precision, self._generator = clock, precision, generator
        self._order: Tensor | None = None
        self._tile_mask: Tensor | None = None
        self._kept_masks: dict[Stage, Tensor] | None = None
        self._searched: int | None = None
        self._scale: float | None = None
        self._known: tuple[object, ...] = ()
        self._seen: Tensor | None = None
        self._masks: dict[Stage, Tensor] = {}
        self._weights: dict[Stage, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, or of one that is saved: without what can be made anew, and without a watcher."""
        fresh: dict[str, Any] = {
            "tally": None,
            "cached": False,
            "_known": (),
            "_seen": None,
            "_masks": {},
            "_weights": {},
        }
        return self.__dict__ | fresh

    def __deepcopy__(self, memo: dict[int, Any]) -> Layer:
        """Of a copied model, an average of its weights for example: at the same clock, with masks of its own.

        Draws of its own, too: an average that searches must not change what the trained model draws next.
        """
        twin = copy.copy(self)
        memo[id(self)] = twin
        twin.churn = copy.deepcopy(self.churn, memo)
        twin.follow(self._clock, copy.deepcopy(self._generator, memo), self.engine)
        return twin

    def follow(self, clock: StepClock, generator: torch.Generator, engine: MaskSource | None) -> None:
        """Tell the time by this clock, draw from this generator, and ask this engine."""
        self._clock, self._generator = clock, generator
        self.engine = engine if self.patterns else None

    def refresh(self) -> None:
        """Make masks anew at the next use, however the weight was changed; a permuted order stays."""
        self._known, self._tile_mask, self._kept_masks = (), None, None

    def expect_writes(self) -> None:
        """Unless masks are cached, make them anew at the next use: a write through ``.data`` moves no counter."""
        if not self.cached:
            self._known = ()

    @property
    def _recipe(self) -> Recipe:
        """As the phase of the next update has it."""
        return self._clock.recipe_now

    @property
    def is_pruned(self) -> bool:
        """Whether it is, in any stage and phase."""
        return bool(self.patterns) or any(self.plan)

    # What each pass multiplies by -----------------------------------------------------------------------------------

    @property
    def plain(self) -> bool:
        """Whether torch's own layer does the same: nothing is pruned, rounded or watched."""
        return not self.is_pruned and self._precision == "fp32" and self.tally is None

    def weight(self, master: Tensor, stage: Stage) -> Tensor:
        """What FF or BP multiplies by, given the master weight."""
        self._bring_up_to_date(master)
        return self._weights[stage]

    def mask(self, master: Tensor, stage: Stage) -> Tensor | None:
        """The mask of a stage's weight; None where it is dense."""
        self._bring_up_to_date(master)
        return self._masks.get(stage)

    def _bring_up_to_date(self, master: Tensor) -> None:
        key = (master.data_ptr(), master._version, self._clock.step, self._clock.switch_step)
        # The tensor is held: another could come to lie at its address.
        if master is self._seen and key == self._known:
            return
        # What an evaluation in inference mode leaves here, the next training step saves for its backward pass.
        with torch.inference_mode(False), torch.no_grad():
            weight = master.detach()
            self._masks = self._masks_of(weight) if self._clock.phase.kind != "dense" else {}
            self._weights = self._weights_of(weight)
        watched = self._masks.get(FF, self._masks.get(BP))
        if watched is not None:
            self.churn.see(watched, self._clock.step)
        self._seen, self._known = master, key

    def patterns_now(self) -> dict[Stage, OperandFormat]:
        """The ratio of each stage in this phase; a frame's larger groups may not divide the channels."""
        recipe, phase = self._recipe, self._clock.phase
        if phase.stretch is not None:
            return self.plan[phase.stretch]
        now = {stage: pattern_in(recipe, pattern, phase) for stage, pattern in self.patterns.items()}
        if not recipe.dense.indivisible:
            return now
        return {stage: own for stage, own in now.items() if stage is WU or self.axes.channels(stage) % own.unit == 0}

    def weights_now(self) -> dict[Stage, OperandFormat]:
        """Of those, the stages that prune the weight."""
        rules = ((stage, own, self._recipe.pruned_in(stage)) for stage, own in self.patterns_now().items())
        return {stage: own for stage, own, rule in rules if rule is not None and rule.operand == "weight"}

    def _masks_of(self, weight: Tensor) -> dict[Stage, Tensor]:
        if self.engine is not None:
            return {stage: mask.to(weight.device) for stage, mask in self.engine.masks(self.path).items()}
        now = self.weights_now()
        if not now:
            return {}
        if self._recipe.mask_search.method == "transposable":
            shared = self._transposable(weight, Pattern.only(now.get(FF, now.get(BP, DENSE))))
            return dict.fromkeys(now, shared)
        backward = self._recipe.backward
        stays = self._recipe.mask_search.method == "given" or self._recipe.mask_search.every_steps > 1
        if not stays or (backward is not None and backward.permuted):
            # What is searched for now and then is a permuted mask's order; its masks follow the weights.
            return self.largest(weight, now)
        if self._kept_masks is None or self._search_is_due():
            self._kept_masks = self.largest(weight, now)
            self._searched = self._clock.step
        return {stage: mask.to(weight.device) for stage, mask in self._kept_masks.items()}

    def largest(self, weight: Tensor, now: dict[Stage, OperandFormat]) -> dict[Stage, Tensor]:
        """The masks that keep the largest magnitudes of the weight, or of what stands in its place, as formats say."""
        masks = {}
        if FF in now:
            masks[FF] = self._mask(weight, now[FF], FF)
        backward = self._recipe.backward
        if BP in now and backward is not None:
            forward = masks.get(FF)
            if backward.permuted:
                masks[BP] = self._permuted(
                    weight,
                    Pattern.only(now[BP]),
                    torch.ones_like(weight, dtype=torch.bool) if forward is None else forward,
                )
            else:
                if self.shares_mask(now):
                    masks[BP] = masks[FF]
                elif backward.within_forward and FF in masks:
                    masks[BP] = self._mask(weight * masks[FF], now[BP], BP) & masks[FF]
                else:
                    masks[BP] = self._mask(weight, now[BP], BP)
        return masks

    def shares_mask(self, now: dict[Stage, OperandFormat]) -> bool:
        """Whether one mask serves FF and BP: of N:M, and of sums of it, each has its own."""
        backward = self._recipe.backward
        if backward is None or BP not in now:
            return False
        grouped = isinstance(backward.multiplied_as(now[BP]), Pattern | Terms)
        return not grouped and now[BP].turned == now.get(FF)

    def _mask(self, weight: Tensor, sparse: OperandFormat, stage: Stage) -> Tensor:
        """The largest of each group along a stage's axis; of zeros without a rule the largest of the whole weight."""
        if (graph := self._recipe.mask_search.graph) is not None:
            assert isinstance(sparse, Unstructured), "others were refused"
            seed = self._generator.initial_seed()
            return graph_mask(graph, weight, sparse.density, seed=seed, path=self.path)
        rule = self._recipe.pruned_in(stage)
        return format_mask(
            weight, self.axes, sparse, stage, taken=sparse if rule is None else rule.multiplied_as(sparse)
        )

    def _transposable(self, weight: Tensor, pattern: Pattern) -> Tensor:
        if self._tile_mask is None or self._search_is_due():
            self._tile_mask = transposable_mask(weight, self.axes, pattern)
            self._searched = self._clock.step
        return self._tile_mask.to(weight.device)

    def prune(self, master: Tensor, found: Tensor | None = None) -> None:
        """Choose the masks of the phase that begins, in weights that may be others than those it then trains.

        Args:
            master: the weight to choose in.
            found: the mask, where it was chosen for the network as a whole.
        """
        now = self.patterns_now()
        with torch.no_grad():
            masks = self.largest(master.detach(), now) if found is None else dict.fromkeys(now, found)
        self.hold(masks)

    @property
    def kept_masks(self) -> dict[Stage, Tensor]:
        """Masks that stay, as they were last found or given."""
        return self._kept_masks or {}

    def hold(self, masks: dict[Stage, Tensor]) -> None:
        """Multiply by these masks from now on, as long as the phases have the same formats."""
        self._kept_masks, self._searched, self._known = masks, self._clock.step, ()

    def multiplies_by_its_own(self, stage: Stage) -> bool:
        """Whether a stage has a weight of its own: not BP where it multiplies by that of FF."""
        recipe = self._recipe
        return stage is FF or recipe.backward is not None or recipe.backward_weight == "master"

    def formats_now(self) -> dict[Stage, OperandFormat]:
        """What each stage's weight has at the next update; nothing where it is dense."""
        return {} if self._clock.phase.kind == "dense" else self.patterns_now()

    def _permuted(self, weight: Tensor, pattern: Pattern, forward_mask: Tensor) -> Tensor:
        if self._order is None or self._search_is_due():
            tried = max(1, round(self._recipe.mask_search.passes))
            self._order = best_order(weight, self.axes, pattern, forward_mask, tried, self._generator)
            self._searched = self._clock.step
        return permuted_backward_mask(weight, self.axes, pattern, forward_mask, self._order.to(weight.device))

    def _search_is_due(self) -> bool:
        last, every = self._searched or 0, self._recipe.mask_search.every_steps
        if self._recipe.mask_search.method == "given":
            return last < self._clock.began(self.plan)
        # A phase with another ratio needs another mask. A layer may sit out the very step in which a search falls due.
        return last < self._clock.phase.first_step or last // every < self._clock.step // every

    @property
    def _softens(self) -> bool:
        return self._recipe.pruned_weights.state == "soft" and self._clock.phase.kind == "leak" and bool(self._masks)

    def learned(self, master: Tensor) -> Tensor:
        """Where the gradient of what FF multiplies by goes: the master weight, or to it through its soft mask."""
        self._bring_up_to_date(master)
        return self._softened(master) if self._softens and torch.is_grad_enabled() else master

    def _softened(self, weight: Tensor) -> Tensor:
        stage = FF if FF in self._masks else BP
        sparse, temperature = self.patterns_now()[stage], self._recipe.pruned_weights.temperature
        assert temperature is not None, "soft weights have one"
        return soft_weight(weight, self._masks[stage], temperature, axes=self.axes, sparse=sparse, stage=stage)

    def _weights_of(self, weight: Tensor) -> dict[Stage, Tensor]:
        if self._softens:
            return dict.fromkeys((FF, BP), self._softened(weight))
        leak = self._clock.leak

        def pruned(mask: Tensor) -> Tensor:
            # A product with the mask takes a third of the time of torch.where.
            return torch.where(mask, weight, weight * leak) if leak else weight * mask

        forward = weight
        if FF in self._masks:
            soft = self._recipe.forward is not None and self._recipe.forward.soft
            forward = self._soft(weight) if soft else pruned(self._masks[FF])
        if BP not in self._masks:
            backward = forward if self._recipe.backward_weight == "forward" else weight
        else:
            backward = forward if self._masks[BP] is self._masks.get(FF) else pruned(self._masks[BP])
        return {FF: forward, BP: backward}

    def _soft(self, weight: Tensor) -> Tensor:
        """S-STE's weight: soft thresholds, and the scale that was found with the first of them."""
        pattern = Pattern.only(self.patterns_now()[FF])
        soft = softened(weight, self._masks[FF], self.axes, pattern, FF)
        if self._scale is None:
            self._scale = nearest_scale(weight, soft)
        return self._scale * soft

    # Gradients ------------------------------------------------------------------------------------------------------

    def _pruning(self, stage: Stage, operand: str) -> StreamPruning | None:
        """How a stage prunes what streams in at the next step; None where it does not, or prunes something else."""
        rule = self._recipe.pruned_in(stage)
        if rule is None or rule.operand != operand or self._clock.phase.kind in ("dense", "leak"):
            return None
        pattern = self.patterns_now().get(stage)
        if pattern is None:
            return None
        return StreamPruning(
            rule=rule,
            pattern=Pattern.only(pattern),
            linear=self.axes.kernel_axes == 0,
            groups=self.axes.groups,
            along_positions=stage is WU,
            generator=self._generator,
        )

    def decay(self, master: Tensor) -> Tensor | None:
        """SR-STE's term for the master weight's gradient: strength x (1 - mask) x weight; None where there is none."""
        rule = self._recipe.decay
        if rule is None:
            return None
        mask = self.mask(master, FF if rule.mask == "forward" else BP)
        return None if mask is None else rule.strength * master.detach() * ~mask

    def passes(self, module: nn.Module, master: Tensor, values: Tensor) -> tuple[Tensor, Passes]:
        """The input as the product reads it, and what each pass multiplies by."""
        values, geometry = padded_input(module, values)
        if self.engine is not None and module.training:
            self.engine.see_inputs(self.path, values)
        self.expect_writes()
        return values, Passes(
            geometry=geometry,
            forward_weight=self.weight(master, FF),
            backward_weight=self.weight(master, BP),
            precision=self._precision,
            prune_input=self._pruning(FF, "input"),
            prune_gradient=self._pruning(BP, "gradient"),
            update_input=self._pruning(WU, "input"),
            update_gradient=self._pruning(WU, "gradient"),
            see_gradient=self._see_gradient if self.tally is not None else None,
        )

    def _see_gradient(self, gradient: Tensor) -> None:
        if self.tally is not None:
            self.tally.see("gradient", gradient)

    # Going on later -------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What the master weight alone does not tell."""
        return {
            "patterns": {stage.value: str(pattern) for stage, pattern in self.patterns.items()},
            "order": self._order,
            "tile_mask": self._tile_mask,
            "searched": self._searched,
            "scale": self._scale,
            # By words: torch loads no others safely.
            "kept_masks": self._kept_masks and {stage.value: mask for stage, mask in self._kept_masks.items()},
            "churn": self.churn.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._order, self._tile_mask, self._searched = state["order"], state["tile_mask"], state["searched"]
        self._scale = state.get("scale")
        # States from before a mask could be kept have none.
        kept = state.get("kept_masks")
        self._kept_masks = kept and {Stage(stage): mask for stage, mask in kept.items()}
        self.churn.load_state_dict(state["churn"])
        self._known = ()
