"""A recipe laid over a module, to be trained: every Linear, convolution and recurrent layer multiplies as it says."""

from __future__ import annotations

import math
from functools import partial
from numbers import Integral

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ....configs.pattern import Pattern
from ....configs.permuted import Permuted
from ...graph import Stage
from ...rewrites.in_torch import activations_of, rewrites_of
from ...rewrites.in_torch.scored_layer import ScoredLayer
from ..declaration import Recipe
from ..layer_densities import with_layer_densities
from ..pruned_stage import PRODUCT_STAGES
from ..rules import Facts, check_rules, dense_reason, has_own_ratio, patched_reason, ratio, takes
from .activations_at_work import ActivationsAtWork
from .applied import AppliedRecipe
from .hosting import host, is_hosted
from .layer import Layer
from .mask_engine import MaskEngine
from .precision import PRECISIONS, Precision
from .reach import LAYERS, Reach
from .recurrent.weights import RecurrentWeight, weights_of
from .scored_masks import ScoredMasks
from .shortcuts import close_shortcuts
from .step_clock import StepClock
from .task_masks import TaskMasks
from .weight_axes import Convolutions, WeightAxes

_BEYOND_REACH = (nn.MultiheadAttention, nn.Bilinear)
"""Modules with weights of their own that they hand to one of torch's functions: nothing here to prune."""


def apply(
    model: nn.Module,
    recipe: Recipe,
    pattern: OperandFormat,
    *,
    steps: int | None = None,
    precision: Precision = "fp32",
    seed: int = 0,
    follows_schedule: bool = False,
    first_step: int = 0,
) -> AppliedRecipe:
    """Let a model train under a recipe.

    The model's classes, state-dict keys and parameters stay; masks are made from the master weights as they change.
    A layer that has a forward pass of its own, or whose weight another module multiplies by, is left alone.
    Which layers are pruned is decided by the rules that annotate a graph; the first convolution is the first that the
    model registers.

    Args:
        model: any module; its Linear, Conv and recurrent layers are found wherever they are.
        recipe: the method.
        pattern: N:M, for every layer without a format of its own; any format where the recipe's masks are given.
        steps: updates of the whole run, for a recipe that changes over time.
        precision: of operands and activations of every such layer; sums and master weights are FP32.
        seed: of whatever the recipe draws.
        follows_schedule: whether the caller does what a schedule asks of a loop, as ``bisparse train`` does: prunes
            and rewinds between trainings that are repeated (``steps`` are those of one), begins tasks, freezes, cuts
            batches.
        first_step: updates of the run before these.

    Returns:
        The recipe at work. ``attach`` it to the optimizer; ``remove`` leaves a plain, pruned model.

    Raises:
        ConfigError: a recipe is at work on the model already, a rule names none of its layers, a layer cannot be
            pruned, there is none, ``precision`` is not for its weights, or the recipe needs ``steps`` or is simulated
            alone.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision: got {precision!r}, need one of {', '.join(PRECISIONS)}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1):
        raise ConfigError(f"steps: got {steps!r}, need a whole number, 1 or more; try the updates of the whole run")
    recipe.check_trains()
    if not follows_schedule:
        check_trains_once(recipe)
    clock = StepClock(recipe, pattern, None if steps is None else int(steps))
    clock.step = first_step
    if clock.rewrites_now != rewrites_of(model):
        raise ConfigError(
            f"{recipe.name}: got a model that its rewrites were not made on, need one that they were; try "
            "bisparse.apply(..., input_shape=...), or bisparse train"
        )
    modules = _layers_that_multiply(model)
    if recipe.prunes and not modules:
        raise ConfigError(
            f"{type(model).__name__}: got no Linear, Conv or recurrent layer, need one for {recipe.name} to prune; "
            "try the recipe dense"
        )
    beyond = {path for path, module in model.named_modules() if isinstance(module, _BEYOND_REACH)}
    named = {*modules, *beyond}
    check_rules(recipe, named, weighted=named, of=type(model).__name__)
    network = _Network(model, modules)
    own_ratio = frozenset(path for path in modules if has_own_ratio(recipe, path))
    plans = [network.planned(each.recipe, each.pattern) for each in clock.stretches]
    recipe = network.shared_out(recipe, pattern)
    generator = torch.Generator().manual_seed(seed)
    reasons: dict[str, str] = {}
    _check_precision({path: each for path, each in modules.items() if network.unreachable(path) is None}, precision)
    layers: dict[str, Layer] = {}
    for path, module in modules.items():
        kind = partial(ScoredMasks, module) if isinstance(module, ScoredLayer) else Layer
        layers[path] = kind(
            path=path,
            patterns=network.patterns(path, recipe, pattern, reasons),
            axes=WeightAxes.of(module),
            clock=clock,
            precision=precision,
            generator=generator,
            plan=tuple(plan.get(path, {}) for plan in plans),
        )
    for stage in PRODUCT_STAGES:
        if recipe.pruned_in(stage) is not None:
            reasons |= {f"{path}:{stage.value}": "torch multiplies by its weights in a function" for path in beyond}
    engine = None
    if recipe.masks_change_together and not recipe.tasks:
        engine = MaskEngine(
            recipe=recipe, clock=clock, generator=generator, layers=layers, modules=modules, own_ratio=own_ratio
        )
    # All of them first: two weights may be of one module, which is another once it is hosted.
    for path in [each for each in modules if network.unreachable(each) is None]:
        host(modules[path], layers[path])
    return AppliedRecipe(
        recipe=recipe,
        pattern=pattern,
        clock=clock,
        modules=modules,
        layers=layers,
        dense_reasons=reasons,
        generator=generator,
        shortcuts=close_shortcuts(model),
        engine=engine,
        task_masks=TaskMasks(recipe=recipe, clock=clock, generator=generator, layers=layers, modules=modules),
        activations=ActivationsAtWork(activations_of(model), clock),
    )


def check_trains_once(recipe: Recipe) -> None:
    """Refuse a recipe that asks more of a loop than to go through the data once.

    Raises:
        ConfigError: it does.
    """
    recipe.check_trains()
    if not recipe.trains_once:
        raise ConfigError(
            f"{recipe.name}: got a recipe that repeats a whole training, or has tasks, frozen parameters, batches or a "
            "loss of its own, or chooses what of a network stays, need one that a loop of your own goes through once; "
            "try bisparse train"
        )


def _layers_that_multiply(model: nn.Module) -> dict[str, nn.Module]:
    """Linear and Conv layers and weights of recurrent ones by path, in the order in which the model registers them."""
    found: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        if is_hosted(module):
            raise ConfigError(f"{path}: got a layer under a recipe already, need a plain model; try remove() first")
        if isinstance(module, LAYERS):
            _check_weight(path, module, "weight")
            found[path] = module
        for name, weight in weights_of(path, module):
            _check_weight(name, module, weight.name)
            found[name] = weight
    return found


def _check_weight(path: str, module: nn.Module, name: str) -> None:
    """Refuse a weight that masks cannot be laid over."""
    weight = getattr(module, name)
    if isinstance(weight, UninitializedParameter):
        raise ConfigError(f"{path}: got a lazy layer without a weight, need one; try running the model once first")
    if parametrize.is_parametrized(module, name):
        raise ConfigError(f"{path}: got a parametrised weight, need a plain one; try removing its parametrisation")
    if not isinstance(weight, nn.Parameter):
        raise ConfigError(f"{path}: got a weight that a hook computes, need a parameter; try removing that hook")


def _check_precision(modules: dict[str, nn.Module], precision: Precision) -> None:
    for path, module in modules.items():
        weight = module.weight
        assert isinstance(weight, nn.Parameter), "others were refused"
        if precision != "fp32" and weight.dtype is not torch.float32:
            name = path if isinstance(module, RecurrentWeight) else f"{path}.weight".lstrip(".")
            raise ConfigError(
                f"{name}: got {weight.dtype}, need torch.float32: the sums of {precision} "
                "products are FP32; try model.float(), or precision='fp32'"
            )


class _Network:
    """What the rules ask of a layer's place in its model."""

    def __init__(self, model: nn.Module, modules: dict[str, nn.Module]) -> None:
        self._modules = modules
        first = next((module for module in modules.values() if isinstance(module, Convolutions)), None)
        self._first = None if first is None else first.weight
        tables = (nn.Embedding, nn.EmbeddingBag)
        self._embeddings = {id(module.weight) for module in model.modules() if isinstance(module, tables)}
        self._reach = Reach(model)

    def patterns(
        self, path: str, recipe: Recipe, pattern: OperandFormat, reasons: dict[str, str]
    ) -> dict[Stage, OperandFormat]:
        """The ratio of each stage of a layer that is pruned; why another stays dense goes into ``reasons``."""
        module, found = self._modules[path], {}
        axes = WeightAxes.of(module)
        for stage in PRODUCT_STAGES:
            pruned = recipe.pruned_in(stage)
            if pruned is None:
                continue
            own = ratio(recipe, path, stage, pattern)
            if not takes(recipe, pruned, own):
                own = Pattern.only(own)
            if isinstance(own, Permuted):
                raise ConfigError(
                    f"sparsity: got {own}, need an order of channels to train with; try {own.in_order}, or --recipe "
                    "bi-mask, which searches for one"
                )
            facts = Facts(
                module=path,
                contracted_channels=0 if stage is Stage.WEIGHT_GRADIENT else axes.channels(stage),
                first_convolution=module.weight is self._first,
                tied_embedding=id(module.weight) in self._embeddings,
                kernel_positions=math.prod(getattr(module, "kernel_size", (1,))),
            )
            patched = ""
            if stage is Stage.WEIGHT_GRADIENT and axes.kernel_axes:
                patched = patched_reason(pruned.operand, transposed=axes.transposed)
            reason = self.unreachable(path) or patched or dense_reason(recipe, facts, pruned.multiplied_as(own))
            if reason is None:
                found[stage] = own
            else:
                reasons[f"{path}:{stage.value}"] = reason
        return found

    def shared_out(self, recipe: Recipe, pattern: OperandFormat) -> Recipe:
        """The recipe with a density a layer, where it shares zeros out."""
        return with_layer_densities(recipe, pattern, self.shapes(recipe, pattern))

    def planned(self, recipe: Recipe | None, pattern: OperandFormat) -> dict[str, dict[Stage, OperandFormat]]:
        """The formats of every layer in a stretch of a run; none in one that trains densely."""
        if recipe is None:
            return {}
        own = self.shared_out(recipe, pattern)
        return {path: self.patterns(path, own, pattern, {}) for path in self._modules}

    def shapes(self, recipe: Recipe, pattern: OperandFormat) -> dict[str, list[tuple[int, ...]]]:
        """Shapes of the weights that a recipe prunes, by layer, in the model's order."""
        found: dict[str, list[tuple[int, ...]]] = {}
        for path, module in self._modules.items():
            if self.patterns(path, recipe, pattern, {}):
                weight = module.weight
                assert isinstance(weight, nn.Parameter), "others were refused"
                found[path] = [tuple(weight.shape)]
        return found

    def unreachable(self, path: str) -> str | None:
        """Why a layer does not multiply where a recipe could say by what; None when it does."""
        return self._reach.unreachable(path, self._modules[path])
